--- A gate for logged-in users with requests and answers that survive a reconnect.
---
--- A user logs in elsewhere (see snax.loginserver), which gives it a secret here. It then connects, with
--- packets of 2 bytes of size (big-endian) and content:
---
---     first packet   base64(uid)@base64(server)#base64(subid):index:base64(hmac)
---                    index grows with each connection; hmac = crypt.hmac_hash(secret, text up to index)
---     its answer     "200 OK", or "400 Bad Request", "401 Unauthorized", "403 Index Expired",
---                    "404 User Not Found" and the end of the connection
---     request        content, session (4 bytes, big-endian)
---     answer         content, 1 (or 0 and no content: the handler failed), session
---
--- A session that the user repeats after a reconnect gets the answer that was given already, as long as
--- it is among the last `expired_number` answers. One user has eight connections at most: the oldest one gives way.
---
---     msgserver.start {
---         login_handler(uid, secret) -> subid, logout_handler(uid, subid), kick_handler(uid, subid),
---                                          -- the "lua" messages login, logout and kick
---         request_handler(username, content) -> content,
---         register_handler(servername),    -- the gate opens: conf.servername of its "open" message
---         disconnect_handler(username),    -- optional; the user may come back
---         expired_number = 128,
---     }

local skynet = require "skynet"
local crypt = require "skynet.crypt"
local netpack = require "skynet.netpack"
local defer = require "skynet.internal.defer"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local recurring = require "skynet.internal.recurring"
local socketdriver = require "skynet.socketdriver"
local gateserver = require "snax.gateserver"

---@class snax.msgserver
local msgserver = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
}

-- username -> { name, secret, version = index of its last connection, fd, ip, fds = list of all its connections, the last one
-- at the end, in_work = requests that are not answered yet, is_full = too many of them, replies, answered = answers so far, oldest = number of the oldest one that is kept, order = number -> session }
-- replies: session -> { fd = where the answer goes, nil once it went; packet, nil while it is made;
-- version = of the connection that asked, nil while the first one waits; number = of the answer }
local users = {}
local newcomers = {} -- fd -> address, until the first packet has come
local since = {} -- fd of a newcomer -> when it came
local HANDSHAKE <const> = 60 -- seconds that newcomers have, unless the config key msgserver_handshake says otherwise
local HELLO <const> = 4096 -- bytes of the first packet
local LONGEST <const> = 360000 -- 1/100 s between two looks at newcomers at most: timers end at 31 bits
local connections = {} -- fd -> user
-- What one user may take: connections at a time, the older ones of which are mostly lost ones; and requests that are not
-- answered yet, those of connections that have ended too, before nothing more is read from any of its connections. Each new
-- one may bring a few before that is looked at: with twice as many, the connection ends.
local CONNECTIONS <const>, REQUESTS <const> = 8, 1024
local LONGEST <const> = 0xffff -- bytes of a packet

--- The parts of a user name. Raises when it is none. Does not yield.
---@param username string
---@return string uid, string subid, string server
function msgserver.userid(username)
	local uid, server, subid = string.match(username, "^([^@]*)@([^#]*)#(.*)")
	return crypt.base64decode(uid), crypt.base64decode(subid), crypt.base64decode(server)
end

--- The user name of these parts. Does not yield.
---@param uid string
---@param subid string|integer
---@param server string
---@return string
function msgserver.username(uid, subid, server)
	local encode = crypt.base64encode
	return string.format("%s@%s#%s", encode(uid), encode(server), encode(tostring(subid)))
end

local function forget_connection(fd)
	local user = connections[fd]
	connections[fd] = nil
	for place, one in ipairs(user.fds) do
		if one == fd then
			table.remove(user.fds, place)
			break
		end
	end
	if user.fd == fd then
		user.fd = nil
	end
end

local function close_connection(fd)
	forget_connection(fd)
	gateserver.closeclient(fd)
end

-- The end of a connection has been handled: the handler may have logged the user out.
local function finish_connection(fd)
	if connections[fd] then
		close_connection(fd)
	end
end

--- Forgets a user, and closes all of its connections. Does not yield.
---@param username string
function msgserver.logout(username)
	local user = users[username]
	users[username] = nil
	while user and user.fds[1] do
		close_connection(user.fds[1])
	end
end

