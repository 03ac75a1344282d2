-- Nodes of the tests of cluster: the node itself as its own peer, and places for others.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local check = require "check"

local M = {
	SELF = "127.0.0.1:" .. check.port(1),
	FAKE = "127.0.0.1:" .. check.port(2),
	NOBODY = "127.0.0.1:" .. check.port(3),
}

function M.peer()
	return skynet.newservice "peer"
end

local opened

--- Opens this node to itself as "me"; what is already open stays.
function M.open()
	if not opened then
		opened = true
		cluster.reload { me = M.SELF, fake = M.FAKE, nobody = M.NOBODY, off = false }
		cluster.open "me"
	end
end

--- How many services answer connections of other nodes.
function M.agents()
	local count = 0
	for _, name in pairs(skynet.call(".launcher", "lua", "LIST")) do
		count = count + (string.find(name, "clusteragent", 1, true) and 1 or 0)
	end
	return count
end

function M.fails(...)
	assert(not pcall(...), "expected an error")
end

function M.read_packet(fd)
	local size = string.unpack(">I2", (socket.read(fd, 2)))
	return socket.read(fd, size)
end

--- What the connection to a node has seen. Not on the C core's layer.
function M.figures_of(name)
	return skynet.call(skynet.uniqueservice "clusterd", "lua", "figures")[name]
end

return M
