-- Where other nodes of a network of harbors connect to: the slave takes them, the harbor service has them then.

local skynet = require "skynet"
local socket = require "skynet.socket"

local TYPE <const> = 3 -- PTYPE_CLIENT, which the service takes as text

local M = {}

M.bytes = {
	cheapest = "\xfe",
	slow = "\xfe" .. string.pack(">I4", 0xffff) .. string.rep("s", 500),
	huge = "\xfd" .. "\xff\xff\xff\xff" .. "x",
}

function M.start()
	require "skynet.manager"
	skynet.name(".honest_echo", skynet.newservice "echo")
	print("echo " .. skynet.localname ".honest_echo")
	return math.tointeger(tonumber(skynet.getenv "slave_port"))
end

local next_id = 1

-- As a node that has just joined: says who it is and sends a message; the answer comes to its address.
function M.open(port)
	next_id = next_id % 100 + 2
	local id = next_id
	local fd = assert(socket.open("127.0.0.1", port))
	socket.write(fd, string.char(id))
	assert(socket.read(fd, 1) == "\1")
	return function()
		local echo = math.tointeger(tonumber(skynet.getenv "echo")) & 0xffffff
		local text = "honest"
		local frame = text .. string.pack(">I4I4I4", id << 24 | 9, TYPE << 24 | echo, 7)
		socket.write(fd, string.pack(">s4", frame))
		local size = string.unpack(">I4", (assert(socket.read(fd, 4))))
		local answer = assert(socket.read(fd, size))
		assert(string.sub(answer, 1, #text) == text)
	end, function()
		socket.close(fd)
	end
end

return M
