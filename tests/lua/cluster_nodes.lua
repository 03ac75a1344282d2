-- Nodes of the tests of cluster: the node itself as its own peer, and places for others.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local core = require "skynet.cluster.core"
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

--- A node that is a plain listener. `on_request(session, handle, message, answer)` gets what it is asked; names are kept in its
--- field `names`, and answered with what `knows` has for them.
function M.fake(address, knows, on_request)
	local node = { names = {}, raw = {} }
	local listener = socket.listen(address)
	socket.start(listener, function(fd)
		socket.start(fd)
		node.fd = fd
		local function answer(session, ok, text)
			socket.write(fd, string.pack(">s2", string.pack("<I4B", session, ok and 1 or 0) .. text))
		end
		while true do
			local packet = socket.read(fd, 2)
			packet = packet and socket.read(fd, (string.unpack(">I2", packet)))
			if not packet then
				return
			end
			table.insert(node.raw, packet)
			local handle, session, msg, sz = core.unpackrequest(packet)
			if handle == 0 then
				local name = skynet.unpack(msg, sz)
				skynet.trash(msg, sz)
				table.insert(node.names, name)
				local value = knows[name] or knows[string.match(name, "^%S+")]
				if value ~= false then
					answer(session, value ~= nil, value and skynet.packstring(value) or "name not found")
				end
			else
				local text = msg and skynet.tostring(msg, sz)
				if msg then
					skynet.trash(msg, sz)
				end
				on_request(session, handle, text, answer)
			end
		end
	end)
	function node.close()
		socket.close(listener)
		if node.fd then
			socket.close(node.fd)
		end
	end
	return node
end

--- The services that answer connections of other nodes, and how many of them are not among those of `before`, of which some may have
--- ended since.
function M.agents(before)
	local agents, more = {}, 0
	for address, name in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if string.find(name, "clusteragent", 1, true) then
			agents[address] = true
			more = more + (before and not before[address] and 1 or 0)
		end
	end
	return agents, more
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
