--- Looking at the tasks of a service and ending them: `task`, `uniqtask`, `killthread`,
--- `trace_timeout`. Loaded by the first call.

local runtime = require "skynet.internal.kernel"
local core = require "skynet.core"
local killed = require "skynet.internal.unmatched".killed

local waiting, taskless, owed, origin = runtime.waiting, runtime.taskless, runtime.owed, runtime.origin
local BREAK <const>, ERROR <const> = "BREAK", 7

---@class (partial) skynet
local api = {}

local created_at -- task of a timer -> where it was set up, while that is recorded

local function describe(task)
	if task == BREAK then
		return BREAK
	end
	return created_at and created_at[task] or debug.traceback(task)
end

-- Gives a timer the task that it has not needed so far. Returns it, and nothing when there is no such timer.
local function give_task(session)
	local func = taskless[session]
	if func then
		taskless[session] = nil
		return runtime.timer_task(session, func)
	end
end

-- From here on each timer has a task, as one that is shown must have: it can be found again by what was shown.
local function give_tasks()
	for session in pairs(taskless) do
		give_task(session)
	end
end

-- No value when there is none.
local function session_of(matches)
	for session, task in pairs(waiting) do
		if matches(task) then
			return session
		end
	end
end

local function count()
	local n = 0
	for _, task in pairs(waiting) do
		if task ~= BREAK then
			n = n + 1
		end
	end
	for _ in pairs(taskless) do
		n = n + 1
	end
	return n
end

--- Tells about the tasks that wait for something. Does not yield.
---@param what nil|table|integer|thread|string
---@return any nil: their number. A table is filled with "thread session: n" -> stack. A session:
--- its stack, or "No session". A thread: its session. "init": the stack of the start function
function api.task(what)
	local kind = type(what)
	if what == nil then
		return count()
	elseif what == "init" then
		if runtime.init_task then
			return debug.traceback(runtime.init_task)
		end
	elseif kind == "table" then
		give_tasks()
		for session, task in pairs(waiting) do
			what[string.format("%s session: %d", task, session)] = describe(task)
		end
	elseif kind == "number" then
		local task = waiting[what] or give_task(what)
		return task and describe(task) or "No session"
	elseif kind == "thread" then
		return session_of(function(task)
			return task == what
		end)
	end
end

--- Tasks grouped by equal stacks. Does not yield.
---@return table<string, string> "count<TAB>sessions:[1,2]<NL>" -> stack
function api.uniqtask()
	local groups = {}
	give_tasks()
	for session, task in pairs(waiting) do
		local stack = describe(task)
		local group = groups[stack]
		if not group then
			group = { size = 0 }
			groups[stack] = group
		end
		group.size = group.size + 1
		if group.size < 10 then
			group[group.size] = session
		end
	end
	local list = {}
	for stack, group in pairs(groups) do
		local sessions = table.concat(group, ",")
		if group.size > #group then
			sessions = sessions .. "..."
		end
		list[string.format("%d\tsessions:[%s]\n", group.size, sessions)] = stack
	end
	return list
end

--- Ends a task that waits or has not begun; who waits for its answer gets an error. Does not yield.
---@param thread thread|string the coroutine, or a pattern its `tostring` has to match
---@return thread? task no value when there is none
function api.killthread(thread)
	if type(thread) == "string" then
		give_tasks() -- whatever their names will be
	elseif thread and runtime.unfork(thread) then
		return thread
	end
	local session = session_of(type(thread) == "string" and function(task)
		return type(task) == "thread" and string.find(tostring(task), thread)
	end or function(task)
		return task == thread
	end)
	local task = waiting[session]
	if type(task) ~= "thread" then
		return
	end
	local debt = owed[task]
	if debt and debt ~= 0 then
		core.send(origin[task], ERROR, debt, "")
	end
	owed[task], origin[task], runtime.tags[task], runtime.due[task] = nil, nil, nil, nil
	runtime.unfork(task) -- a timer's task that has not begun
	if runtime.on_killed then
		runtime.on_killed(session)
	end
	if runtime.watched[session] then
		runtime.watched[session] = nil
		waiting[session] = BREAK
	else
		waiting[session] = nil
		killed[session] = true
	end
	for token, sleeping in pairs(runtime.asleep) do
		if math.abs(sleeping) == session then
			runtime.asleep[token] = nil
			break
		end
	end
	coroutine.close(task)
	return task
end

--- Records where coming timers are set up; `task` then tells it. Does not yield.
---@param on boolean
function api.trace_timeout(on)
	if not on then
		created_at = nil
		runtime.wrap_timers(nil)
		return
	end
	created_at = created_at or setmetatable({}, { __mode = "k" })
	runtime.wrap_timers(function(task, func, centiseconds)
		local note = string.format("TIMER %d+%d : ", core.now(), centiseconds)
		created_at[task] = debug.traceback(note, 3)
		return function()
			if created_at then
				created_at[task] = nil
			end
			func()
		end
	end)
end

return api
