-- The C gate, with an agent that sends every frame back.

local skynet = require "skynet"
local socket = require "skynet.socket"

local function frame(text)
	return string.pack(">s2", text)
end

local M = { stays = true }

M.bytes = {
	cheapest = frame "x",
	slow = frame(string.rep("s", 500)),
	huge = "\xff\xff" .. "x",
}

function M.start()
	local ports = require "ports"
	local port = ports.free()
	skynet.newservice("c_gate", port)
	return port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	return function()
		socket.write(fd, frame "honest")
		assert(socket.read(fd, 8) == frame "honest")
	end, function()
		socket.close(fd)
	end
end

return M
