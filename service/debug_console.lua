-- The debug console: "debug_console port", "debug_console address port", or "debug_console unix:/path"; on 127.0.0.1 by
-- default.
--
-- One command a line; `help` lists them. Each answer ends with the line "<CMD OK>" or "<CMD Error>". A
-- first line "GET /command/argument HTTP/1.1" or a POST with a command in its body runs that one command
-- and ends the connection; requests of web pages are refused (skynet.internal.browsers).
--
-- Config keys: `debug_console_password`: nothing is run before the line "auth <password>"; HTTP requests
-- carry it in the header "Authorization: Bearer <password>". `debug_console_host`: further names of this machine that HTTP
-- requests may give as their Host. `debug_console_clients`: connections at a time. `debug_console_handshake`: seconds until
-- the password, or without one the first command, has to come. `debug_console_idle`: seconds without a command.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local admission = require "skynet.internal.admission"
local browsers = require "skynet.internal.browsers"
local defer = require "skynet.internal.defer"
local foreign = require "skynet.internal.foreign"
local guesses = require "skynet.internal.guesses".new(tonumber(skynet.getenv "debug_console_guesses") or 5)
local limitedlog = require "skynet.internal.limitedlog"
local listing = require "skynet.internal.listing"
local run_command = require "skynet.internal.console"

local log = limitedlog()
local HTTP_LIMIT <const> = 8192 -- bytes of a request
local HTTP_TIME <const> = 1000 -- 1/100 s that a request may take to come
local LINE_LIMIT <const> = 1024 * 1024 -- bytes of a line
local STRANGER_LIMIT <const> = 4096 -- ... before the password
local MOST_LINES <const> = 64 -- lines that are read ahead
local AUTH_ATTEMPTS <const> = 3
local CLIENTS <const> = 128
local AUTH_TIME <const>, FIRST_TIME <const> = 60, 600 -- seconds

local arguments = table.pack(...)
assert(arguments.n <= 2, "debug_console [address] port")
local port = tonumber(arguments[arguments.n])
local address = arguments.n == 2 and arguments[1] or "127.0.0.1"
if not port and string.find(arguments[1] or "", "^unix:") then
	address, port = arguments[1], 0
end
local password = skynet.getenv "debug_console_password"
local own_names = browsers.names(skynet.getenv "debug_console_host")

local function seconds(key, default)
	local value = tonumber(skynet.getenv(key)) or default
	return value and value > 0 and value or nil
end

local limiter

---------------------------------------------------------------- output

