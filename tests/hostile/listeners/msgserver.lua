-- The gate for logged-in users (snax.msgserver).

local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local SECRET <const> = "12345678"

local function packet(text)
	return string.pack(">s2", text)
end

local function user(index)
	return string.format(
		"%s@%s#%s",
		crypt.base64encode("user" .. index),
		crypt.base64encode "sample",
		crypt.base64encode "1"
	)
end

local function hello(name, version)
	local text = name .. ":" .. version
	return packet(text .. ":" .. crypt.base64encode(crypt.hmac_hash(SECRET, text)))
end

local function read_packet(fd)
	local size = string.unpack(">I2", (assert(socket.read(fd, 2))))
	return assert(socket.read(fd, size))
end

local M = { stays = true }

M.bytes = {
	cheapest = hello("nobody", 1),
	slow = hello(string.rep("n", 500), 1),
	rows = packet(string.rep("@", 4000)),
	huge = "\xff\xff" .. "x",
}

function M.start()
	local server = skynet.newservice "message_server"
	local port = require "ports".free()
	skynet.call(server, "lua", "open", { address = "127.0.0.1", port = port, servername = "sample" })
	for index = 1, 2 do
		skynet.call(server, "lua", "login", "user" .. index, SECRET)
	end
	return port
end

-- A user for the connection that stays, another one for those that come and go; versions count up.
local version, opened = os.time(), 0

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	version, opened = version + 1, opened + 1
	socket.write(fd, hello(user(opened == 1 and 1 or 2), version))
	assert(read_packet(fd) == "200 OK")
	local session = 0
	return function()
		session = session + 1
		socket.write(fd, packet("honest" .. string.pack(">I4", session)))
		assert(read_packet(fd) == "honest" .. string.pack(">BI4", 1, session))
	end, function()
		socket.close(fd)
	end
end

return M
