--- A login server: makes a secret with a client over an open line, checks who it is, and tells a game
--- server of it. `require "snax.loginserver" (conf)` is the whole main chunk of the service:
---
---     { host = "0.0.0.0", port = 8001, name = "login_master", instance = 8,
---       multilogin = false,                       -- true: a user may log in several times at once
---       auth_handler(token) -> server, uid,       -- runs in one of the instances
---       login_handler(server, uid, secret) -> subid, -- these two run in the master
---       command_handler(command, ...) -> ... }    -- the "lua" messages of the service
---
--- The client talks in lines of base64:
---
---     server   8 random bytes: the challenge
---     client   its exchange key (8 bytes, crypt.dhexchange of a random key)
---     server   the server's exchange key; both sides now have secret = crypt.dhsecret(...)
---     client   crypt.hmac64(challenge, secret)
---     client   crypt.desencode(secret, token)
---     server   "200 base64(subid)", or "401 Unauthorized" (auth_handler), "403 Forbidden"
---              (login_handler), "406 Not Acceptable" (is logging in already)

local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local admission = require "skynet.internal.admission"
local alive = require "skynet.internal.alive"
local defer = require "skynet.internal.defer"
local setting = require "skynet.internal.setting"
local limitedlog = require "skynet.internal.limitedlog"
local printable = require "skynet.internal.printable"

-- Clients that log in at a time, and the seconds they have for it; config keys login_clients and login_handshake.
local CLIENTS <const>, HANDSHAKE <const> = 4096, 60
local LINE_LIMIT <const> = 8192 -- bytes that a client may send before it is known

local log, log_connect = limitedlog(), limitedlog()

local CLOSED = setmetatable({}, {
	__tostring = function()
		return "socket error"
	end,
})

local function still_open(step, fd, value)
	if value then
		return value
	end
	log(string.format("%s failed: socket (fd = %d) closed", step, fd))
	error(CLOSED)
end

local function write_line(step, fd, text)
	still_open(step, fd, socket.write(fd, text .. "\n"))
end

---------------------------------------------------------------- instances: who is it?

local function read_binary(fd)
	return crypt.base64decode(still_open("auth", fd, socket.readline(fd)))
end

local function write_binary(fd, bytes)
	write_line("auth", fd, crypt.base64encode(bytes))
end

local function agree_on_secret(fd)
	local challenge = crypt.randomkey()
	write_binary(fd, challenge)
	local client_key = read_binary(fd)
	if #client_key ~= 8 then
		error "Invalid client key"
	end
	local key = crypt.randomkey()
	write_binary(fd, crypt.dhexchange(key))
	local secret = crypt.dhsecret(client_key, key)
	if read_binary(fd) ~= crypt.hmac64(challenge, secret) then
		error "challenge failed"
	end
	return secret
end

-- What an instance answers to the master: true, server, uid, secret; false and why the client is not
-- known; nil when it is gone.
local function identify(fd, auth_handler)
	local talked, secret, token = pcall(function()
		socket.limit(fd, LINE_LIMIT)
		local secret = agree_on_secret(fd)
		return secret, crypt.desdecode(secret, read_binary(fd))
	end)
	if not talked then
		if secret == CLOSED then
			return nil, tostring(CLOSED)
		end
		return false, secret
	end
	local ok, server, uid = pcall(auth_handler, token)
	return ok, server, uid, secret
end

local function run_instance(conf)
	local auth_handler = assert(conf.auth_handler, "auth_handler is missing")
	skynet.dispatch("lua", function(_, _, fd, address)
		log_connect(string.format("connect from %s (fd = %d)", address, fd))
		local guard <close> = defer(socket.abandon, fd)
		local ok, problem = pcall(socket.start, fd)
		if not ok then
			return skynet.retpack(false, problem)
		end
		local answer, sz = skynet.pack(identify(fd, auth_handler))
		guard.dismissed = true
		socket.abandon(fd) -- back to the master, which writes to it and closes it
		skynet.ret(answer, sz)
	end)
end

---------------------------------------------------------------- master: let it in