--- Admits a user. Raises when it is here already. Does not yield.
---@param username string
---@param secret string of 8 bytes
function msgserver.login(username, secret)
	assert(users[username] == nil, "the user is here already")
	users[username] = {
		name = username,
		secret = secret,
		version = 0,
		answered = 0,
		oldest = 0,
		in_work = 0,
		fds = {},
		order = {},
		replies = {},
	}
end

--- Where a user is connected from; nothing when it is not. Does not yield.
---@param username string
---@return string? address
function msgserver.ip(username)
	local user = users[username]
	if user and user.fd then
		return user.ip
	end
end

-- Takes the first packet of a connection; returns why it is not accepted. Raises when it is malformed.
local function authenticate(fd, address, text)
	local name, index, hmac = string.match(text, "^([^:]*):([^:]*):([^:]*)")
	local user = users[name]
	if not user then
		return "404 User Not Found"
	end
	local version = assert(math.tointeger(tonumber(index)), "the index is no number")
	hmac = crypt.base64decode(hmac)
	if version <= user.version then
		return "403 Index Expired"
	elseif crypt.hmac_hash(user.secret, name .. ":" .. index) ~= hmac then
		return "401 Unauthorized"
	end
	if #user.fds >= CONNECTIONS then
		close_connection(user.fds[1])
	end
	user.version, user.fd, user.ip = version, fd, address
	table.insert(user.fds, fd)
	connections[fd] = user
end

local limit = ratelimit(20, 1000)

-- A line about a client that has not logged in.
local function complain(address, what)
	local more = limit()
	if more then
		skynet.error(string.format("msgserver: the connection from %s is %s%s", address, what, more))
	end
end

local limit_packets, limit_failures = ratelimit(20, 1000), ratelimit(20, 1000)
local SHOWN <const> = 200 -- bytes of a packet in the log

-- 1/100 s that newcomers have.
local function handshake_time()
	return (tonumber(skynet.getenv "msgserver_handshake") or HANDSHAKE) * 100
end

