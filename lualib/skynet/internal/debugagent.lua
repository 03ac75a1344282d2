--- The debugger's agent: looks around in the VM of a stopped service for the debug adapter (service/debug_adapter.lua). Loaded by the
--- executable when a service stops for the first time, with the functions that it has for this (`native`); runs on a coroutine of its
--- own, so the stack of the stopped one is as it was. It and its modules have libraries of their own, whatever the service has done to
--- `pcall` or `string`; only `_G` and `package.loaded` are the service's. Methods of strings are not: none is called here.
---
--- Requests come through `native.wait`, one at a time, as JSON { seq, slot, command, arguments }; answers and events go to
--- the adapter by `native.tell`.

local native = ...

local json = native.load "skynet.internal.json"
local values = native.load "skynet.internal.debugvalues"
local stacks = native.load "skynet.internal.debugstacks"
local constants = native.load "skynet.internal.debugconstants"
local run_inside = native.load "skynet.injectcode"

local format, collectgarbage = string.format, collectgarbage

local TIME <const> = 10 -- seconds that a text of the user's may run
local HIT_TIME <const> = 0.1 -- seconds of processor time that the texts of a breakpoint may run when it is reached
local SLOT <const> = 1 << 24 -- numbers of frames and variables that a service has
local REPL_LIMIT <const> = 65536 -- bytes of a string that is asked for
local COPY_LIMIT <const> = 1024 * 1024 -- ... that is to be copied
local MOST_STACK <const> = 1024 * 1024 -- bytes of the frames in an answer
local MOST_LOGGED <const> = 65536 -- bytes of the values in a log message
local MOST_GARBAGE <const> = 64 * 1024 * 1024 -- bytes that the agent may leave before it is collected

local PLACE <const> = '^[%a_][%w_.%[%]"]*$' -- an expression that does nothing but read

local stop -- what is stopped: { thread, reason, frames, threads, store, ... }

---------------------------------------------------------------- running what the user has typed

-- Where the frame's nearest function in Lua is: what is typed at a function in C is meant for its caller.
local function place_of(frame)
	if frame.label then
		return
	end
	for level = frame.level, frame.level + 10 do
		local info = debug.getinfo(frame.thread, level, "S")
		if not info then
			break
		elseif info.what ~= "C" then
			return frame.thread, level
		end
	end
end

-- An error without the place in what was typed.
local function without_place(text)
	return values.printable((string.gsub(text, "^%(debug%):%d+: ", "")))
end

-- What an error says.
local function failure_of(value)
	if type(value) ~= "string" then
		return values.show(value)
	elseif string.find(value, "attempt to yield", 1, true) then
		return "nothing can wait while the service is stopped"
	elseif value == "not enough memory" then
		return value .. " (256 MiB, if the service may have as much)"
	end
	return without_place(value)
end

-- The constants that a text may mean in a function.
local function constants_of(text, thread, level)
	local info = debug.getinfo(thread, level, "Slf")
	local path = stacks.describe(info)
	return constants.visible(info.source, path, info.currentline, text)
end

