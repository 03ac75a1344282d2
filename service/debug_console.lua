-- The debug console: "debug_console port" or "debug_console address port"; on 127.0.0.1 by default.
--
-- One command a line; `help` lists them. Each answer ends with the line "<CMD OK>" or "<CMD Error>". A
-- first line "GET /command/argument HTTP/1.1" or a POST with a command in its body runs that one command
-- and ends the connection.
--
-- Config key `debug_console_password`: nothing is run before the line "auth <password>"; HTTP requests
-- carry it in the header "Authorization: Bearer <password>".

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local run_command = require "skynet.internal.console"

local HTTP_LIMIT <const> = 8192      -- bytes of a request
local AUTH_ATTEMPTS <const> = 3
local AUTH_PAUSE <const> = 100       -- 1/100 s after a wrong password

local arguments = table.pack(...)
assert(arguments.n <= 2, "debug_console [address] port")
local address = arguments.n == 2 and arguments[1] or "127.0.0.1"
local port = tonumber(arguments[arguments.n])
local password = skynet.getenv "debug_console_password"

---------------------------------------------------------------- output

local function sorted_keys(t)
	local keys = {}
	for key in pairs(t) do
		keys[#keys + 1] = key
	end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	return keys
end

local function format_value(value)
	if type(value) ~= "table" then
		return tostring(value)
	end
	local fields = {}
	for _, key in ipairs(sorted_keys(value)) do
		fields[#fields + 1] = string.format("%s:%s", key, tostring(value[key]))
	end
	return table.concat(fields, "\t")
end

-- The answer to a command as text.
local function format_answer(ok, result)
	if ok == nil then
		return "Invalid command, type help for command list\n\n<CMD Error>\n"
	elseif not ok then
		return tostring(result) .. "\n<CMD Error>\n"
	elseif type(result) ~= "table" then
		return (result and tostring(result) .. "\n" or "") .. "<CMD OK>\n"
	end
	local lines = {}
	for _, key in ipairs(sorted_keys(result)) do
		lines[#lines + 1] = string.format("%s\t%s\n", tostring(key), format_value(result[key]))
	end
	lines[#lines + 1] = "<CMD OK>\n"
	return table.concat(lines)
end

---------------------------------------------------------------- connections

-- A connection's lines are read by a task of its own, so that a command can wait for a line and for
-- something else: { fd, lines, first, last, closed }.
local Connection = {}
Connection.__index = Connection

local function is_http(line)
	return string.find(line, "^GET ") or string.find(line, "^POST ")
end

local function read_lines(connection)
	repeat
		local line = socket.readline(connection.fd, "\n")
		if line then
			connection.last = connection.last + 1
			connection.lines[connection.last] = line
		else
			connection.closed = true
		end
		connection:wake()
	until not line or is_http(line) -- what follows is read by the HTTP server
end

--- Wakes who waits for the connection.
function Connection:wake()
	skynet.wakeup(self)
end

--- Waits for a line, for the end of the connection, or until somebody calls `wake`. Yields.
function Connection:wait()
	skynet.wait(self)
end

--- The next line if it is there already.
function Connection:poll_line()
	local line = self.lines[self.first]
	if line then
		self.lines[self.first] = nil
		self.first = self.first + 1
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

-- Not a method: scripts that operators inject look for the table COMMAND among the upvalues of the functions
-- that the listening socket's callback leads to.
local function run(connection, line)
	connection:write(format_answer(run_command(connection, line)))
end

---------------------------------------------------------------- the password

-- Takes the same time wherever the texts differ.
local function same_text(given, expected)
	local difference = #given ~ #expected
	for place = 1, #given do
		difference = difference | (given:byte(place) ~ (expected:byte(place) or 0))
	end
	return difference == 0
end

---------------------------------------------------------------- HTTP

local function serve_http(connection, first_line)
	local read = sockethelper.readfunc(connection.fd, first_line .. "\n")
	local code, target, _, header, body = httpd.read_request(read, HTTP_LIMIT)
	if code ~= 200 then
		return connection:write(format_answer(false, "Bad request " .. tostring(code)))
	end
	if password then
		local given = string.match(header.authorization or "", "^Bearer%s+(.-)%s*$")
		if not given or not same_text(given, password) then
			skynet.error("Debug console: wrong password from " .. connection.peer)
			return connection:write(format_answer(false, "Authentication required"))
		end
	end
	if string.find(first_line, "^GET ") then
		run(connection, (string.gsub(string.sub(target, 2), "/", " ")))
	else
		run(connection, body)
	end
end

---------------------------------------------------------------- the server

-- Asks for the password until it is right; returns false when nothing more is to be run. Yields.
local function authenticate(connection, line)
	local attempts = 0
	while line do
		if is_http(line) then -- nobody reads lines behind it; it has the password in its header
			serve_http(connection, line)
			return false
		end
		local given = string.match(line, "^%s*auth%s+(.-)%s*$")
		if given and same_text(given, password) then
			connection:write "<CMD OK>\n"
			return true
		elseif given then
			attempts = attempts + 1
			skynet.error("Debug console: wrong password from " .. connection.peer)
			if attempts == AUTH_ATTEMPTS then
				return false
			end
			skynet.sleep(AUTH_PAUSE)
		end
		connection:write "Authentication required: auth <password>\n<CMD Error>\n"
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
			run(connection, line)
		end
		line = connection:next_line()
	end
end

local function serve(fd, peer)
	local connection = setmetatable({ fd = fd, peer = peer, lines = {}, first = 1, last = 0 }, Connection)
	skynet.error(peer, "connected")
	skynet.fork(read_lines, connection)
	local ok, problem = pcall(serve_lines, connection)
	if not ok then
		skynet.error(fd, problem)
	end
	skynet.error(peer, "disconnect")
	socket.close(fd)
end

skynet.start(function()
	local listener, bound_address, bound_port = socket.listen(address, port)
	skynet.error(string.format("Start debug console at %s:%s", bound_address, bound_port))
	if not password and bound_address ~= "127.0.0.1" and bound_address ~= "::1" then
		skynet.error "Debug console: anybody who can reach this address can run anything (no debug_console_password)"
	end
	socket.start(listener, function(fd, peer)
		socket.start(fd)
		skynet.fork(serve, fd, peer)
	end)
end)
