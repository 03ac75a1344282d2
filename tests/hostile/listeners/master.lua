-- The master of a network of harbors.

local skynet = require "skynet"
local socket = require "skynet.socket"

local function packet(...)
	return string.pack("s1", skynet.packstring(...))
end

local M = {}

M.bytes = {
	cheapest = packet("H", 254, "127.0.0.1:1"),
	slow = packet("H", 253, string.rep("s", 200)),
	huge = "\xff" .. "x",
}

function M.start()
	return math.tointeger(tonumber(skynet.getenv "master_port"))
end

local next_id = 1

function M.open(port)
	next_id = next_id % 100 + 2
	local fd = assert(socket.open("127.0.0.1", port))
	local function read()
		local size = string.byte((assert(socket.read(fd, 1))))
		return skynet.unpack(assert(socket.read(fd, size)))
	end
	socket.write(fd, packet("H", next_id, "127.0.0.1:2"))
	assert(read() == "W")
	return function()
		local name = "HONEST" .. next_id
		socket.write(fd, packet("R", name, 0x01000005))
		local kind, answer
		repeat
			kind, answer = read()
		until kind == "N"
		assert(answer == name)
	end, function()
		socket.close(fd)
	end
end

return M
