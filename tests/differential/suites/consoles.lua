-- The debug console by its port, and the debugger behind it.
local skynet = require "skynet"
local socket = require "skynet.socket"
local sweep = require "sweep"
require "skynet.manager"

local COMMANDS <const> = {
	"call",
	"clearcache",
	"cmem",
	"dbgcmd",
	"debug",
	"dumpheap",
	"exit",
	"gc",
	"getenv",
	"help",
	"info",
	"inject",
	"jmem",
	"kill",
	"killtask",
	"list",
	"log",
	"logoff",
	"logon",
	"mem",
	"netstat",
	"ping",
	"profactive",
	"service",
	"setenv",
	"signal",
	"snax",
	"start",
	"stat",
	"task",
	"trace",
	"uniqtask",
}

local client

local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 500, func, ...)
end

-- What the console answers, up to its verdict, without numbers that no two runs have in common.
local function ask(command)
	socket.write(client, command .. "\n")
	local lines = {}
	repeat
		local line = assert(socket.readline(client, "\n"), "the console has closed")
		lines[#lines + 1] = line
	until string.find(line, "^<CMD ")
	return lines
end

local function plain(command)
	local lines = ask(command)
	for i, line in ipairs(lines) do
		lines[i] = string.gsub(line, "thread: 0x%x+ session: %d+", "THREAD")
	end
	return lines
end

-- The lines with these words.
local function about(command, word)
	local found = {}
	for _, line in ipairs(ask(command)) do
		if string.find(line, word, 1, true) or string.find(line, "^<CMD") then
			found[#found + 1] = string.gsub(line, "%d[%d.e-]*", "N")
		end
	end
	return found
end

local function verdict(command)
	local lines = ask(command)
	return lines[#lines]
end

local function plain_commands()
	for _, command in ipairs {
		"no_such",
		"getenv thread",
		"getenv no_such",
		"getenv",
		"setenv differential_console one two",
		"getenv differential_console",
		"setenv differential_console again",
		"setenv",
		"clearcache",
		"start no_such_service",
		"start",
		"snax no_such",
		"snax",
		"log no_such_service",
		"kill ffff",
		"kill .no_such",
		"kill",
		"exit",
		"exit ffff",
		"ping ffff",
		"ping .no_such",
		"ping",
		"ping zz",
		"ping :zz",
		"task ffff",
		"task",
		"killtask",
		"uniqtask",
		"info",
		"info ffff",
		"inject",
		"inject ffff",
		"logon",
		"logon ffff",
		"logoff",
		"logoff ffff",
		"signal",
		"signal ffff",
		"signal zz",
		"call",
		"call ffff",
		"trace",
		"trace ffff on",
		"dbgcmd",
		"dbgcmd ffff PING",
		"debug",
		"debug zz",
		"stat x",
		"mem x",
		"gc x",
		"profactive no_such",
		" ",
	} do
		case("console", command, plain, command)
	end
end

local function commands_with_arguments(handle)
	for _, command in ipairs {
		"info @",
		"info @ a b",
		"task @",
		"uniqtask @",
		"call @ 'echo',1,nil,'x'",
		"call @ 'echo'",
		"call @ 'echo',{}",
		"call @ 'fail','problem'",
		"call @ )(",
		"call @ no_such()",
		"call @",
		"dbgcmd @ PING",
		"dbgcmd @ NO_SUCH",
		"dbgcmd @",
		"dbgcmd @ INFO a",
		"killtask @ no_such",
		"killtask @",
		"logon @",
		"logoff @",
		"trace @ on",
		"trace @ off",
		"trace @ lua on",
		"trace @ lua off",
		"trace @ no_such on",
		"trace @",
		"inject @",
		"inject @ no_such.lua",
		"inject @ inject.lua a b",
		"inject @ fails.lua",
		"inject @ broken.lua",
		"signal @ x",
	} do
		case("console", command, plain, (string.gsub(command, "@", handle)))
	end
end

local function commands(echo)
	local handle = string.format("%x", echo)
	case("console help", "names all", function()
		local known = {}
		for _, line in ipairs(ask "help") do
			known[string.match(line, "^%S+")] = true
		end
		local missing = {}
		for _, name in ipairs(COMMANDS) do
			missing[#missing + 1] = not known[name] and name or nil
		end
		return missing
	end)
	plain_commands()
	commands_with_arguments(handle)
	-- How long it took is the machine's.
	for _, address in ipairs { handle, ".console_echo" } do
		case("console", "ping " .. (address == handle and "@" or address), function()
			return string.gsub(plain("ping " .. address)[1], "^%d+$", "N")
		end)
	end
	for _, command in ipairs { "list", "mem", "stat", "gc", "cmem" } do
		case("console", command, about, command, skynet.address(echo) .. "\t")
	end
	case("console", "netstat", about, "netstat", "no such line")
	case("console", "service", about, "service", "differential_echo")
	for _, command in ipairs { "jmem", "dumpheap", "profactive" } do
		case("console", command, verdict, command)
	end
	case("console", "start of a service", function()
		return (string.gsub(plain "start differential_echo"[1], ":%x+", ":H"))
	end)
	case("console", "snax of a service", function()
		return (string.gsub(plain "snax differential_snax a"[1], ":%x+", ":H"))
	end)
	case("console", "log of a service", function()
		return (string.gsub(plain "log differential_echo"[1], ":%x+", ":H"))
	end)
	case("console", "kill of a service", function()
		return plain(string.format("kill %x", skynet.newservice "differential_echo"))
	end)
	case("console", "exit of a service", function()
		local other = skynet.newservice "differential_echo"
		local lines = plain(string.format("exit %x", other))
		skynet.sleep(2)
		return lines, (pcall(skynet.call, other, "debug", "PING"))
	end)
end

-- What the debugger says until it has said the words.
local function said(words)
	local text = ""
	while not string.find(text, words, 1, true) do
		local more = socket.read(client)
		if not more then
			return text, "closed"
		end
		text = text .. more
	end
	return (string.gsub(text, "%(debug%):%d+", "(debug):N"))
end

local function debugger(echo)
	local prompt = string.format(":%08x>", echo)
	local function tell(line, words)
		socket.write(client, line .. "\n")
		return said(words or prompt)
	end
	case("console debug", "begins", tell, string.format("debug %x", echo))
	case("console debug", "print", tell, "print(1 + 1, 'x')")
	case("console debug", "expression", tell, "1 + 2")
	case("console debug", "fails", tell, "error 'problem'")
	case("console debug", "no Lua", tell, "x = = 1")
	case("console debug", "upvalue", tell, "print(type(_P))")
	case("console debug", "watch unknown", tell, "watch 'no_such'")
	case("console debug", "empty line", tell, "")
	case("console debug", "watch", function()
		local before = tell "watch 'lua'"
		local answer
		skynet.fork(function()
			answer = sweep.observe(skynet.call, echo, "lua", "echo", 1)
		end)
		skynet.sleep(5)
		local during = answer
		local text = tell("c", prompt)
		for _ = 1, 50 do
			if answer then
				break
			end
			skynet.sleep(1)
		end
		return #before > 0, during, #text > 0, answer
	end)
	case("console debug", "ends", tell, "cont", "<CMD OK>\n")
	case("console debug", "works afterwards", skynet.call, echo, "lua", "echo", 1)
	case("console debug", "console goes on", plain, "getenv thread")
end

-- A signal reaches what a service does next: nobody asks this one any more.
local function signals()
	local handle = string.format("%x", skynet.newservice "differential_echo")
	case("console", "signal @ 1", plain, "signal " .. handle .. " 1")
	case("console", "signal @", plain, "signal " .. handle)
end

local function by_http(port)
	local function request(text)
		local id = socket.open("127.0.0.1", port)
		socket.readline(id)
		socket.write(id, text)
		local answer = socket.readall(id)
		socket.close(id)
		return answer
	end
	case("console by HTTP", "GET", request, "GET /getenv/thread HTTP/1.1\r\nHost: x\r\n\r\n")
	case("console by HTTP", "POST", request, "POST / HTTP/1.1\r\nContent-Length: 13\r\n\r\ngetenv thread")
	case("console by HTTP", "unknown", request, "GET /no_such HTTP/1.1\r\nHost: x\r\n\r\n")
end

local function write_file(name, text)
	local file = assert(io.open(name, "w"))
	file:write(text)
	file:close()
end

sweep.run(function()
	local port = math.tointeger(string.match(skynet.getenv "ports", "%d+"))
	local echo = skynet.newservice "differential_echo"
	skynet.name(".console_echo", echo)
	write_file("inject.lua", "print('injected', ...) print(type(_P), type(_U))")
	write_file("fails.lua", "error 'of the injected'")
	write_file("broken.lua", "x = = 1")
	local console = skynet.newservice("debug_console", port)
	client = socket.open("127.0.0.1", port)
	case("console", "greeting", socket.readline, client, "\n")
	commands(echo)
	debugger(skynet.newservice "differential_echo")
	signals()
	by_http(port)
	case("console", "the client leaves", function()
		socket.close(client)
		return skynet.call(console, "debug", "PING")
	end)
	case("console", "taken port", function()
		return pcall(skynet.newservice, "debug_console", port)
	end)
end)
