-- The client's side of both protocols (see snax.loginserver and snax.msgserver). Everything here yields.
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local client = {}

local encode, decode = crypt.base64encode, crypt.base64decode

-- Logs in. Returns a session, or nil and what the server says.
function client.login(port, game, user, password)
	local id = assert(socket.open("127.0.0.1", port))
	local function read()
		return assert(socket.readline(id), "the login server has closed")
	end
	local function write(bytes)
		socket.write(id, encode(bytes) .. "\n")
	end

	-- Both sides make the same secret without sending it.
	local challenge = decode(read())
	local key = crypt.randomkey()
	write(crypt.dhexchange(key))
	local secret = crypt.dhsecret(decode(read()), key)
	write(crypt.hmac64(challenge, secret))

	local token = string.format("%s %s %s", encode(game), encode(user), encode(password))
	write(crypt.desencode(secret, token))
	local answer = read()
	socket.close(id)
	local subid = string.match(answer, "^200 (.+)$")
	if not subid then
		return nil, answer
	end
	return {
		secret = secret,
		name = string.format("%s@%s#%s", encode(user), encode(game), subid),
		connections = 0,
		requests = 0,
	}
end

local function write_packet(id, content)
	socket.write(id, string.pack(">s2", content))
end

local function read_packet(id)
	local size = socket.read(id, 2)
	return size and socket.read(id, (string.unpack(">I2", size)))
end

-- Connects a session to the game server, the first time or again.
function client.connect(port, session)
	local id = assert(socket.open("127.0.0.1", port))
	session.id = id
	session.connections = session.connections + 1
	local who = string.format("%s:%d", session.name, session.connections)
	write_packet(id, who .. ":" .. encode(crypt.hmac_hash(session.secret, who)))
	local answer = read_packet(id)
	assert(answer == "200 OK", answer)
end

-- Sends a request. Returns its number.
function client.send(session, content, number)
	if not number then
		session.requests = session.requests + 1
		number = session.requests
	end
	write_packet(session.id, content .. string.pack(">I4", number))
	return number
end

-- Reads an answer. Returns its content and the number of the request; nil when the connection is closed.
function client.receive(session)
	local packet = read_packet(session.id)
	if packet then
		local ok, number = string.unpack(">BI4", packet, -5)
		return ok == 1 and string.sub(packet, 1, -6) or "(failed)", number
	end
end

function client.disconnect(session)
	socket.close(session.id)
end

return client
