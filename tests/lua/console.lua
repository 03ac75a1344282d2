-- The debug console over its socket.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local OPEN <const>, GUARDED <const> = check.port(1), check.port(2)

local function connect(port)
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

local console

function cases.commands_are_answered()
	console = skynet.newservice("debug_console", OPEN)
	local p = skynet.newservice "peer"
	local address = string.format("%x", p)
	local fd = connect(OPEN)
	check.equal(ask(fd, "call " .. address .. " 'echo',1,nil,'x'"), { "1\t1", "3\tx", "n\t3", "<CMD OK>" })
	check.equal(ask(fd, "nosuch")[3], "<CMD Error>")
	check.equal(ask(fd, "getenv harbor\r"), { "harbor\t0", "<CMD OK>" })
	assert(string.find(ask(fd, "ping .nosuch")[1], "Not a valid name$"))
	check.equal(ask(fd, "exit " .. address), { "<CMD OK>" })
	repeat until #ask(fd, "ping " .. address) == 2 and ask(fd, "ping " .. address)[2] == "<CMD Error>"
	local commands = 0
	for _, line in ipairs(ask(fd, "help")) do
		commands = commands + (string.find(line, "^%a+\t") and 1 or 0)
	end
	check.equal(commands, 32)
	socket.close(fd)
end

function cases.http_requests_run_one_command()
	check.equal(request(OPEN, "GET /getenv/harbor HTTP/1.1\r\nHost: x\r\n\r\n"), "harbor\t0\n<CMD OK>\n")
	check.equal(request(OPEN, "POST / HTTP/1.1\r\nContent-Length: 13\r\n\r\ngetenv harbor"), "harbor\t0\n<CMD OK>\n")
end

function cases.lines_reach_the_debugger_until_it_ends()
	local p = skynet.newservice "peer"
	local fd = connect(OPEN)
	socket.write(fd, string.format("debug %x\n", p))
	local prompt = string.format(":%08x>", p)
	check.equal(socket.read(fd, #prompt), prompt)
	socket.write(fd, "1+1\n")
	assert(string.find(socket.readline(fd), "^2%s*$"))
	socket.write(fd, "cont\n")
	check.equal(string.find(socket.readline(fd), "<CMD OK>", 1, true) ~= nil, true)
	check.equal(ask(fd, "getenv harbor")[1], "harbor\t0")
	check.equal(ask(fd, "debug fff")[2], "<CMD Error>")
	socket.close(fd)
end

-- Public applications add to the console, or change it, from another service: they search the upvalues of skynet's
-- own functions for the tables with these names.
function cases.operators_add_commands_by_injection()
	local ok, output = skynet.call(console, "debug", "RUN", [[
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
		end]])
	check.equal({ ok, output }, { true, "added" })
	local fd = connect(OPEN)
	check.equal(ask(fd, "double ab"), { "ab\tabab", "<CMD OK>" })
	socket.close(fd)
end

-- The C core's Lua layer knows no password.
if skynet.call_timeout then
	function cases.nothing_is_run_before_the_password()
		skynet.setenv("debug_console_password", "se cret")
		skynet.newservice("debug_console", GUARDED)
		local fd = connect(GUARDED)
		check.equal(ask(fd, "getenv harbor")[2], "<CMD Error>")
		check.equal(ask(fd, "auth wrong")[2], "<CMD Error>")
		check.equal(ask(fd, "auth se cret"), { "<CMD OK>" })
		check.equal(ask(fd, "getenv harbor")[1], "harbor\t0")
		socket.close(fd)
		check.equal(request(GUARDED, "GET /getenv/harbor HTTP/1.1\r\n\r\n"), "Authentication required\n<CMD Error>\n")
		check.equal(request(GUARDED, "GET /getenv/harbor HTTP/1.1\r\nAuthorization: Bearer se cret\r\n\r\n"),
			"harbor\t0\n<CMD OK>\n")
	end
end

check.run(cases)
