--- The remote debugger's side in the service: `debug` of the debug console attaches it.
---
--- While attached, lines typed at the console run before each message of the service (and at least
--- every 1/10 s). Inside of a stopped task: `s` steps into, `n` steps over, `c` continues, any other
--- line runs as Lua at that place. `watch(protocol, condition)` stops at the next request for which
--- condition(session, source, ...) holds; `cont` detaches.

local skynet = require "skynet"
local kernel = require "skynet.internal.kernel"
local debugchannel = require "skynet.debugchannel"
local socketdriver = require "skynet.socketdriver"
local run_inside = require "skynet.injectcode"

local set_hook = debugchannel.sethook
local IDLE_PERIOD <const> = 10 -- 1/100 s

---@class skynet.remotedebug
local M = {}

local runtime -- how to run tasks: given by `start`
local session -- of the debugger: { fd, channel, answer, prompt, show_prompt }; nil: detached
local stepping = {} -- task -> { over = bool, depth, moved = bool, file }

local function set_prompt(text)
	session.prompt = text
	session.show_prompt = true
end

local function idle_prompt()
	set_prompt(string.format(":%08x>", skynet.self()))
end

local function print_to_console(...)
	local fields = table.pack(...)
	for i = 1, fields.n do
		fields[i] = tostring(fields[i])
	end
	fields[#fields + 1] = "\n"
	socketdriver.send(session.fd, table.concat(fields, "\t"))
end

---------------------------------------------------------------- stepping

local api_file = debug.getinfo(skynet.start, "S").short_src
local this_file = debug.getinfo(print_to_console, "S").short_src

local on_step

-- Runs on until the function that is being called has returned.
local function on_skip(event)
	local state = stepping[coroutine.running()]
	state.depth = state.depth + (event == "return" and -1 or 1)
	if state.depth == 0 then
		state.moved = true
		set_hook(on_step, "crl")
	end
end

local function is_framework(file)
	return file == api_file or string.find(file, "skynet/internal/", 1, true) ~= nil
end

-- Hook of a task that is stepped: true stops it at this line.
function on_step(event, line)
	local task = coroutine.running()
	local state = stepping[task]
	if event == "line" then
		if state.moved then
			state.moved = false
			state.file = debug.getinfo(2, "S").short_src
			if state.file == this_file or is_framework(state.file) then -- left the handler
				stepping[task] = nil
				set_hook()
				idle_prompt()
				return
			end
		end
		set_prompt(string.format("%s(%d)>", state.file, line))
		state.stopped = true
		return true
	end
	state.moved = true
	if event ~= "return" and (state.over or is_framework(debug.getinfo(2, "S").short_src)) then
		state.depth = 1
		set_hook(on_skip, "cr")
	end
end

-- Steps the running task from the next function that its handler wrapper calls.
local function stop_in_next_call()
	local state = { moved = true }
	stepping[coroutine.running()] = state
	local depth = 1
	set_hook(function(event)
		if event == "return" then -- first of set_hook, then of this function
			depth = depth - 1
			return
		end
		depth = depth + 1
		if depth == 0 then
			set_hook(on_step, "crl")
		end
	end, "cr")
end

local function watch(typename, condition)
	local class = skynet._proto[typename]
	if not class then
		return "No " .. typename
	end
	local handler = class.watched_handler or class.dispatch
	if not handler then
		return "No dispatch"
	end
	class.watched_handler = handler
	class.dispatch = function(...)
		if not condition or condition(...) then
			class.dispatch, class.watched_handler = handler, nil
			stop_in_next_call()
		end
		handler(...)
	end
end

-- Returns the tasks that are stopped, or were stepped.
local function end_watching()
	local tasks = stepping
	for task in pairs(tasks) do
		set_hook(task)
	end
	stepping = {}
	for _, class in pairs(skynet._proto) do
		if class.watched_handler then
			class.dispatch, class.watched_handler = class.watched_handler, nil
		end
	end
	return tasks
end

---------------------------------------------------------------- commands

local function resume(task)
	runtime.suspend(task, runtime.resume(task))
end

local step_command = {}

local function step(task, over)
	local state = stepping[task]
	state.over, state.stopped = over, false
	resume(task)
end

function step_command.s(task)
	step(task, false)
end

function step_command.n(task)
	step(task, true)
end

function step_command.c(task)
	set_hook(task)
	stepping[task] = nil
	idle_prompt()
	resume(task)
end

-- Runs a line where no task is stopped.
local function run_outside(source)
	local names = setmetatable({ print = print_to_console, watch = watch }, { __index = _ENV })
	local chunk, problem = load(source, "=(debug)", "t", names)
	if not chunk then
		return false, problem
	end
	return pcall(chunk)
end

-- Runs a line as an expression, or else as statements, and prints what it gives.
local function run_line(line, run, ...)
	local results = table.pack(run("return " .. line, ...))
	if not results[1] then
		results = table.pack(run(line, ...))
		if results[1] and results.n == 1 then
			return
		end
	end
	print_to_console(table.unpack(results, 2, results.n))
end

-- For who types a command of a stopped task, or `help`, while no task is stopped.
local HINT <const> = [[
no task is stopped: watch("lua") stops the next request of that type, watch("lua", condition) one for which condition(session, source, ...) holds.
There: s steps into, n steps over, c continues, anything else runs as Lua with the locals. cont ends the session.]]

local function run_command(line)
	local task = next(stepping)
	if not task then
		if (step_command[line] or line == "help") and _ENV[line] == nil then
			print_to_console(HINT)
		else
			run_line(line, run_outside)
		end
	elseif step_command[line] then
		step_command[line](task)
	else
		run_line(line, run_inside, task, 0, { print = print_to_console, _CO = task })
	end
end

local function detach()
	local tasks = end_watching()
	kernel.inspect(nil)
	local answer = session.answer
	session = nil
	skynet.error "Leave debug mode"
	answer(true)
	for task, state in pairs(tasks) do
		if state.stopped then
			resume(task) -- else who called waits for ever
		end
	end
end

-- Runs what has been typed since the last message.
local function read_console()
	while session do
		if session.show_prompt then
			socketdriver.send(session.fd, session.prompt)
			session.show_prompt = false
		end
		local line = session.channel:read()
		if not line then
			return
		elseif line == "cont" then
			return detach()
		elseif line ~= "" then
			run_command(line)
		end
		session.show_prompt = true
	end
end

local function keep_alive()
	if session then
		skynet.timeout(IDLE_PERIOD, keep_alive)
	end
end

--- Attaches the debugger; answers the running request when it detaches. Raises when there is one.
---@param import { resume: function, suspend: function }
---@param fd integer socket of the console
---@param handle lightuserdata debug channel of the console
function M.start(import, fd, handle)
	assert(session == nil, "Already in debug mode")
	runtime = import
	skynet.error "Enter debug mode"
	session = { fd = fd, channel = debugchannel.connect(handle), answer = skynet.response() }
	idle_prompt()
	kernel.inspect(read_console)
	keep_alive()
end

return M