-- The answer to a command as text.
local function format_answer(ok, result)
	if ok == nil then
		return "Invalid command, type help for command list\n\n<CMD Error>\n"
	elseif not ok then
		return tostring(result) .. "\n<CMD Error>\n"
	elseif type(result) ~= "table" then
		return (result and tostring(result) .. "\n" or "") .. "<CMD OK>\n"
	end
	local lines = listing(result)
	lines[#lines + 1] = "<CMD OK>\n"
	return table.concat(lines, "\n")
end

---------------------------------------------------------------- connections

-- A connection's lines are read by a task of its own, so that a command can wait for a line and for
-- something else: { fd, lines, first, last, closed }; known: it has given the password, or needs none.
local Connection = {}
Connection.__index = Connection

local function is_http(line)
	return string.find(line, "^%u+ %S+ HTTP/%d") or string.find(line, "^GET ") or string.find(line, "^POST ")
end

local function add_line(connection, line)
	connection.last = connection.last + 1
	connection.lines[connection.last] = line
	connection:wake()
end

-- Does not read on while that many lines wait, so a stranger fills the kernel's buffers and not this service. The token is not the
-- task: what was woken twice must not end a read of the socket.
local function wait_for_room(connection)
	while connection.last - connection.first >= MOST_LINES and not connection.ended do
		connection.waits = true
		skynet.wait(connection.room)
		connection.waits = false
	end
end

-- Takes the lines of what has come; `parts` are the pieces of the last one. True when nothing more is to be read as lines: what
-- follows is for the HTTP server, or the client is refused (`closed`).
local function split_lines(connection, bytes, parts)
	local from = 1
	while true do
		local stop = string.find(bytes, "\n", from, true)
		if not stop then
			local rest = string.sub(bytes, from)
			parts[#parts + 1] = rest ~= "" and rest or nil
			parts.size = parts.size + #rest
			return false
		end
		parts[#parts + 1] = string.sub(bytes, from, stop - 1)
		local line = table.concat(parts)
		for i = 1, #parts do
			parts[i] = nil
		end
		from, parts.size = stop + 1, 0
		if foreign(line) then
			limiter:report(connection.peer, "is closed: a line with control characters, as of another protocol")
			connection.closed = true
			connection:wake()
			return true
		elseif is_http(line) then
			connection.behind_request = string.sub(bytes, from)
			add_line(connection, line)
			return true
		end
		wait_for_room(connection)
		add_line(connection, line)
	end
end

local function read_no_more(connection)
	connection.closed = true
	connection:wake()
end

local function read_lines(connection)
	local parts = { size = 0 }
	local _ <close> = defer(read_no_more, connection)
	while not connection.ended do
		local bytes = socket.read(connection.fd)
		if not bytes then
			break
		end
		if split_lines(connection, bytes, parts) then
			return
		end
		local most = connection.known and LINE_LIMIT or STRANGER_LIMIT
		if parts.size > most then
			limiter:report(connection.peer, string.format("is closed: a line of more than %d bytes", most))
			break
		end
	end
end

--- Wakes who waits for the connection.
function Connection:wake()
	skynet.wakeup(self)
end

--- Waits for a line, for the end of the connection, or until `wake` is called. Yields.
function Connection:wait()
	skynet.wait(self)
end

--- The next line if it is there already.
function Connection:poll_line()
	local line = self.lines[self.first]
	if line then
		self.lines[self.first] = nil
		self.first = self.first + 1
		if self.waits then
			skynet.wakeup(self.room)
		end
	end
	return line
end

-- The next line, nil at the end. Yields.
function Connection:next_line()
	while true do
		local line = self:poll_line()
		if line or self.closed then
			return line
		end
		self:wait()
	end
end

function Connection:write(text)
	socket.write(self.fd, text)
end

-- Waits until the client has read what was written to it. Yields.
local function wait_for_reader(connection)
	while connection.unread and not connection.closed do
		skynet.wait(connection)
	end
end

-- Not a method: scripts that operators inject look for the table COMMAND among the upvalues of the functions
-- that the listening socket's callback leads to.
local function run(connection, line)
	connection:write(format_answer(run_command(connection, line)))
end

---------------------------------------------------------------- the password

-- Without the blanks at the end. What a stranger sends is matched step by step: a part of any length between two rows of
-- blanks takes the square of the length.
local function trimmed(text)
	return text and (string.match(text, "^.*%S") or "")
end

-- Why a password is not accepted, nil when it is. Yields.
local function check_password(connection, given)
	local peer = connection.peer
	local host = string.match(peer, "^(.*):%d+$") or peer
	if not given then
		return "Authentication required"
	elseif not guesses.wait(host) then
		return "Too many passwords from that address, try again later"
	elseif guesses.same(given, password) then
		guesses.right(host)
		return nil
	end
	limiter:report(peer, "has sent a wrong password")
	return "Authentication required"
end

---------------------------------------------------------------- HTTP

-- Reads the request that begins with that line. Yields.
local function read_request(connection, first_line)
	local done = false
	skynet.timeout(HTTP_TIME, function()
		if not done then
			socket.shutdown(connection.fd)
		end
	end)
	local before = first_line .. "\n" .. (connection.behind_request or "")
	local code, target, method, header, body =
		httpd.read_request(sockethelper.readfunc(connection.fd, before), HTTP_LIMIT)
	done = true
	return code, target, method, header, body
end

local function serve_http(connection, first_line)
	local code, target, method, header, body = read_request(connection, first_line)
	if code ~= 200 then
		return connection:write(format_answer(false, "Bad request " .. tostring(code)))
	elseif method ~= "GET" and method ~= "POST" then
		return connection:write(format_answer(false, "Only GET and POST"))
	end
	local refusal = browsers.refusal(header, own_names)
	if refusal then
		limiter:report(connection.peer, "is refused: " .. refusal)
		return connection:write(format_answer(false, "Refused: " .. refusal))
	end
	if password then
		local given = header.authorization
		given = type(given) == "string" and trimmed(string.match(given, "^Bearer%s+(.*)")) or nil
		local problem = check_password(connection, given)
		if problem then
			return connection:write(format_answer(false, problem))
		end
	end
	limiter:heard(connection.fd)
	connection.is_request = true
	if method == "GET" then
		run(connection, (string.gsub(string.sub(target, 2), "/", " ")))
	elseif foreign(body) then
		connection:write(format_answer(false, "A command has no control characters"))
	else
		run(connection, body)
	end
end

---------------------------------------------------------------- the server

-- Asks for the password until it is right; returns false when nothing more is to be run. Yields.
local function authenticate(connection, line)
	local attempts = 0
	while line do
		if is_http(line) then -- lines behind it are not read; it has the password in its header
			serve_http(connection, line)
			return false
		end
		local given = trimmed(string.match(line, "^%s*auth%s+(.*)"))
		if given then
			local problem = check_password(connection, given)
			if not problem then
				connection.known = true
				limiter:heard(connection.fd)
				connection:write "<CMD OK>\n"
				return true
			end
			attempts = attempts + 1
			if attempts == AUTH_ATTEMPTS then
				return false
			end
			skynet.sleep(100)
		end
		connection:write "Authentication required: auth <password>\n<CMD Error>\n"
		wait_for_reader(connection)
		line = connection:next_line()
	end
	return false
end

local function serve_lines(connection)
	connection:write "Welcome to skynet console\n"
	local line = connection:next_line()
	if line and is_http(line) then
		return serve_http(connection, line)
	end
	if password then
		if not authenticate(connection, line) then
			return
		end
		line = connection:next_line()
	end
	while line do
		if is_http(line) then
			return serve_http(connection, line)
		elseif line ~= "" then
			limiter:heard(connection.fd)
			run(connection, line)
			skynet.yield() -- others have their turn, however many lines have come
			limiter:active(connection.fd)
			wait_for_reader(connection)
		end
		line = connection:next_line()
	end
end

-- The command waits for what the client has not read yet before the next one.
local function watch_output(connection)
	socket.warning(connection.fd, function(_, kilobytes)
		connection.unread = kilobytes > 0
		connection:wake()
	end)
end

local function finish(connection)
	log(connection.peer, "disconnect")
	connection.ended = true
	if connection.waits then
		skynet.wakeup(connection.room)
	end
	limiter:leave(connection.fd)
	socket.close(connection.fd)
end

local function serve(fd, peer)
	local connection = { fd = fd, peer = peer, lines = {}, first = 1, last = 0, known = not password, room = {} }
	setmetatable(connection, Connection)
	log(peer, "connected")
	watch_output(connection)
	local _ <close> = defer(finish, connection)
	skynet.fork(read_lines, connection)
	local ok, problem = pcall(serve_lines, connection)
	if not ok then
		log(fd, problem)
	end
end

local function warn_if_open(bound_address)
	local local_only = bound_address == "127.0.0.1" or bound_address == "::1" or bound_address == "unix"
	if not password and not local_only then
		skynet.error "Debug console: anybody who can reach this address can run anything (no debug_console_password)"
	end
end

skynet.start(function()
	limiter = admission.new {
		name = "debug console",
		most = seconds("debug_console_clients", CLIENTS),
		handshake = seconds("debug_console_handshake", password and AUTH_TIME or FIRST_TIME),
		idle = seconds "debug_console_idle",
		close = function(fd)
			socket.shutdown(fd)
		end,
	}
	local listener, bound_address, bound_port = socket.listen(address, port)
	if bound_address == "unix" then
		skynet.error("Start debug console at " .. address)
	else
		skynet.error(string.format("Start debug console at %s:%s", bound_address, bound_port))
	end
	warn_if_open(bound_address)
	socket.start(listener, function(fd, peer)
		if not limiter:enter(fd, peer) then
			return socket.close_fd(fd)
		end
		if socket.start(fd) then
			skynet.fork(serve, fd, peer)
		else
			limiter:leave(fd)
		end
	end)
	socket.accept_error(listener, function()
		limiter:starved()
	end)
end)
