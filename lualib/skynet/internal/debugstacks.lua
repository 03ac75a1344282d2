--- Stacks and tasks of a stopped service, and what is in a frame. Part of the debugger's agent (debugagent.lua).
---
--- A frame is { thread, level, func, name, line, path, layer }: `path` is nil for a function in C and for what was loaded from a text;
--- `layer` tells that it belongs to the Lua layer.

local native = ...

local values = native.load "skynet.internal.debugvalues"

local format = string.format

local MOST_TASKS <const> = 100 -- waiting tasks that are shown
local MOST_SORTED <const> = 100000 -- ... and that are looked at to find the oldest
local MOST_LAYER <const> = 100 -- functions of a task that are looked at to find its name
local DEEPEST <const> = 1000 -- functions of a stack that are shown
local MOST_NAME <const>, MOST_PATH <const> = 1024, 4096 -- bytes

local M = {}

local described = setmetatable({}, { __mode = "k" }) -- function -> { source, layer }, for `frames_of`

--- Where a function is: its file's path, nil if there is none; whether it belongs to the Lua layer.
function M.describe(info)
	local known = described[info.func]
	if not known then
		local path, layer = native.describe(info.source)
		known = { path = path and values.printable(path, MOST_PATH), layer = layer }
		described[info.func] = known
	end
	return known.path, known.layer
end

local function place_name(info)
	return format("function <%s:%d>", values.printable(info.short_src), info.linedefined)
end

local function name_of(info)
	if info.what == "main" then
		return "main chunk"
	elseif info.name and info.name ~= "" and info.name ~= "?" then
		local name = values.printable(info.name, MOST_NAME)
		return info.what == "C" and "[C] " .. name or name
	elseif info.what == "C" then
		return "[C]"
	end
	return place_name(info)
end

-- The layer has functions of the application in variables of its own, whose names say nothing.
local function has_borrowed_name(frame, info, caller)
	local is_variable = info.namewhat == "local" or info.namewhat == "upvalue"
	return is_variable and info.what == "Lua" and frame.path and not frame.layer and caller.layer
end

