-- The port of a node of a cluster.

local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.cluster.core"

local function request(session, ...)
	local packet = core.packrequest("@echo", session, skynet.pack(...))
	return packet
end

local M = { stays = true }

M.bytes = {
	cheapest = request(1, ""),
	slow = request(1, string.rep("s", 500)),
	-- A request of 4 GiB in parts begins.
	huge = string.pack(">s2", "\x01" .. string.pack("<I4I4I4", 9, 1, 0xffffffff)),
}

function M.start()
	local cluster = require "skynet.cluster"
	cluster.register("echo", skynet.newservice "echo")
	local port = require "ports".free()
	local _, real = cluster.open(port)
	return real or port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	local session = 0
	return function()
		session = session + 1
		socket.write(fd, request(session, "honest", session))
		local size = string.unpack(">I2", (assert(socket.read(fd, 2))))
		local number, ok, msg = core.unpackresponse(assert(socket.read(fd, size)))
		local text, echoed = skynet.unpack(msg)
		assert(number == session and ok and text == "honest" and echoed == session)
	end, function()
		socket.close(fd)
	end
end

return M