-- Why a text cannot run in a function: it gives a constant, or a variable that is to be closed, another value.
local function change_of_constant(source, thread, level, known)
	local names = stacks.closing(thread, level)
	for name in pairs(known or {}) do
		names[#names + 1] = name
	end
	if #names == 0 then
		return
	end
	local list = table.concat(names, " <const>, ")
	local _, problem = load(format("local %s <const>\nreturn function(...)\n%s\nend", list, source), "=(debug)")
	return problem and string.find(problem, "const variable", 1, true) and without_place(problem)
end

-- Runs a text as an expression, or else as statements, for `time` or TIME. As `pcall`, with the values in a table; and whether it took too
-- long.
local function evaluate(text, frame, only_expression, time)
	local expression = "return " .. text .. "\n"
	local source = text
	if only_expression or load(expression, "=(debug)") then
		source = expression
	end
	local compiled, problem = load(source, "=(debug)")
	if not compiled then
		return false, without_place(problem)
	end
	local thread, level
	if frame then
		thread, level = place_of(frame)
	end
	local results
	if thread then
		local known = constants_of(text, thread, level)
		local change = change_of_constant(source, thread, level, known)
		if change then
			return false, change
		end
		results = table.pack(native.run(time or TIME, run_inside, source, thread, level, known))
		if results[1] then
			results = table.pack(table.unpack(results, 2, results.n))
		end
	else
		results = table.pack(native.run(time or TIME, compiled))
	end
	if not results[1] then
		return false, failure_of(results[2]), results[3] == true
	end
	return true, table.pack(table.unpack(results, 2, results.n))
end

---------------------------------------------------------------- breakpoints

local OPERATORS <const> = {
	["=="] = function(hits, n)
		return hits == n
	end,
	[">"] = function(hits, n)
		return hits > n
	end,
	[">="] = function(hits, n)
		return hits >= n
	end,
	["<"] = function(hits, n)
		return hits < n
	end,
	["<="] = function(hits, n)
		return hits <= n
	end,
	["%"] = function(hits, n)
		return hits % n == 0
	end,
}
OPERATORS["="], OPERATORS[""] = OPERATORS["=="], OPERATORS["=="]

local function output(category, text, frame)
	local event = { category = category, output = values.printable(text) .. "\n" }
	if frame and frame.path then
		event.source, event.line = frame.path, frame.line
	end
	native.tell("output", json.encode(event))
end

-- Runs a text of a breakpoint that was reached, as `evaluate`. The service runs it itself, on its worker.
local function evaluate_at_hit(hit, text)
	local left = hit.ends - native.clock()
	if left <= 0 then
		hit.is_too_long = true
		return false, "..."
	end
	local ok, results, is_too_long = evaluate(text, hit.frame, true, left)
	-- Also a text that takes long to compile, and runs fast.
	hit.is_too_long = hit.is_too_long or is_too_long or native.clock() >= hit.ends
	return ok, results
end

-- The editor is told once. False: nothing stops.
local function disarm(hit, breakpoint, id, what)
	if native.disarm(breakpoint) then
		local problem = format("%s takes more than %g s: the breakpoint is off until it is set anew", what, HIT_TIME)
		output("stderr", format("%s:%d: %s", hit.short_src, hit.frame.line, problem), hit.frame)
		native.tell("disarmed", format("%d %s", id, problem))
	end
	return false
end

-- "{expression}" in a log message stands for its value.
local function interpolate(message, hit)
	local left = MOST_LOGGED
	local function value_of(part)
		local ok, results = evaluate_at_hit(hit, string.sub(part, 2, -2))
		if not ok then
			return "{" .. results .. "}"
		end
		local value = results[1]
		return type(value) == "string" and values.printable(value) or values.show(value)
	end
	return (
		string.gsub(message, "%b{}", function(part)
			local text = left > 0 and not hit.is_too_long and value_of(part) or "..."
			left = left - #text
			return text
		end)
	)
end

-- Whether a breakpoint stops: its condition and the number of its hits. A condition that fails stops, with a line that says why; one that
-- takes too long is not asked again.
local function is_hit(thread, id, condition, hit_condition, log, breakpoint)
	values.begin()
	local frame = { thread = thread, level = 0 }
	local info = debug.getinfo(thread, 0, "Slf")
	frame.path, frame.line = stacks.describe(info), info.currentline
	if condition or log then
		constants.of(info.source, frame.path) -- not in the time of the texts
	end
	local hit = { frame = frame, short_src = info.short_src, ends = native.clock() + HIT_TIME }
	if condition then
		local ok, results = evaluate_at_hit(hit, condition)
		if hit.is_too_long then
			return disarm(hit, breakpoint, id, "the condition")
		elseif not ok then
			output(
				"stderr",
				format("%s:%d: the condition of the breakpoint: %s", info.short_src, frame.line, results),
				frame
			)
			return true
		elseif not results[1] then
			return false
		end
	end
	local count = native.count(breakpoint)
	if hit_condition then
		local operator, number = string.match(hit_condition, "^%s*([<>=%%]*)%s*(%d+)%s*$")
		local holds = OPERATORS[operator]
		if not holds or operator == "%" and tonumber(number) == 0 then
			output("stderr", format("%q is no condition of hits, such as 5, >= 5 or %% 5", hit_condition), frame)
			return true
		elseif not holds(count, tonumber(number)) then
			return false
		end
	end
	if log then
		output("console", interpolate(log, hit), frame)
		return hit.is_too_long and disarm(hit, breakpoint, id, "the log message")
	end
	return true
end

---------------------------------------------------------------- requests

local commands = {}

local function frame_of(number)
	local frame = number and stop.frames[number - stop.base]
	if number and not frame then
		error("there is no such frame any more", 0)
	end
	return frame
end

local function protocol_frame(frame)
	if not frame.id then
		stop.frame_count = stop.frame_count + 1
		stop.frames[stop.frame_count] = frame
		frame.id = stop.base + stop.frame_count
	end
	local shown =
		{ id = frame.id, name = frame.name, line = math.max(frame.line, 0), column = frame.line > 0 and 1 or 0 }
	if frame.path then
		-- The adapter makes a source of it.
		shown.source = { path = frame.path }
	elseif frame.text then
		shown.source = { name = values.printable(frame.text) }
	end
	if frame.label then
		shown.presentationHint = "label"
	elseif frame.layer or not shown.source then
		shown.presentationHint = "subtle"
	end
	return shown
end

function commands.stackTrace(arguments)
	local entry = stop.threads[arguments.task or 0]
	if not entry then
		error("there is no such task any more", 0)
	end
	entry.stack = entry.stack or stacks.of(entry.thread, entry == stop.threads[0] and stop.reason == "pause")
	local first = arguments.startFrame or 0
	local last = arguments.levels and arguments.levels > 0 and first + arguments.levels or #entry.stack
	local list, size = json.list {}, 0
	for i = first + 1, math.min(last, #entry.stack) do
		local frame = entry.stack[i]
		list[#list + 1] = protocol_frame(frame)
		size = size + #frame.name + #(frame.path or "")
		if size > MOST_STACK then
			break -- the editor asks for the rest
		end
	end
	return { stackFrames = list, totalFrames = #entry.stack }
end

function commands.scopes(arguments)
	local frame = frame_of(arguments.frameId)
	if frame.label then
		local variable = stop.store:variable("Globals", _G, nil, "_G")
		return {
			scopes = json.list {
				{ name = "Globals", expensive = true, variablesReference = variable.variablesReference },
			},
		}
	end
	local function scope(name, list, more)
		local made = more or {}
		made.name, made.expensive = name, made.expensive or false
		made.variablesReference = stop.store:add { frame = frame, list = list }
		return made
	end
	local scopes = json.list {}
	if debug.getinfo(frame.thread, frame.level, "S").what ~= "C" then
		scopes[1] = scope("Locals", function()
			return stacks.locals(frame)
		end, { presentationHint = "locals" })
		scopes[2] = scope("Upvalues", function()
			return stacks.upvalues(frame)
		end)
	end
	local globals = stacks.globals(frame)
	local variable = stop.store:variable("Globals", globals, frame, "_ENV")
	scopes[#scopes + 1] = { name = "Globals", expensive = true, variablesReference = variable.variablesReference }
	return { scopes = scopes }
end

function commands.variables(arguments)
	-- There is none any more when an editor asks for one of an earlier stop.
	local list = stop.store:children(arguments.variablesReference, arguments.filter, arguments.start, arguments.count)
	return { variables = json.list(list or {}) }
end

function commands.evaluate(arguments)
	local frame = frame_of(arguments.frameId) or stop.frames[1]
	local hover = arguments.context == "hover" or arguments.context == "watch"
	local copy = arguments.context == "clipboard"
	local ok, results = evaluate(arguments.expression, frame, hover or copy)
	if not ok then
		error(results, 0)
	end
	local limit = copy and COPY_LIMIT or not hover and REPL_LIMIT or nil
	if results.n == 0 then
		return { result = "", variablesReference = 0 }
	elseif results.n == 1 then
		local place = string.match(arguments.expression, PLACE)
		local variable = stop.store:variable("", results[1], frame, place, limit)
		variable.result, variable.value, variable.name, variable.evaluateName = variable.value, nil, nil, nil
		return variable
	end
	local parts, size = {}, 0
	for i = 1, results.n do
		parts[i] = size < REPL_LIMIT and values.show(results[i], limit) or "..."
		if size >= REPL_LIMIT then
			break
		end
		size = size + #parts[i]
	end
	results.n = nil
	local variable = stop.store:variable("", results, frame)
	return { result = table.concat(parts, ", "), variablesReference = variable.variablesReference }
end

function commands.setVariable(arguments)
	local entry, item = stop.store:entry(arguments.variablesReference, arguments.name)
	if not entry then
		error("there is no such variable any more", 0)
	elseif not entry.set then
		error("it cannot be changed", 0)
	end
	local ok, results = evaluate(arguments.value, item.frame, true)
	if not ok then
		error(results, 0)
	end
	entry.set(results[1])
	local shown = stop.store:variable("", results[1], item.frame)
	return { value = shown.value, type = shown.type, variablesReference = shown.variablesReference }
end

function commands.setExpression(arguments)
	local frame = frame_of(arguments.frameId) or stop.frames[1]
	local ok, results = evaluate(format("%s = %s", arguments.expression, arguments.value), frame)
	if ok then
		ok, results = evaluate(arguments.expression, frame, true)
	end
	if not ok then
		error(results, 0)
	end
	local shown = stop.store:variable("", results[1], frame)
	return { value = shown.value, type = shown.type, variablesReference = shown.variablesReference }
end

function commands.exceptionInfo()
	if stop.reason ~= "exception" then
		error("no error has stopped the service", 0)
	end
	return {
		exceptionId = stop.caught and "caught error" or "uncaught error",
		description = stop.text,
		breakMode = stop.caught and "always" or "unhandled",
		details = { message = stop.text, stackTrace = values.printable(debug.traceback(stop.thread)) },
	}
end

---------------------------------------------------------------- the stop

local MODES <const> = { continue = "continue", next = "over", stepIn = "in", stepOut = "out" }

local function answer(request, ok, result)
	if ok then
		native.tell("answer", format("%d %s", request.seq, json.encode(result)))
	else
		native.tell("failed", format("%d %s", request.seq, values.printable(tostring(result))))
	end
end

-- The collector rests while the agent runs, as finalizers are the application's. Lets it work as what the user has typed does.
local function collect(before)
	if native.memory() - before > MOST_GARBAGE then
		local _, done = native.run(TIME, collectgarbage)
		if not done then
			native.reclaim() -- in a finalizer
		end
		return native.memory()
	end
	return before
end

-- Works off the requests until the service is to go on. Returns how, and which coroutine is meant; nothing when nobody is there.
local function work()
	local size = native.memory()
	while true do
		size = collect(size)
		local text = native.wait()
		if not text then
			return nil
		end
		local request = json.decode(text)
		local arguments = request.arguments or {}
		stop.base = request.slot * SLOT
		stop.store.base = stop.base
		values.begin()
		local mode = MODES[request.command]
		if mode then
			local entry = stop.threads[arguments.task or 0]
			return mode, entry and entry.thread
		end
		local command = commands[request.command]
		if command then
			answer(request, pcall(command, arguments))
		else
			answer(request, false, "unknown request " .. tostring(request.command))
		end
	end
end

local function error_text(value)
	return values.printable(type(value) == "string" and value or values.show(value))
end

local function stop_here(reason, thread, value, id, caught)
	stop = { thread = thread, reason = reason, caught = caught, base = 0, frames = {}, frame_count = 0, threads = {} }
	stop.store = values.store(0)
	values.begin()
	local event = { reason = reason, tasks = json.list {} }
	if reason == "breakpoint" then
		event.hitBreakpointIds = { id }
	elseif reason == "exception" then
		stop.text = error_text(value)
		event.text, event.description =
			stop.text, caught and "Paused on a caught error" or "Paused on an uncaught error"
	end
	stop.threads[0] = { thread = thread }
	for i, task in ipairs(stacks.other_tasks(thread)) do
		stop.threads[i] = task
		event.tasks[i] = task.name
	end
	native.tell("stopped", json.encode(event))
	local mode, task = work()
	stop = nil
	return mode, task
end

return function(kind, thread, value, id, flag, condition, hit_condition, log, breakpoint)
	if kind == "hit" then
		return is_hit(thread, id, condition, hit_condition, log, breakpoint) and "hit"
	end
	return stop_here(kind, thread, value, id, flag)
end
