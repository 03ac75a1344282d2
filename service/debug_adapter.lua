-- The debug adapter: lets an editor stop services of this node and look into them (docs/debugging.md). The node starts it itself
-- when the config has a `debug_adapter`.
--
-- Config keys: `debug_adapter`: a port, or "unix:/path". `debug_adapter_host`: the address, 127.0.0.1 by default.
-- `debug_adapter_password`: what an editor has to give with its attach request. `debug_adapter_wait`: "true" lets the node begin when
-- an editor is there.
--
-- One editor at a time. It can run any code in any service, so whoever reaches the port has the node.

local skynet = require "skynet"
local core = require "skynet.core"
local debugger = require "skynet.debugger"
local socket = require "skynet.socket"
local admission = require "skynet.internal.admission"
local defer = require "skynet.internal.defer"
local framing = require "skynet.internal.debugframing"
local guesses = require "skynet.internal.guesses"
local json = require "skynet.internal.json"
local limitedlog = require "skynet.internal.limitedlog"
local publicaddress = require "skynet.internal.publicaddress"
local sessions = require "skynet.internal.debugsession"

local STRANGER_LIMIT <const>, LIMIT <const> = 64 * 1024, 8 * 1024 * 1024 -- bytes of a message
local STRANGER_OUTPUT <const>, OUTPUT_LIMIT <const> = 256 * 1024, 64 * 1024 * 1024 -- bytes that an editor has not read
local STRANGER_MESSAGES <const> = 100 -- until it has attached
local PATIENCE <const> = 3000 -- 1/100 s until an editor has attached
local MOST_STRANGERS <const> = 64
local KEEPALIVE <const> = "60 15 4 120" -- s: a machine that has gone without a word is missed after two minutes, whatever it was sent
local RATE <const> = 5 -- wrong passwords in a second

local where = skynet.getenv "debug_adapter"
local host = skynet.getenv "debug_adapter_host" or "127.0.0.1"
local password = skynet.getenv "debug_adapter_password"
local guessed = guesses.new(RATE)

local current -- the session that is attached
local log = limitedlog() -- for what anybody can cause

-- Connections. When there are too many that have not attached, the oldest of them goes, or of its address when that has half of the
-- places: who comes by another one has the time to attach.
local function limiter(most)
	return admission.new {
		name = "debug_adapter",
		most = most,
		most_address = most // 2,
		close = socket.shutdown,
	}
end

-- Those that have said `initialize` are not among those that say nothing, however many of these come.
local silent, known = limiter(MOST_STRANGERS), limiter(MOST_STRANGERS + 1)

local function write_to(fd)
	return function(text)
		socket.write(fd, framing.frame(text))
	end
end

local function limit_output(fd, bytes)
	if socket.write_limit then -- other Lua layers have none
		socket.write_limit(fd, bytes)
	end
end

-- Tells an editor that another one is there, in answer to its first request.
local function turn_away(fd, from, text)
	local ok, request = pcall(json.decode, text)
	if ok and type(request) == "table" and math.type(request.seq) == "integer" then
		local problem = string.format("another editor is attached, from %s", current.from)
		write_to(fd)(json.encode {
			seq = 1,
			type = "response",
			request_seq = request.seq,
			command = sessions.name_of(request),
			success = false,
			message = problem,
			body = { error = { id = 2, format = problem, showUser = true } },
		})
	end
	log(string.format("debug_adapter: %s is turned away: another editor is attached, from %s", from, current.from))
end

