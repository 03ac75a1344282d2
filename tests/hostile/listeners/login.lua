-- The login server (snax.loginserver).

local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local M = {}

local KEY <const> = crypt.base64encode(crypt.dhexchange "12345678")

M.bytes = {
	cheapest = KEY .. "\n",
	slow = string.rep("s", 500) .. "\n",
	rows = string.rep(" ", 8000) .. "\n",
	huge = string.rep("A", 9000),
}

function M.start()
	local port = require "ports".free()
	skynet.newservice("login", port)
	return port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	local function send(bytes)
		socket.write(fd, crypt.base64encode(bytes) .. "\n")
	end
	local function receive()
		return crypt.base64decode((assert(socket.readline(fd))))
	end
	return function()
		local challenge, key = receive(), crypt.randomkey()
		send(crypt.dhexchange(key))
		local secret = crypt.dhsecret(receive(), key)
		send(crypt.hmac64(challenge, secret))
		send(crypt.desencode(secret, "honest"))
		assert(socket.readline(fd) == "200 " .. crypt.base64encode "id of honest")
	end, function()
		socket.close(fd)
	end
end

return M