local function until_next_look(patience)
	return math.min(math.max(patience // 4, 10), LONGEST)
end

-- Closes newcomers that do not say who they are.
local watch_newcomers = recurring(function()
	local now, patience = skynet.now(), handshake_time()
	for fd, time in pairs(since) do
		if now - time >= patience then
			complain(newcomers[fd], string.format("closed: it has not said who it is in %g s", patience / 100))
			newcomers[fd], since[fd] = nil, nil
			gateserver.closeclient(fd)
		end
	end
	return next(since) and until_next_look(patience)
end)

local function add_newcomer(fd, address)
	local patience = handshake_time()
	if patience > 0 then
		since[fd] = skynet.now()
		watch_newcomers(until_next_look(patience))
	end
	newcomers[fd] = address
end

local function welcome(fd, address, text)
	local ok, refusal
	if #text <= HELLO then
		ok, refusal = pcall(authenticate, fd, address, text)
	else
		refusal = "the first packet is too long"
	end
	if not ok then
		complain(address, "refused: " .. printable(refusal))
		refusal = "400 Bad Request"
	end
	socketdriver.send(fd, netpack.pack(refusal or "200 OK"))
	if refusal then
		gateserver.closeclient(fd)
	end
end

-- Forgets the older half of the answers when there are twice as many as may be asked for again.
local function forget_old_replies(user, keep)
	if user.answered - user.oldest < keep * 2 then
		return
	end
	for number = user.oldest, user.oldest + keep - 1 do
		local session = user.order[number]
		local reply = user.replies[session]
		user.order[number] = nil
		if reply and not reply.fd and reply.number == number then
			user.replies[session] = nil
		end
	end
	user.oldest = user.oldest + keep
end

-- Also of a request whose task was killed.
local function refuse(reply, session)
	reply.packet = string.pack(">s2", string.pack(">BI4", 0, session))
end

-- Has the handler make the answer. Yields; the connection may change meanwhile.
local function make_reply(user, reply, session, content, handle)
	local ok, result = pcall(handle, user.name, content)
	local size = ok and #(result or "") or 0
	if size > LONGEST - 5 then
		ok, result =
			false, string.format("msgserver: an answer of %d bytes: a packet has %d at most", size, LONGEST - 5)
	end
	if ok then
		reply.packet = string.pack(">s2", (result or "") .. string.pack(">BI4", 1, session))
		return
	end
	local more = limit_failures()
	if more then
		skynet.error(tostring(result) .. more)
	end
	refuse(reply, session)
end

-- Sends an answer to where the user is now, and keeps it for a while.
local function send_reply(user, reply, session, keep)
	reply.version, reply.number = user.version, user.answered
	if not reply.packet then
		return -- goes to the new connection when it is made
	end
	user.order[user.answered] = session
	user.answered = user.answered + 1
	if connections[reply.fd] then
		socketdriver.send(reply.fd, reply.packet)
	end
	reply.fd = nil
	forget_old_replies(user, keep)
end

local function serve(work, fd, packet, handle)
	local user = work.user
	local session = string.unpack(">I4", packet, -4)
	local replies = user.replies
	local reply = replies[session]
	if reply and reply.version == user.version then
		-- A session used again in the same connection is another request.
		replies[session] = nil
		if not reply.packet then
			error("Conflict session " .. session)
		end
		reply = nil
	end
	if not reply then
		reply = { fd = fd }
		replies[session] = reply
		work.session, work.reply = session, reply
		make_reply(user, reply, session, string.sub(packet, 1, -5), handle)
		work.reply = nil
	else
		reply.fd = fd -- asked again after a reconnect
	end
	send_reply(user, reply, session, work.keep)
end

-- A request in work. When its task is killed it leaves its place among those of its user, and who waits for an answer gets one.
local Work = {
	__close = function(work)
		local user, reply = work.user, work.reply
		user.in_work = user.in_work - 1
		if reply then
			refuse(reply, work.session)
			send_reply(user, reply, work.session, work.keep)
		end
	end,
}

-- Runs a request. Yields.
---@return boolean ok, any problem
local function take_request(fd, text, handle, keep)
	local user = connections[fd]
	if user.in_work >= 2 * REQUESTS then
		return false, string.format("%d requests of this user are not answered yet", user.in_work)
	end
	user.in_work = user.in_work + 1
	local work <close> = setmetatable({ user = user, keep = keep }, Work)
	return pcall(serve, work, fd, text, handle)
end

-- A user that asks faster than it is answered is not read from for a while: its requests wait in its own system, and not here.
-- Returns how many may come before this is to be looked at again, too.
local function is_behind(fd)
	local user = connections[fd]
	if not user then
		return false
	end
	if user.in_work >= REQUESTS then
		user.is_full = true
	elseif user.in_work < REQUESTS // 2 then
		user.is_full = false
	end
	return user.is_full, math.max(REQUESTS - user.in_work, 1)
end

--- Makes this service a message server.
---@param conf table see above
function msgserver.start(conf)
	local keep = conf.expired_number or 128
	local handle = assert(conf.request_handler, "request_handler is missing")
	local command = {
		login = assert(conf.login_handler, "login_handler is missing"),
		logout = assert(conf.logout_handler, "logout_handler is missing"),
		kick = assert(conf.kick_handler, "kick_handler is missing"),
	}
	local handler = { is_behind = is_behind }

	function handler.command(name, _, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		return run(...)
	end

	function handler.open(_, gate_conf)
		return conf.register_handler(assert(gate_conf.servername, "servername is missing"))
	end

	function handler.connect(fd, address)
		add_newcomer(fd, address)
		gateserver.openclient(fd)
	end

	function handler.disconnect(fd)
		newcomers[fd], since[fd] = nil, nil
		local user = connections[fd]
		if not user then
			gateserver.closeclient(fd)
			return
		end
		local _ <close> = defer(finish_connection, fd) -- also when the handler raises
		if conf.disconnect_handler then
			conf.disconnect_handler(user.name)
		end
	end

	handler.error = handler.disconnect

	function handler.message(fd, msg, sz)
		local text = netpack.tostring(msg, sz)
		local address = newcomers[fd]
		if address then
			newcomers[fd], since[fd] = nil, nil
			return welcome(fd, address, text)
		end
		if not connections[fd] then
			return -- refused, or logged out; the rest of what it had sent
		end
		local ok, problem = take_request(fd, text, handle, keep)
		if not ok then
			local more = limit_packets()
			if more then
				local shown = printable(text, SHOWN)
				skynet.error(string.format("Invalid package %s : %s%s", printable(problem), shown, more))
			end
			if connections[fd] then
				gateserver.closeclient(fd)
			end
		end
	end

	gateserver.start(handler)
end

return msgserver
