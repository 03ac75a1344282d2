--- The commands of the debug console. Each gets the words behind its name as arguments, and returns a
--- table or a text to print, or nothing; it fails by an error.

local skynet = require "skynet"
local codecache = require "skynet.codecache"
local core = require "skynet.core"
local debugger = require "skynet.debugger"
local figures = require "skynet.internal.consolefigures"
local help = require "skynet.internal.consolehelp"
local printable = require "skynet.internal.printable"
local snax = require "skynet.snax"

local PATIENCE <const> = 300 -- 1/100 s that services have to answer, if nothing else is said
-- 1/100 s that one service has to answer a command of the debug protocol, which services in C never do; and that any command
-- goes on when nobody has more to say on the connection.
local LIMIT <const> = math.max(1, tonumber(skynet.getenv "debug_console_timeout") or 60) * 100 // 1

local COMMAND = figures.commands -- with those that are there

---@param which string?
---@return any
function COMMAND.help(which)
	return which == "more" and help.MORE or help.HELP
end

---------------------------------------------------------------- addresses

-- "beef", ":0100beef" or ".name". A number without colon is one of this node.
local function to_address(text)
	if not text then
		-- What the C core's layer says to that is a part of it: tools may look for it.
		error("Need an address (attempt to index a nil value)", 0)
	end
	local first = text:sub(1, 1)
	if first == "." then
		return skynet.localname(text) or error("Not a valid name", 0)
	elseif first == ":" then
		return text
	end
	local handle = tonumber(text, 16) or error("Need an address", 0)
	return handle | skynet.harbor(skynet.self()) << 24
end

local function core_command(name, address, ...)
	local words = table.concat({ skynet.address(to_address(address)), ... }, " ")
	core.command(name, words)
end

local is_on = figures.is_on

---------------------------------------------------------------- names of files

