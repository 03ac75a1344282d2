-- Steps through a service by the debug console.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local PORT <const> = check.port(1)

local console

local function connect()
	console = console or skynet.newservice("debug_console", PORT)
	local fd = assert(socket.open("127.0.0.1", PORT))
	check.equal(socket.readline(fd), "Welcome to skynet console")
	return fd
end

-- What comes from a debugger up to these words.
local function read_to(fd, words)
	local text = ""
	repeat
		text = text .. assert(socket.read(fd), text)
	until string.find(text, words, 1, true)
	return text
end

function cases.lines_reach_the_debugger_until_it_ends()
	local p = skynet.newservice "peer"
	local fd = connect()
	socket.write(fd, string.format("debug %x\n", p))
	local prompt = string.format(":%08x>", p)
	check.equal(socket.read(fd, #prompt), prompt)
	socket.write(fd, "1+1\n")
	assert(string.find(socket.readline(fd), "^2%s*$"))
	for _, line in ipairs { "s", "n", "c", "help" } do -- no task is stopped that could go on
		socket.write(fd, line .. "\n")
		assert(string.find(socket.readline(fd), 'no task is stopped: watch("lua")', 1, true), line)
		socket.readline(fd)
	end
	socket.write(fd, "_G.s = 5\ns\n") -- a global of that name is shown
	assert(string.find(socket.readline(fd), "5%s*$"))
	socket.write(fd, "cont\n")
	check.equal(string.find(socket.readline(fd), "<CMD OK>", 1, true) ~= nil, true)
	socket.write(fd, "getenv harbor\n")
	check.equal(socket.readline(fd), "harbor\t0")
	socket.close(fd)
end

function cases.a_stopped_task_goes_on_when_the_session_ends()
	local p = skynet.newservice "peer"
	local fd = connect()
	local prompt = string.format(":%08x>", p)
	socket.write(fd, string.format("debug %x\nwatch 'lua'\n", p))
	read_to(fd, prompt .. "\n")
	local answer
	skynet.fork(function()
		answer = skynet.call(p, "lua", "echo", 7)
		skynet.wakeup(fd)
	end)
	read_to(fd, "peer.lua(")
	check.equal(answer, nil)
	socket.write(fd, "cont\n")
	read_to(fd, "<CMD OK>")
	if not answer then
		skynet.wait(fd)
	end
	check.equal(answer, 7)
	socket.close(fd)
end

function cases.lines_sent_with_debug_reach_the_debugger_or_are_commands()
	local fd = connect()
	socket.write(fd, "debug :fff\ngetenv harbor\n")
	local lines = {}
	for i = 1, 4 do
		lines[i] = socket.readline(fd)
	end
	assert(string.find(lines[1], "invalid address"), lines[1])
	check.equal({ lines[2], lines[3], lines[4] }, { "<CMD Error>", "harbor\t0", "<CMD OK>" })
	socket.write(fd, string.format("debug %x\n1+1\ncont\n", skynet.newservice "peer"))
	repeat
		local line = socket.readline(fd)
		lines[#lines + 1] = line
	until string.find(line, "<CMD", 1, true)
	assert(string.find(table.concat(lines, "\n"), "2%s*\n"), table.concat(lines, "\n"))
	socket.close(fd)
end

check.run(cases)
