-- The debug console over its socket.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local OPEN <const>, GUARDED <const>, ELSEWHERE <const> = check.port(1), check.port(2), check.port(3)

local console

-- The one that listens on OPEN, for all cases.
local function open_console()
	console = console or skynet.newservice("debug_console", OPEN)
	return console
end

local function connect(port)
	if port == OPEN then
		open_console()
	end
	local fd = assert(socket.open("127.0.0.1", port))
	check.equal(socket.readline(fd), "Welcome to skynet console")
	return fd
end

-- Sends a line; returns the lines of its answer, the last one is "<CMD OK>" or "<CMD Error>".
local function ask(fd, line)
	socket.write(fd, line .. "\n")
	local lines = {}
	repeat
		lines[#lines + 1] = assert(socket.readline(fd))
	until string.find(lines[#lines], "^<CMD")
	return lines
end

local function request(port, text)
	local fd = connect(port)
	socket.write(fd, text)
	local answer = socket.readall(fd)
	socket.close(fd)
	return answer
end

function cases.commands_are_answered()
	local p = skynet.newservice "peer"
	local address = string.format("%x", p)
	local fd = connect(OPEN)
	check.equal(ask(fd, "call " .. address .. " 'echo',1,nil,'x'"), { "1\t1", "3\tx", "n\t3", "<CMD OK>" })
	check.equal(ask(fd, "nosuch")[3], "<CMD Error>")
	check.equal(ask(fd, "getenv harbor\r"), { "harbor\t0", "<CMD OK>" })
	assert(string.find(ask(fd, "ping .nosuch")[1], "Not a valid name$"))
	for _, command in ipairs { "kill", "exit", "signal", "ping" } do
		check.equal(ask(fd, command)[1], "Need an address (attempt to index a nil value)")
	end
	check.equal(ask(fd, "signal " .. address .. " x")[1], "signal: a number is needed, not x")
	check.equal(ask(fd, "getenv")[1], "getenv: the name of a config key is needed")
	check.equal(ask(fd, "inject " .. address)[1], "inject: the name of a file is needed")
	check.equal(ask(fd, "loglevel " .. address .. " warning"), { "warning", "<CMD OK>" })
	check.equal(
		ask(fd, "loglevel " .. address .. " loud"),
		{ "log level loud: one of debug, info, warning, error, off", "<CMD Error>" }
	)
	check.equal(ask(fd, "exit " .. address), { "<CMD OK>" })
	repeat
	until #ask(fd, "ping " .. address) == 2 and ask(fd, "ping " .. address)[2] == "<CMD Error>"
	local commands = 0
	for _, line in ipairs(ask(fd, "help")) do
		commands = commands + (string.find(line, "^%a+\t") and 1 or 0)
	end
	check.equal(commands, 32) -- programs read this list
	socket.close(fd)
end

-- All of 127.x.x.x is this machine: what listens on every address answers there, what listens on 127.0.0.1 does not.
function cases.it_listens_on_the_loopback_or_on_the_address_that_is_given()
	local port = check.port(4)
	local everywhere = socket.listen("0.0.0.0", port)
	socket.start(everywhere, socket.close_fd)
	socket.close(assert(socket.open("127.0.0.2", port)))
	socket.close(everywhere)

	skynet.newservice("debug_console", port)
	socket.close(connect(port))
	check.equal(socket.open("127.0.0.2", port), nil)

	skynet.newservice("debug_console", "127.0.0.2", ELSEWHERE)
	check.equal(socket.open("127.0.0.1", ELSEWHERE), nil)
	local fd = assert(socket.open("127.0.0.2", ELSEWHERE))
	check.equal(socket.readline(fd), "Welcome to skynet console")
	check.equal(ask(fd, "getenv harbor")[1], "harbor\t0")
	socket.close(fd)
end

-- The C core's console has no such command.
if check.ours then
	function cases.memory_is_told_and_given_back()
		local fd = connect(OPEN)
		local lines = table.concat(ask(fd, "purge"), "\n")
		for _, kind in ipairs { "active", "allocated", "resident", "retained" } do
			assert(string.find(lines, kind .. "\t%d+ %-> %d+"), lines)
		end
		assert(string.find(lines, "returned\t%d+\n<CMD OK>$"), lines)
		socket.close(fd)
	end
end

if check.ours then
	local json = require "skynet.internal.json"

	-- What the command answers.
	local function snapshot(fd, parts)
		local lines = ask(fd, "snapshot " .. parts)
		check.equal(lines[2], "<CMD OK>")
		return json.decode(lines[1])
	end

	local function find(list, key, value)
		for _, entry in ipairs(list) do
			if entry[key] == value then
				return entry
			end
		end
	end

	function cases.a_snapshot_has_every_service_and_asks_none()
		local p, fd = skynet.newservice "peer", connect(OPEN)
		local address = skynet.address(p)
		local function look()
			return find(snapshot(fd, "").services, "address", address)
		end
		check.equal(look().name, "snlua peer")
		local before = look().message
		skynet.call(p, "lua", "echo", 1)
		while look().message == before do
			skynet.sleep(1) -- it is counted when its turn is over
		end
		local after = look()
		assert(after.lua > 0 and after.cpu >= 0 and after.mqlen == 0)
		check.equal(look().message, after.message)
		local now = snapshot(fd, "")
		check.equal(now.version, 1)
		assert(now.node.services > 0 and now.clock > 0 and #now.workers > 0)
		check.equal(now.sockets, nil)
		skynet.send(p, "debug", "EXIT")
		socket.close(fd)
	end

	function cases.a_snapshot_has_sockets_if_they_are_wanted()
		local fd = connect(OPEN)
		snapshot(fd, "") -- what a socket has sent is counted behind the sending: the answer to that very command can be earlier
		local sockets = snapshot(fd, "sockets cluster").sockets
		local listener
		for _, entry in ipairs(sockets) do
			if entry.type == "LISTEN" and entry.name == "127.0.0.1:" .. OPEN then
				listener = entry
			end
		end
		check.equal(listener.address, skynet.address(console))
		assert(listener.accept > 0)
		local own = find(sockets, "id", fd)
		assert(own.read > 0 and own.write > 0 and own.reading, json.encode(own))
		socket.close(fd)
	end
end

function cases.http_requests_run_one_command()
	check.equal(request(OPEN, "GET /getenv/harbor HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "harbor\t0\n<CMD OK>\n")
	check.equal(request(OPEN, "POST / HTTP/1.1\r\nContent-Length: 13\r\n\r\ngetenv harbor"), "harbor\t0\n<CMD OK>\n")
end

-- What the C core's console does not know.
if check.ours then
	function cases.requests_of_web_pages_are_refused()
		local function get(fields)
			return request(OPEN, "GET /getenv/harbor HTTP/1.1\r\n" .. fields .. "\r\n")
		end
		for _, fields in ipairs {
			"Host: evil.example\r\n",
			"Host: localhost.evil.example:80\r\n",
			"Host: 127.0.0.1.evil.example\r\n",
			"Host: localhost\r\nOrigin: http://evil.example\r\n",
			"Host: localhost\r\nOrigin: null\r\n",
			"Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
			"Host: localhost\r\nSec-Fetch-Site: same-site\r\n",
			"Host: localhost\r\nUser-Agent: Mozilla/5.0 (X11)\r\n",
			"Origin: http://evil.example\r\n",
		} do
			check.equal(string.match(get(fields), "^Refused: .*<CMD Error>\n$") ~= nil, true, fields)
		end
		check.equal(get "Host: localhost\r\nHost: evil.example\r\n", "Bad request 400\n<CMD Error>\n", "two hosts")
		check.equal(get "Host: [::1].evil.example:80\r\n", "Bad request 400\n<CMD Error>\n", "no host")
		for _, fields in ipairs {
			"Host: localhost:8000\r\nUser-Agent: curl/8.1\r\n",
			"Host: [::1]:8000\r\n",
			"Host: 127.0.0.1:8000\r\nOrigin: http://127.0.0.1:8000\r\nSec-Fetch-Site: same-origin\r\n",
			"Host: LOCALHOST\r\nUser-Agent: Mozilla/5.0\r\nSec-Fetch-Site: none\r\n",
			"",
		} do
			check.equal(get(fields), "harbor\t0\n<CMD OK>\n", fields)
		end
		check.equal(
			request(
				OPEN,
				"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n"
					.. "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\ngetenv harbor"
			),
			"Refused: the Origin is another one\n<CMD Error>\n"
		)
		-- Not as lines either.
		check.equal(request(OPEN, "OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "Only GET and POST\n<CMD Error>\n")
	end

	function cases.files_outside_of_the_service_paths_are_not_reached()
		local fd = connect(OPEN)
		for _, line in ipairs {
			"start ../peer",
			"start x/../../peer",
			"start /tmp/peer",
			"snax ../x",
			"log ../x",
			"inject 8 /etc/passwd",
			"inject 8 ../x.lua",
		} do
			local lines = ask(fd, line)
			assert(string.find(lines[1], "outside of the service paths", 1, true), lines[1])
			check.equal(lines[2], "<CMD Error>")
		end
		check.equal(ask(fd, "inject 8 nosuch.lua")[1], "Can't open nosuch.lua")
		os.execute "mkfifo console-pipe" -- nobody writes to it
		local answer = ask(fd, "inject 8 console-pipe")
		os.remove "console-pipe"
		check.equal(answer[1], "Can't open console-pipe")
		check.equal(ask(fd, "start nosuch"), { "Failed", "<CMD OK>" })
		socket.close(fd)
	end

	function cases.a_pipe_in_the_service_paths_is_not_started()
		assert(os.execute [[
			mkdir own && mkfifo own/pipe.lua && ln -s pipe.lua own/to-pipe.lua && ln -s file.lua own/to-file.lua &&
			echo 'require "skynet".start(function() end)' > own/file.lua
		]])
		local fd = connect(OPEN)
		for _, command in ipairs { "start", "log", "snax" } do
			for _, name in ipairs { "pipe", "to-pipe" } do
				local answer = ask(fd, command .. " " .. name)
				check.equal(answer, { "./own/" .. name .. ".lua is no regular file", "<CMD Error>" })
			end
		end
		local answer = ask(fd, "start to-file")
		check.equal(answer[#answer], "<CMD OK>")
		assert(string.find(answer[1], "to-file", 1, true), answer[1])
		socket.close(fd)
	end

	function cases.other_protocols_close_the_connection()
		local function answer(bytes)
			return request(OPEN, bytes .. "setenv poisoned yes\n")
		end
		local hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" .. string.rep("r", 32) .. " \n\n"
		for _, bytes in ipairs {
			hello,
			"a\x1b[2J\n",
			"\0\n",
			"a\x7f\x0bb\n",
			"GET /\x01 HTTP/1.1\r\n\r\n",
			"\xff\xfb\x01\x01\n",
		} do
			check.equal(answer(bytes) or "", "", bytes)
			check.equal(skynet.getenv "poisoned", nil, bytes)
		end
		check.equal(
			request(OPEN, "POST / HTTP/1.1\r\nContent-Length: 21\r\n\r\nsetenv poisoned \x1b[2Jm"),
			"A command has no control characters\n<CMD Error>\n"
		)
	end

	function cases.telnet_and_tabs_are_read()
		local fd = connect(OPEN)
		check.equal(ask(fd, "\xff\xfd\x03\xff\xfb\x18")[3], "<CMD Error>") -- as on the C core, no command
		check.equal(ask(fd, "\xff\xfa\x18\0xterm\xff\xf0\xff\xf4\xff\xfd\x06")[3], "<CMD Error>")
		check.equal(ask(fd, "\tgetenv\tharbor\t\r")[1], "harbor\t0")
		check.equal(ask(fd, "start peer \xc2\x9b2J"), { "control characters in \\xc2\\x9b2J", "<CMD Error>" })
		socket.close(fd)
	end

	function cases.lines_come_in_any_pieces_and_number()
		local fd = connect(OPEN)
		for _, piece in ipairs { "get", "env ", "har", "bor\nge", "tenv harbor\n" } do
			socket.write(fd, piece)
			skynet.sleep(1)
		end
		socket.write(fd, string.rep("getenv harbor\n", 1000))
		for _ = 1, 1002 do
			check.equal(socket.readline(fd), "harbor\t0")
			check.equal(socket.readline(fd), "<CMD OK>")
		end
		socket.close(fd)
	end
end

-- With services in C nothing else is possible: they answer no such request.
function cases.a_command_that_is_not_answered_ends_and_so_does_its_connection()
	open_console()
	local connections = #socket.netstat()
	local fd = connect(OPEN)
	for _, command in ipairs {
		"ping :1",
		"info :1",
		"task :1",
		"uniqtask :1",
		"killtask :1 x",
		"loglevel :1",
		"dbgcmd :1 X",
		"debug :1",
	} do
		local answer = ask(fd, command)
		assert(string.find(answer[1], "no answer within 1 s: service :", 1, true), answer[1])
		check.equal(answer[2], "<CMD Error>")
	end
	check.equal(ask(fd, "getenv harbor")[1], "harbor\t0")
	socket.close(fd)
	-- `call` waits for as long as somebody may wait for it.
	fd = connect(OPEN)
	socket.write(fd, "call :1 1\n")
	socket.close(fd)
	while #socket.netstat() > connections do
		skynet.sleep(10)
	end
end

-- Public applications add to the console, or change it, from another service: they search the upvalues of skynet's
-- own functions for the tables with these names.
function cases.operators_add_commands_by_injection()
	local ok, output = skynet.call(
		open_console(),
		"debug",
		"RUN",
		[[
		local function tables_of(func, found)
			for i = 1, 255 do
				local name, value = debug.getupvalue(func, i)
				if type(value) == "table" then
					found[name] = value
				elseif type(value) == "function" and not found[value] then
					found[value] = true
					tables_of(value, found)
				end
			end
			return found
		end
		for id, s in pairs(tables_of(_P.socket.socket_message[1], {}).socket_pool) do
			local COMMAND = s.callback and tables_of(s.callback, {}).COMMAND
			if COMMAND then
				COMMAND.double = function(text) return { [text] = text .. text } end
				print "added"
			end
		end]]
	)
	check.equal({ ok, output }, { true, "added" })
	local fd = connect(OPEN)
	check.equal(ask(fd, "double ab"), { "ab\tabab", "<CMD OK>" })
	socket.close(fd)
end

-- The C core's Lua layer knows no password.
if check.ours then
	local has_guarded = false

	-- A console with a password.
	local function start_guarded()
		if not has_guarded then
			has_guarded = true
			skynet.setenv("debug_console_password", "se cret")
			skynet.setenv("debug_console_guesses", "20")
			skynet.newservice("debug_console", GUARDED)
		end
	end

	function cases.nothing_is_run_before_the_password()
		start_guarded()
		local fd = connect(GUARDED)
		check.equal(ask(fd, "getenv harbor")[2], "<CMD Error>")
		check.equal(ask(fd, "auth wrong")[2], "<CMD Error>")
		check.equal(ask(fd, "auth se cret"), { "<CMD OK>" })
		check.equal(ask(fd, "getenv harbor")[1], "harbor\t0")
		socket.close(fd)
		check.equal(request(GUARDED, "GET /getenv/harbor HTTP/1.1\r\n\r\n"), "Authentication required\n<CMD Error>\n")
		check.equal(
			request(GUARDED, "GET /getenv/harbor HTTP/1.1\r\nAuthorization: Bearer se cret\r\n\r\n"),
			"harbor\t0\n<CMD OK>\n"
		)
		for _, given in ipairs { "", "Authorization: Bearer se cre\r\n", "Authorization: Bearer se crets\r\n" } do
			check.equal(
				request(GUARDED, "POST / HTTP/1.1\r\n" .. given .. "Content-Length: 13\r\n\r\ngetenv harbor"),
				"Authentication required\n<CMD Error>\n"
			)
		end
		check.equal(
			request(GUARDED, "auth wrong\nGET /getenv/harbor HTTP/1.1\r\n\r\n"),
			"Authentication required: auth <password>\n<CMD Error>\nAuthentication required\n<CMD Error>\n"
		)
		check.equal(
			request(GUARDED, "auth a\nauth b\nauth c\nauth se cret\n" .. string.rep("getenv harbor\n", 300)),
			string.rep("Authentication required: auth <password>\n<CMD Error>\n", 2),
			"the third one ends the session"
		)

		fd = connect(GUARDED)
		socket.write(fd, string.rep("x", 5000))
		check.equal(socket.read(fd), false, "a long line before the password")
		socket.close(fd)
		local busy, looked_at = 0, 0
		for _ = 1, 75 do
			local guess = connect(GUARDED) -- one after another: a listener has few places for those that were not accepted
			skynet.fork(function()
				socket.write(guess, "GET /getenv/harbor HTTP/1.1\r\nAuthorization: Bearer guess\r\n\r\n")
				if string.find(socket.readall(guess), "^Too many passwords") then
					busy = busy + 1
				else
					looked_at = looked_at + 1
				end
				socket.close(guess)
			end)
		end
		repeat
			skynet.sleep(1)
		until busy + looked_at == 75
		assert(busy > 0 and looked_at > 50, busy) -- too many at a time are not looked at
	end

	function cases.who_knows_the_password_gets_in_beside_who_guesses()
		start_guarded()
		local stop, guessers, guessed = false, 6, 0
		for _ = 1, guessers do
			skynet.fork(function()
				while not stop do
					request(GUARDED, "GET /list HTTP/1.1\r\nAuthorization: Bearer guess\r\n\r\n")
					guessed = guessed + 1
				end
				guessers = guessers - 1
			end)
		end
		repeat
			skynet.sleep(10)
		until guessed >= 15 -- more than are looked at without waiting
		local fd = connect(GUARDED)
		check.equal(ask(fd, "auth se cret"), { "<CMD OK>" })
		socket.close(fd)
		check.equal(
			request(GUARDED, "GET /getenv/harbor HTTP/1.1\r\nAuthorization: Bearer se cret\r\n\r\n"),
			"harbor\t0\n<CMD OK>\n"
		)
		stop = true
		repeat
			skynet.sleep(10)
		until guessers == 0
	end
end

check.run(cases)