local logging_in = {} -- uid -> true

local function forget(uid)
	logging_in[uid] = nil
end

local function admit(conf, fd, server, uid, secret)
	if not conf.multilogin then
		if logging_in[uid] then
			write_line("response 406", fd, "406 Not Acceptable")
			error(string.format("User %s is already login", uid))
		end
		logging_in[uid] = true
	end
	local guard <close> = defer(forget, uid)
	local ok, result = pcall(conf.login_handler, server, uid, secret)
	logging_in[uid], guard.dismissed = nil, true
	if not ok then
		write_line("response 403", fd, "403 Forbidden")
		error(result)
	end
	write_line("response 200", fd, "200 " .. crypt.base64encode(result or ""))
end

local function serve(conf, instance, fd, address)
	local ok, server, uid, secret = skynet.call(instance, "lua", fd, address)
	if ok then
		return admit(conf, fd, server, uid, secret)
	elseif ok == false then
		write_line("response 401", fd, "401 Unauthorized")
	end
	error(server)
end

-- The instances, which have their turns. One that somebody has killed is replaced.
local function new_instances(count)
	local handles, starting, turn = {}, {}, 0
	for place = 1, count do
		handles[place] = skynet.newservice(SERVICE_NAME)
	end

	local function replace(place)
		local _ <close> = defer(function() -- and when it has started
			starting[place] = nil
		end)
		local dead = skynet.address(handles[place])
		skynet.error(string.format("login server: its instance %s is gone, another one is started", dead))
		local ok, handle = pcall(skynet.newservice, SERVICE_NAME)
		if ok then
			handles[place] = handle
		else
			skynet.error(string.format("login server: there is none in the place of %s: %s", dead, handle))
		end
	end

	-- The next one that lives; a dead one when all are. Does not yield.
	return function()
		for _ = 1, count do
			turn = turn % count + 1
			if alive(handles[turn]) then
				break
			elseif not starting[turn] then
				starting[turn] = true
				skynet.fork(replace, turn)
			end
		end
		return handles[turn]
	end
end

local function run_master(conf)
	assert(conf.login_handler, "login_handler is missing")
	local command_handler = assert(conf.command_handler, "command_handler is missing")
	local host, port = conf.host or "0.0.0.0", assert(tonumber(conf.port), "port is missing")
	local count = conf.instance or 8
	assert(count > 0, "instance must be positive")

	skynet.dispatch("lua", function(_, _, ...)
		skynet.retpack(command_handler(...))
	end)
	local next_instance = new_instances(count)

	skynet.error(string.format("login server listen at : %s %d", host, port))
	local limiter = admission.new {
		name = "login",
		most = setting("login_clients", CLIENTS),
		most_address = setting "login_peraddress",
		handshake = setting("login_handshake", HANDSHAKE),
		close = socket.close_fd,
	}
	-- The handlers of a client that had to go run on: as many of them may do so as clients may log in.
	local running, most = 0, 2 * limiter.most
	local function leave(fd)
		running = running - 1
		limiter:leave(fd)
		socket.close_fd(fd) -- no service has it any more
	end
	local listener = socket.listen(host, port)
	socket.start(listener, function(fd, address)
		if running >= most then
			limiter:report(address, string.format("is turned away: the handlers of %d clients run", running))
			return socket.close_fd(fd)
		elseif not limiter:enter(fd, address) then
			return socket.close_fd(fd)
		end
		running = running + 1
		local _ <close> = defer(leave, fd)
		local ok, problem = pcall(serve, conf, next_instance(), fd, address)
		if not ok and problem ~= CLOSED then
			log(string.format("invalid client (fd = %d) error = %s", fd, printable(problem)))
		end
	end)
	socket.accept_error(listener, function()
		limiter:starved()
	end)
end

--- Makes this service a login server: the first one becomes the master and starts the others.
---@param conf table see above
return function(conf)
	local name = "." .. (conf.name or "login")
	skynet.start(function()
		if skynet.localname(name) then
			run_instance(conf)
		else
			skynet.register(name)
			run_master(conf)
		end
	end)
end