local function starts_with(text, begin)
	return string.sub(text, 1, #begin) == begin
end

-- Whether a path begins with the folder of one of the patterns of services and modules; only they may be absolute.
local function is_in_service_paths(path)
	for _, key in ipairs { "luaservice", "lua_path", "snax", "debug_console_paths" } do
		for pattern in string.gmatch(skynet.getenv(key) or "", "[^;]+") do
			local folder = string.match(pattern, "^(/[^?]*/)[^/]*%?")
			if folder and starts_with(path, folder) then
				return true
			end
		end
	end
	return false
end

-- Who may use the console need not reach every file of the machine by it. Raises unless the name stays in the service paths,
-- or is a relative one that does not leave its folder.
local function check_file(name)
	local path = string.match(name or "", "^@?(.*)")
	if
		string.find("/" .. path .. "/", "/../", 1, true)
		or string.find(path, "\0", 1, true)
		or starts_with(path, "/") and not is_in_service_paths(path)
	then
		error(string.format("%s is outside of the service paths", printable(path)), 0)
	end
end

-- Whoever reads a pipe waits for who writes it, so a service that is one would never start, and keep this console waiting. `key`: of
-- the paths.
local function check_source(name, key)
	check_file(name)
	for pattern in string.gmatch(name and skynet.getenv(key) or "", "[^;]+") do
		local path = string.gsub(pattern, "%?", { ["?"] = name })
		if debugger.special(path) then
			error(string.format("%s is no regular file", printable(path)), 0)
		end
	end
end

---------------------------------------------------------------- starting services

-- The core writes what it launches to the log as it is. A terminal that shows the log must not obey it.
local function check_words(...)
	for i = 1, select("#", ...) do
		local word = select(i, ...)
		if word and printable(word, #word) ~= word then
			error("control characters in " .. printable(word), 0)
		end
	end
end

local function started(ok, handle, name)
	if not ok then
		return "Failed"
	elseif not handle then
		return "Exit"
	end
	return { [skynet.address(handle)] = name }
end

---@param name string
---@param ... string
---@return any
function COMMAND.start(name, ...)
	check_source(name, "luaservice")
	check_words(name, ...)
	local ok, handle = pcall(skynet.newservice, name, ...)
	return started(ok, handle, name)
end

---@param name string
---@param ... string
---@return any
function COMMAND.log(name, ...)
	check_source(name, "luaservice")
	check_words(name, ...)
	local ok, handle = pcall(skynet.call, ".launcher", "lua", "LOGLAUNCH", "snlua", name, ...)
	return started(ok and handle, handle, name)
end

---@param name string
---@param ... string
---@return any
function COMMAND.snax(name, ...)
	check_source(name, "snax")
	check_words(name, ...)
	local ok, object = pcall(snax.newservice, name, ...)
	return started(ok, ok and object.handle, name)
end

---------------------------------------------------------------- all services

local function patience(word)
	if word == nil then
		return PATIENCE
	end
	local time = tonumber(word) or error("Need a time", 0)
	return time > 0 and time or nil -- 0: wait for all of them
end

---@return any
function COMMAND.list()
	return skynet.call(".launcher", "lua", "LIST")
end

---@param time string? 1/100 s; 0: as long as it takes
---@return any
function COMMAND.stat(time)
	return skynet.call(".launcher", "lua", "STAT", patience(time))
end

---@param time string? 1/100 s; 0: as long as it takes
---@return any
function COMMAND.mem(time)
	return skynet.call(".launcher", "lua", "MEM", patience(time))
end

---@param time string? 1/100 s; 0: as long as it takes
---@return any
function COMMAND.gc(time)
	return skynet.call(".launcher", "lua", "GC", patience(time))
end

---@return any
function COMMAND.service()
	return skynet.call("SERVICE", "lua", "LIST")
end

local function clusterd()
	local handle = COMMAND.service().clusterd
	if type(handle) ~= "string" then
		error("there is no cluster in this node", 0)
	end
	return handle
end

---@return any
function COMMAND.cluster()
	return skynet.call(clusterd(), "lua", "report")
end

---@param seconds string?
---@return any
function COMMAND.drain(seconds)
	return skynet.call(clusterd(), "lua", "drain", (tonumber(seconds) or 10) * 100)
end

---@return any
function COMMAND.shutdown()
	core.command("SHUTDOWN", "begin")
	return "services to wait for: " .. (core.command "SHUTDOWN" or 0)
end

---@return any
function COMMAND.stuck()
	return core.command "RUNNING"
end

function COMMAND.snapshot(...)
	return require "skynet.internal.snapshot"(...)
end

function COMMAND.clearcache()
	codecache.clear()
end

---------------------------------------------------------------- one service

---@param address string
---@return any
function COMMAND.kill(address)
	return skynet.call(".launcher", "lua", "KILL", to_address(address))
end

---@param address string
function COMMAND.exit(address)
	skynet.send(to_address(address), "debug", "EXIT")
end

local function no_answer()
	return string.format("no answer within %g s", LIMIT / 100)
end

local function debug_results(handle, ok, ...)
	if ok then
		return ...
	elseif type((...)) == "string" and string.find((...), "call timeout", 1, true) then
		error(string.format("%s: service %s is busy, or is not one in Lua", no_answer(), skynet.address(handle)), 0)
	end
	error((...), 0)
end

local function call_debug(handle, ...)
	return debug_results(handle, pcall(skynet.call_timeout, LIMIT, handle, "debug", ...))
end

---@param address string
---@return any
function COMMAND.ping(address)
	local handle, sent = to_address(address), skynet.now()
	call_debug(handle, "PING")
	return tostring(skynet.now() - sent)
end

---@param address string
---@param name string
---@param ... string
---@return any
function COMMAND.dbgcmd(address, name, ...)
	return call_debug(to_address(address), name, ...)
end

---@param address string
---@param ... string
---@return any
function COMMAND.info(address, ...)
	return COMMAND.dbgcmd(address, "INFO", ...)
end

---@param address string
---@return any
function COMMAND.task(address)
	return COMMAND.dbgcmd(address, "TASK")
end

---@param address string
---@param level string?
---@return any
function COMMAND.loglevel(address, level)
	local held, problem = COMMAND.dbgcmd(address, "LOGLEVEL", level)
	return held or error(problem, 0)
end

---@param address string
---@return any
function COMMAND.uniqtask(address)
	return COMMAND.dbgcmd(address, "UNIQTASK")
end

---@param address string
---@param thread string
---@return any
function COMMAND.killtask(address, thread)
	return COMMAND.dbgcmd(address, "KILLTASK", thread)
end

---@param address string
---@param protocol string?
---@param flag string?
function COMMAND.trace(address, protocol, flag)
	if flag == nil and (protocol == "on" or protocol == "off") then
		protocol, flag = is_on(protocol), nil
	elseif flag ~= nil then
		flag = is_on(flag)
	end
	COMMAND.dbgcmd(address, "TRACELOG", protocol, flag)
end

---@param address string
---@param path string
---@param ... string
---@return any
function COMMAND.inject(address, path, ...)
	local handle = to_address(address)
	if not path then
		error("inject: the name of a file is needed", 0)
	end
	check_file(path)
	local source = debugger.read(path)
	if not source then
		return "Can't open " .. path
	end
	local ok, output = skynet.call(handle, "debug", "RUN", source, path, ...) -- it may run as long as it likes
	if not ok then
		error(output, 0)
	end
	return output
end

---@param address string
function COMMAND.logon(address)
	core_command("LOGON", address)
end

---@param address string
function COMMAND.logoff(address)
	core_command("LOGOFF", address)
end

---@param address string
---@param number string?
function COMMAND.signal(address, number)
	local signal = number
		and (math.tointeger(tonumber(number)) or error("signal: a number is needed, not " .. number, 0))
	core_command("SIGNAL", address, signal and string.format("%d", signal))
end

--- See skynet.internal.profilefile.
---@param ... string
---@return string
function COMMAND.profile(...)
	return require "skynet.internal.profilefile"(to_address, ...)
end

---------------------------------------------------------------- configuration

---@param name string
---@return any
function COMMAND.getenv(name)
	if not name then
		error("getenv: the name of a config key is needed", 0)
	end
	return { [name] = tostring(skynet.getenv(name)) }
end

---@param name string
---@param value string
function COMMAND.setenv(name, value)
	skynet.setenv(name, value)
end

---------------------------------------------------------------- commands that need more than words

local COMMANDX = {}

--- The values are Lua expressions, in an environment without any names.
---@param connection table as for the function that this file returns
---@param line string the whole line
---@param address string
---@return any
function COMMANDX.call(connection, line, address)
	local handle = to_address(address)
	local values = string.match(line, "%S+%s+%S+%s(.+)") or error("need arguments", 0)
	local chunk = load("return " .. values, "debug console", "t", {}) or error("Invalid arguments", 0)
	local arguments = table.pack(pcall(chunk))
	if not arguments[1] then
		error(arguments[2], 0)
	end
	return table.pack(skynet.call(handle, "lua", table.unpack(arguments, 2, arguments.n)))
end

--- Lines go to the debugger until it ends.
---@param connection table as for the function that this file returns
---@param address string
function COMMANDX.debug(connection, _, address)
	local handle = to_address(address)
	call_debug(handle, "PING") -- there is such a service, and it can be debugged
	local agent = skynet.newservice "debug_agent"
	local ended
	skynet.fork(function()
		ended = table.pack(pcall(skynet.call, agent, "lua", "start", handle, connection.fd))
		connection:wake()
	end)
	skynet.yield() -- `start` comes before the lines that are there already
	local open = true
	while not ended do
		local line = open and connection:poll_line()
		if line then
			skynet.send(agent, "lua", "cmd", (string.gsub(line, "\r$", "")))
		elseif open and connection.closed then
			open = false
			skynet.send(agent, "lua", "cmd", "cont")
			skynet.timeout(LIMIT, function()
				ended = ended or { false, no_answer(), n = 2 }
				connection:wake()
			end)
		else
			connection:wait()
		end
	end
	local ok, attached, problem = table.unpack(ended, 1, ended.n)
	if not ok then
		error(attached, 0)
	elseif not attached then
		error(problem, 0)
	end
end

-- Programs that read the console look at the end of the first line; who types has just asked what the second one says.
local function shorten(ok, result)
	if not ok and type(result) == "string" then
		result = string.gsub(result, "(call failed)\n\t%([^\n]*%)", "%1")
	end
	return ok, result
end

-- Runs a command in a task of its own. Who has said that nothing more comes may have gone, which cannot be told from one that
-- waits for the answer: then the command has that long. Yields.
local function run_limited(connection, command, ...)
	local result
	local task = skynet.fork(function(...)
		result = table.pack(pcall(command, ...))
		connection:wake()
	end, ...)
	local waits_for_end = false
	while not result do
		if (connection.closed or connection.is_request) and not waits_for_end then
			waits_for_end = true
			skynet.timeout(LIMIT, function()
				if not result then
					skynet.killthread(task)
					result = { false, no_answer(), n = 2 }
					connection:wake()
				end
			end)
		end
		connection:wait()
	end
	return table.unpack(result, 1, result.n)
end

--- Runs one line. Yields.
---@param connection table { fd, closed, is_request (of HTTP, the only one), poll_line(), wait(), wake() }
---@param line string
---@return boolean? ok nil: there is no such command
---@return any result what to print, or the error
return function(connection, line)
	local words = {}
	for word in string.gmatch(line, "%S+") do
		words[#words + 1] = word
	end
	local name = words[1]
	if COMMAND[name] then
		return shorten(run_limited(connection, COMMAND[name], table.unpack(words, 2)))
	elseif name == "debug" then
		return shorten(pcall(COMMANDX.debug, connection, line, words[2]))
	elseif COMMANDX[name] then
		return shorten(run_limited(connection, COMMANDX[name], connection, line, words[2]))
	end
end