-- Appends the functions of a coroutine's stack: { thread, level, func, name, line, path, layer }. Tells whether one of them is the
-- application's.
local function add_frames(list, thread)
	local application = false
	local before, before_info
	for level = 0, DEEPEST - 1 do
		local info = debug.getinfo(thread, level, "nSlf")
		if not info then
			break
		end
		local frame =
			{ thread = thread, level = level, func = info.func, name = name_of(info), line = info.currentline }
		if info.what ~= "C" then
			frame.path, frame.layer = M.describe(info)
			frame.text = not frame.path and info.short_src
			application = application or not frame.layer
		end
		if before and has_borrowed_name(before, before_info, frame) then
			before.name = place_name(before_info)
		end
		before, before_info = frame, info
		list[#list + 1] = frame
	end
	return application
end

--- The stack of a coroutine, and behind it those of the ones that have resumed it; not of the dispatcher's, which has only the Lua
--- layer's. `is_idle`: it is one that was paused where it waits for a message, perhaps.
function M.of(thread, is_idle)
	local list = {}
	if not add_frames(list, thread) and is_idle and native.justmycode() then
		-- It was idle, and got a message of the adapter's.
		return { { name = "(waits for a message)", line = 0, label = true } }
	end
	local resumer = native.resumer(thread)
	while resumer do
		local more = {}
		if add_frames(more, resumer) or not native.justmycode() then
			for _, frame in ipairs(more) do
				list[#list + 1] = frame
			end
		end
		resumer = native.resumer(resumer)
	end
	return list
end

-- session -> coroutine that waits for it, in this Lua layer or in the one of the C core.
local function waiting_tasks()
	local kernel = package.loaded["skynet.internal.kernel"]
	if type(kernel) == "table" and type(kernel.waiting) == "table" then
		return kernel.waiting
	end
	local skynet = package.loaded.skynet
	local func = type(skynet) == "table" and (skynet.wait or skynet.call)
	for index = 1, type(func) == "function" and 255 or 0 do
		local name, value = debug.getupvalue(func, index)
		if not name then
			break
		elseif name == "session_id_coroutine" and type(value) == "table" then
			return value
		end
	end
	return {}
end

-- The name of a task that waits: what it waits in, of the application's functions.
local function task_name(session, task)
	for level = 0, MOST_LAYER do
		local info = debug.getinfo(task, level, "Slf")
		if not info then
			break
		elseif info.what ~= "C" then
			local path, layer = M.describe(info)
			if path and not layer then
				return format("task %d: %s:%d", session, string.match(path, "[^/]*$"), info.currentline)
			end
		end
	end
	return format("task %d", session)
end

--- The tasks that wait, besides what is stopped: list of { name, thread }, the oldest first.
function M.other_tasks(stopped)
	local sessions, tasks = {}, {}
	local busy = {}
	while stopped do
		busy[stopped] = true
		stopped = native.resumer(stopped)
	end
	local waiting = waiting_tasks()
	for session, task in values.following(waiting, 0) do
		if type(task) == "thread" and not busy[task] and coroutine.status(task) == "suspended" then
			sessions[#sessions + 1] = session
			if #sessions == MOST_SORTED then
				break
			end
		end
	end
	table.sort(sessions)
	for i = 1, math.min(#sessions, MOST_TASKS) do
		local task = waiting[sessions[i]]
		tasks[i] = { name = task_name(sessions[i], task), thread = task }
	end
	return tasks
end

--- The names that are seen at a level and whose variables cannot be changed: they are to be closed, or the vararg parameter.
function M.closing(thread, level)
	local closes, names = {}, {}
	local func = debug.getinfo(thread, level, "f").func
	for index = 1, 255 do
		local name = debug.getupvalue(func, index)
		if not name then
			break
		end
		closes[name] = native.closes(func, index)
	end
	for slot = 1, 255 do
		local name = debug.getlocal(thread, level, slot)
		if not name then
			break
		end
		closes[name] = native.closes(thread, level, slot)
	end
	local vararg = M.vararg_slot(thread, level)
	local parameter = vararg and debug.getlocal(thread, level, vararg)
	if parameter then
		closes[parameter] = true
	end
	for name, is_closed in pairs(closes) do
		-- Those of loops have no name.
		names[#names + 1] = is_closed and string.sub(name, 1, 1) ~= "(" and name or nil
	end
	return names
end

--- The slot of the vararg parameter (`...name`, a constant) of a function that has extra arguments.
function M.vararg_slot(thread, level)
	local info = debug.getinfo(thread, level, "u")
	return info.isvararg and info.nparams + 1
end

-- The extra arguments as a table, which the function does not have.
local function varargs_of(frame)
	local made = { n = 0 }
	while true do
		local name, value = debug.getlocal(frame.thread, frame.level, -made.n - 1)
		if not name then
			values.freeze(made)
			return made
		end
		made.n = made.n + 1
		made[made.n] = value
	end
end

--- The locals of a frame, and its extra arguments.
function M.locals(frame)
	local list, by_slot = {}, {}
	local vararg = M.vararg_slot(frame.thread, frame.level)
	for slot = 1, 255 do
		local name, value = debug.getlocal(frame.thread, frame.level, slot)
		if not name then
			break
		elseif string.sub(name, 1, 1) ~= "(" then
			by_slot[name] = #list + 1 -- the last of a name is the visible one
			if slot == vararg and value == nil then
				value = varargs_of(frame)
			end
			list[#list + 1] = {
				name = name,
				value = value,
				set = slot ~= vararg and not native.closes(frame.thread, frame.level, slot) and function(new)
					debug.setlocal(frame.thread, frame.level, slot, new)
				end,
			}
		end
	end
	for name, place in pairs(by_slot) do
		list[place].expression = name
	end
	for n = 1, 255 do
		local name, value = debug.getlocal(frame.thread, frame.level, -n)
		if not name then
			break
		end
		list[#list + 1] = {
			name = format("...[%d]", n),
			value = value,
			expression = format("(select(%d, ...))", n),
			set = function(new)
				debug.setlocal(frame.thread, frame.level, -n, new)
			end,
		}
	end
	return list
end

--- The upvalues of a frame's function. One that a local variable hides has no expression.
function M.upvalues(frame)
	local list, hides = values.upvalues(frame.func), {}
	for slot = 1, 255 do
		local name = debug.getlocal(frame.thread, frame.level, slot)
		if not name then
			break
		end
		hides[name] = true
	end
	for _, entry in ipairs(list) do
		entry.expression = not hides[entry.name] and entry.expression or nil
	end
	return list
end

--- The globals that a frame sees.
function M.globals(frame)
	local environment
	for slot = 1, 255 do
		local name, value = debug.getlocal(frame.thread, frame.level, slot)
		if not name then
			break
		elseif name == "_ENV" then
			environment = value -- the last one is the visible one
		end
	end
	if type(environment) == "table" then
		return environment
	end
	for index = 1, 255 do
		local name, value = debug.getupvalue(frame.func, index)
		if not name then
			break
		elseif name == "_ENV" and type(value) == "table" then
			return value
		end
	end
	return _G
end

return M
