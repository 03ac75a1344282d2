-- Clients of gates, message servers and log-in servers.
local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local M = {}

local function packet(text)
	return string.pack(">s2", text)
end

local function read_packet(fd)
	local size = string.unpack(">I2", (assert(socket.read(fd, 2))))
	return size == 0 and "" or (assert(socket.read(fd, size)))
end

M.packet, M.read_packet = packet, read_packet

---------------------------------------------------------------- msgserver

local SECRET <const> = "12345678"

function M.hello(username, index, secret)
	local text = username .. ":" .. index
	return packet(text .. ":" .. crypt.base64encode(crypt.hmac_hash(secret or SECRET, text)))
end

--- A message server with one user. Returns it, the name of the user, a function that connects with a first packet, and what
--- the log-in has answered.
function M.message_server(port)
	local server = skynet.newservice "message_server"
	skynet.call(server, "lua", "open", { address = "127.0.0.1", port = port, servername = "sample" })
	local subid = skynet.call(server, "lua", "login", "user", SECRET)
	local username = string.format(
		"%s@%s#%s",
		crypt.base64encode "user",
		crypt.base64encode "sample",
		crypt.base64encode(tostring(subid))
	)
	return server,
		username,
		function(first)
			local fd = socket.open("127.0.0.1", port)
			socket.write(fd, first)
			return fd, read_packet(fd)
		end,
		subid
end

function M.ask(fd, text, session)
	socket.write(fd, packet(text .. string.pack(">I4", session)))
	local answer = read_packet(fd)
	local ok, answered = string.unpack(">BI4", answer, -5)
	return string.sub(answer, 1, -6), ok, answered
end

---------------------------------------------------------------- loginserver

--- Returns the answer, nil or false when there is none, and the secret.
function M.log_in(port, token, spoil)
	local fd = socket.open("127.0.0.1", port)
	local function send(bytes)
		socket.write(fd, crypt.base64encode(bytes) .. "\n")
	end
	local function receive()
		return crypt.base64decode((assert(socket.readline(fd))))
	end
	local challenge, key = receive(), crypt.randomkey()
	send(crypt.dhexchange(key))
	local secret = crypt.dhsecret(receive(), key)
	send(crypt.hmac64(challenge, spoil or secret))
	if not spoil then
		send(crypt.desencode(secret, token))
	end
	local answer = socket.readline(fd)
	socket.close(fd)
	return answer, secret
end

return M