-- Speaks with one editor until the connection ends. Returns why it was ended here, or nil.
local function converse(visit)
	local fd, from = visit.fd, visit.from
	local session
	local function finish()
		session.finished = true
	end
	local function check(given)
		if not password then
			return true
		elseif not guesses.same(type(given) == "string" and given or "", password) then
			guessed.wait(string.match(from, "^(.*):%d+$") or from)
			return false
		end
		return true
	end
	session = sessions.new { write = write_to(fd), check = check, finish = finish }
	session.from = from
	visit.session = session
	local read = framing.reader(function()
		return socket.read(fd) or nil
	end, function()
		return session.attached and LIMIT or STRANGER_LIMIT
	end)
	local begun = skynet.now()
	skynet.timeout(PATIENCE, function()
		if not session.attached and not session.closed then
			socket.shutdown(fd)
		end
	end)
	local problem
	local count = 0 -- messages
	while not session.finished do
		local text
		text, problem = read()
		if not text then
			break
		elseif current and current ~= session then
			turn_away(fd, from, text)
			break
		end
		local initialized, attached = session.initialized, session.attached
		problem = session:handle(text)
		if session.initialized and not initialized then
			silent:leave(fd)
			if not known:enter(fd, from) then
				break
			end
		end
		if session.attached and not attached then
			current = session
			known:heard(fd)
			limit_output(fd, OUTPUT_LIMIT)
			skynet.error(string.format("debug_adapter: %s is attached", from))
		end
		count = count + 1
		if current ~= session and count == STRANGER_MESSAGES then
			problem = problem or "it asks, and does not attach"
		end
		if problem then
			break
		end
	end
	if current ~= session and not problem and skynet.now() - begun >= PATIENCE then
		problem = "it has not attached in time"
	end
	return problem
end

-- However it ends, also when the task is killed.
local function part(visit)
	local session = visit.session
	if session then
		session.closed = true
		session:close()
		if current == session then
			current = nil
			skynet.error(string.format("debug_adapter: %s has gone, all services run", visit.from))
			skynet.fork(collectgarbage) -- of its breakpoints and sources, when this task has ended
		end
	end
	silent:leave(visit.fd)
	known:leave(visit.fd)
	socket.close(visit.fd)
end

local function serve(fd, from)
	if not silent:enter(fd, from) then
		return socket.close_fd(fd)
	end
	local visit = { fd = fd, from = from }
	local _ <close> = defer(part, visit)
	if socket.start(fd) then
		socket.limit(fd, LIMIT)
		core.command("KEEPALIVE", string.format("%d %s", fd, KEEPALIVE)) -- a Unix socket has none
		limit_output(fd, STRANGER_OUTPUT)
		local _, problem = pcall(converse, visit)
		if problem then
			log(string.format("debug_adapter: the connection from %s is closed: %s", from, tostring(problem)))
		end
	end
end

-- What services and the executable tell. Other Lua layers have no such protocol.
skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	unpack = skynet.tostring,
	dispatch = function()
		local count, lost = debugger.waiting()
		if current then
			current:miss(lost)
		end
		for _ = 1, count do
			local source, kind, text = debugger.next()
			if source and current then
				current:hear(source, kind, text)
			end
		end
	end,
}

local function listen()
	if string.find(where, "^unix:") then
		return socket.listen(where, 0), where, 0
	end
	local port = math.tointeger(tonumber(where))
	if not port or port < 0 or port > 65535 then
		error(string.format("%s is no port; it should be 0 to 65535, or unix: with a path", where), 0)
	end
	return socket.listen(host, port)
end

local function give_up(problem)
	skynet.error("error: debug_adapter: " .. problem)
	skynet.exit()
end

skynet.start(function()
	if not where or where == "" then
		return give_up "the config has no debug_adapter"
	elseif not debugger.mine() then
		return give_up "the node has one already, which goes on"
	end
	local ok, listener, address, port = pcall(listen)
	if not ok and skynet.getenv "debug_adapter_wait" == "true" then
		skynet.error(
			string.format("error: debug_adapter: %s; no editor can come, so the node ends", tostring(listener))
		)
		return core.command "ABORT"
	elseif not ok then
		debugger.ready()
		return give_up(tostring(listener) .. "; the node runs without it")
	end
	skynet.error(string.format("Debug adapter at %s%s", address or host, port and port ~= 0 and ":" .. port or ""))
	if publicaddress(address or host) or host == "0.0.0.0" or host == "::" then
		skynet.error(
			string.format(
				"warning: debug_adapter_host is %s: %s can run any code in this node and read all that it knows",
				host,
				password and "who has the password" or "WHOEVER REACHES THIS PORT, without a password,"
			)
		)
	end
	socket.start(listener, serve)
	skynet.dispatch("lua", function(_, _, what)
		-- For those who gave the port 0.
		skynet.retpack(what == "port" and port or nil)
	end)
end)
