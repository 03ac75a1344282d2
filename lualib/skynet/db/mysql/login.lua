--- The handshake of the MySQL protocol: greeting, log-in, proof of the password.

local packet = require "skynet.db.mysql.packet"
local passwords = require "skynet.db.mysql.passwords"

-- Capabilities that this client has, as the server is told.
local capabilities <const> = 0x1 -- long passwords
	| 0x2 -- affected rows are those found, also when nothing changes in them
	| 0x4 -- long flags of columns
	| 0x8 -- a database is named
	| 0x100 -- spaces before "("
	| 0x200 -- protocol 4.1
	| 0x400 -- the time-out of interactive sessions
	| 0x2000 -- transactions are reported
	| 0x8000 -- 4.1's proof of the password
	| 0x10000 -- several statements in one query
	| 0x20000 -- several results of a query
	| 0x40000 -- and of a prepared statement
	| 0x80000 -- kinds of proofs
local PLUGINS <const>, TLS <const> = 0x80000, 0x800

local SWITCH <const>, MORE <const>, OK <const> = 0xfe, 0x01, 0x00
local OLDEST <const> = "mysql_native_password"
local MOST_STEPS <const> = 10 -- of a log-in: a switch and three more are usual
local SALT <const> = 20 -- bytes
local MAX_PACKET <const> = 1024 * 1024 -- bytes that a server may send at a time before it is known

local function raise(payload)
	local problem = packet.error(payload)
	error(string.format("errno:%d, msg:%s,sqlstate:%s", problem.errno, problem.err, problem.sqlstate), 0)
end

-- Reads the greeting of the server.
local function read_greeting(payload)
	local version, thread, salt, low, language, status, high, salt_size, position =
		string.unpack("<zI4c8xI2BI2I2B", payload, 2)
	local greeting = {
		version = version,
		capabilities = low | high << 16,
	}
	position = position + 10
	local rest = math.max(12, salt_size - 9)
	greeting.salt = salt .. string.sub(payload, position, position + rest - 1)
	if greeting.capabilities & PLUGINS ~= 0 then
		greeting.plugin = string.unpack("z", payload, position + math.max(13, salt_size - 8))
	end
	return greeting
end

-- Exchanges packets until the server accepts or refuses. Runs in `auth` of the channel.
local function prove(exchange, login, plugin, payload, sequence)
	for _ = 1, MOST_STEPS do
		local kind = string.byte(payload)
		if kind == OK then
			return
		elseif packet.is_error(payload) then
			raise(payload)
		elseif kind == SWITCH then
			if #payload == 1 then
				error("old pre-4.1 authentication protocol not supported", 0)
			end
			plugin, login.salt = string.match(payload, "^([^\0]+)\0(.*)$", 2)
			login.salt = string.sub(login.salt or "", 1, SALT)
			if not plugin or #login.salt < SALT and passwords.is_known(plugin) then
				error("mysql: the server asks for another proof of the password without what that takes", 0)
			end
			payload, sequence = exchange(passwords.proof(plugin, login.password, login.salt), sequence + 1)
		elseif kind == MORE then
			local answer = passwords.continue(plugin, login, string.sub(payload, 2))
			payload, sequence = exchange(answer, answer and sequence + 1)
		else
			error("unexpected packet of mysql while logging in", 0)
		end
	end
	error(string.format("mysql: the log-in takes more than %d steps", MOST_STEPS), 0)
end

-- Goes over to TLS. The beginning of the log-in says so, all of it follows in secret.
local function secure(channel, tls, greeting, login, beginning)
	if greeting.capabilities & TLS == 0 then
		error("mysql: the server has no TLS, and the option tls wants it", 0)
	end
	channel:request(packet.encode(beginning, 1), function(sock)
		tls:begin(sock[1])
		return true
	end)
	login.secure = true
end

--- Logs in; for `auth` of a socket channel. Yields. Raises when the server refuses.
---@param channel table
---@param options table { user =, password =, database =, charset =, max_packet_size =, server_public_key =,
--- get_server_public_key = }
---@param tls table? of skynet.db.mysql.tls
---@return string version of the server
return function(channel, options, tls)
	local function receive(sock)
		local payload, sequence = packet.read(sock, MAX_PACKET)
		return true, { payload, sequence }
	end
	-- Sends a payload, if there is one, and waits for the next of the server.
	local function exchange(payload, sequence)
		local answer
		if payload then
			local bytes = packet.encode(payload, sequence)
			answer = channel:request(tls and tls:seal(bytes) or bytes, receive)
		else
			answer = channel:response(receive)
		end
		return answer[1], answer[2]
	end
	local payload, sequence = exchange()
	if packet.is_error(payload) then
		raise(payload)
	end
	local ok, greeting = pcall(read_greeting, payload)
	if not ok then
		error("mysql: what the server says first is no greeting of MySQL", 0)
	end
	local login = {
		password = options.password,
		salt = greeting.salt,
		server_public_key = options.server_public_key,
		get_server_public_key = options.get_server_public_key,
	}
	local plugin = passwords.is_known(greeting.plugin) and greeting.plugin or OLDEST
	local flags = capabilities & (greeting.capabilities | 0x8) | (tls and TLS or 0)
	local beginning = string.pack("<I4I4Bc23", flags, options.max_packet_size, options.charset, string.rep("\0", 23))
	if tls then
		secure(channel, tls, greeting, login, beginning)
		sequence = sequence + 1
	end
	local proof = passwords.proof(plugin, options.password, greeting.salt)
	local answer = beginning .. string.pack("<zs1z", options.user, proof, options.database)
	if flags & PLUGINS ~= 0 then
		answer = answer .. plugin .. "\0"
	end
	prove(exchange, login, plugin, exchange(answer, sequence + 1))
	return greeting.version
end
