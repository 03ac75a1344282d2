--- The heart of a Lua service: which coroutine runs, and how a message of the node becomes a coroutine or wakes one. Part of
--- what runtime.lua describes, and what loads its other parts; returns what that has made.
---
--- Tasks, the three queues and the function that gets each message are one chunk because they share what changes with each
--- message: as upvalues that takes one instruction of the VM, as fields of a table two and a search.

local core = require "skynet.core"
local runtime = require "skynet.internal.runtime"
local endings = require "skynet.internal.taskend"
require "skynet.internal.calls"

local allocate_session = core.genid
-- Sets a timer, and tells whether nobody would see a result of the function that calls it; not so without a function. A module
-- of another build cannot tell.
local set_timer = core.timer or function() end
local resume_thread, yield_thread, create_thread = coroutine.resume, coroutine.yield, coroutine.create
local is_yieldable = coroutine.isyieldable
local pcall, select = pcall, select

-- Message types of skynet.h that this chunk handles itself. (A line each: only so they are constants, and no upvalues.)
local RESPONSE <const> = 1
local SOCKET <const> = 6
local ERROR <const> = 7
local TRACE <const> = 12
-- What resumes a task that was made for a timer when that fired.
local FIRED <const> = 0
-- What stands for a session whose answer is not wanted any more, and what a woken sleeper gets.
local BREAK <const> = "BREAK"
-- An idle task costs about 1 KiB; more of them than this are left to the collector.
local MAX_IDLE <const> = 256

---@class (partial) skynet
local api = runtime.api
local protocols, waiting, asleep = runtime.protocols, runtime.waiting, runtime.asleep
local owed, origin = runtime.owed, runtime.origin
local inline_handlers, taskless = runtime.inline_handlers, runtime.taskless
local entry = {} -- task that has not begun -> function it will run
local due = {} -- task that has not begun -> session of the timer that begins it
runtime.due = due
local spare -- the task that was done last
local idle, idle_count = {}, 0 -- others that are done
local tracing -- skynet/internal/trace.lua once tracing was asked for
local timer_wrapper -- set by trace_timeout
local inspector -- set by the remote debugger

-- Memory may be used up at any call and with any new key of a table. What waits is lost by neither:
--   what wakes a task finds it in `waiting` until it runs again and takes itself out; work is in its queue until it has begun;
--   a queue is told that it has grown when it has;
--   after an error of that kind `recover` goes on where it was broken off.

-- Three queues of work that a message leaves behind; `first > last` means empty. Unless `queued`, all are.
local queued = false
local unlisted = false -- the queues had no memory for something that was woken or has failed: it is marked where it waits
-- So many places of the queue of wake-ups are kept once they were there.
local KEPT <const> = 256
local wakeups, wakeup_first, wakeup_last = {}, 1, 0
local failures, failure_first, failure_last = {}, 1, 0
local forks, fork_first, fork_last = {}, 1, 0

---------------------------------------------------------------- tasks

-- Main function of every task. Resumed with a protocol it handles one request; resumed by a timer
-- (true) or from the fork queue (nothing) it runs the function noted in `entry`, and a function that it gets itself when it was
-- made for a timer that has fired.
local function task_main(protocol, session, source, msg, sz)
	local task = runtime.running
	local _ <close> = runtime -- see `endings.__close`
	while true do
		local body
		if protocol == nil then
			body = entry[task]
			entry[task] = nil
			body()
		elseif protocol == true then
			body = entry[task]
			waiting[msg], entry[task], due[task] = nil, nil, nil
			body(true, session, source, msg) -- the functions of timers have always got what resumed them
		elseif protocol == FIRED then
			body, sz = sz, nil
			taskless[msg] = nil
			body(true, session, source, msg) -- as above
		else
			origin[task] = source -- from here on the request is this task's
			body = protocol.dispatch
			body(session, source, protocol.unpack(msg, sz))
		end
		if origin[task] then
			local debt = owed[task]
			if debt then
				if debt ~= 0 then
					endings.report_forgotten(task, debt, body)
				end
				owed[task] = nil
			end
			origin[task] = nil
		end
		if tracing then
			tracing.finish(task)
		end
		body = nil
		if not spare then
			spare = task
		elseif idle_count < MAX_IDLE then
			idle[idle_count + 1] = task
			idle_count = idle_count + 1
		else
			return "SUSPEND"
		end
		protocol, session, source, msg, sz = yield_thread "SUSPEND"
		-- What a coroutine of the application has waited for inside of what this task did before may come now. The task is
		-- idle, or set aside for something else: only its own timer begins it, besides requests and forks.
		while (protocol == true or protocol == false) and due[task] ~= msg do
			require "skynet.internal.unmatched".drop(msg, session == BREAK)
			protocol, session, source, msg, sz = yield_thread "SUSPEND"
		end
	end
end

local function idle_task()
	local task = spare
	if task then
		spare = nil
		return task
	elseif idle_count == 0 then
		return create_thread(task_main)
	end
	task = idle[idle_count]
	idle[idle_count] = nil
	idle_count = idle_count - 1
	return task
end

local function new_task(body)
	local task = idle_task()
	entry[task] = body
	return task
end

---------------------------------------------------------------- queues

-- May be called without memory for a new place of the queue: by pcall.
local function append(queue, place, value)
	queue[place] = value
end

-- Lists what was woken or has failed when there was no memory to list it.
local function list_marked()
	for token, session in pairs(asleep) do
		if session < 0 then
			append(wakeups, wakeup_last + 1, token)
			wakeup_last = wakeup_last + 1
			asleep[token] = -session
		end
	end
	for session, address in pairs(runtime.watched) do
		if address == false then
			append(failures, failure_last + 1, session)
			failure_last = failure_last + 1
			runtime.watched[session] = nil
		end
	end
	unlisted = false
end

-- Works off the three queues: sleepers woken, calls that failed, then forks, one at a time. Returns the texts to report.
local function drain(texts)
	while true do
		local task, session, alive, command
		if wakeup_first <= wakeup_last then
			local token = wakeups[wakeup_first]
			session = asleep[token]
			task = session and waiting[session]
			if task == BREAK then
				task = nil
			end
			if task then
				if tracing and runtime.tags[task] then
					core.trace(runtime.tags[task], "resume")
				end
				runtime.running = task
				alive, command = resume_thread(task, false, BREAK, nil, session)
			end
			wakeups[wakeup_first] = wakeup_first > KEPT and nil
			wakeup_first = wakeup_first + 1
		elseif failure_first <= failure_last then
			session = failures[failure_first]
			task = waiting[session]
			if task == BREAK then
				task = nil
			end
			if task then
				runtime.running = task
				alive, command = resume_thread(task, false, nil, nil, session)
			end
			failures[failure_first] = nil
			failure_first = failure_first + 1
		elseif fork_first <= fork_last then
			task = forks[fork_first]
			runtime.running = task
			alive, command = resume_thread(task)
			forks[fork_first] = nil
			fork_first = fork_first + 1
		elseif unlisted then
			list_marked()
		else
			wakeup_first, wakeup_last = 1, 0
			failure_first, failure_last = 1, 0
			fork_first, fork_last = 1, 0
			queued = false
			return texts
		end
		if task and not (alive and command == "SUSPEND") then
			if session and waiting[session] == task then -- it had ended before
				waiting[session] = nil
			end
			texts = endings.settle(texts, task, alive, command)
		end
	end
end

--- Runs `func(...)` in a task of its own, after the current one has parked. Does not yield.
---@param func function
---@param ... any for `func`
---@return thread task for `wakeup` (as token) and `killthread`
function api.fork(func, ...)
	if func == nil then
		func = require "skynet.internal.nofunction" "skynet.fork"
	end
	local body = func
	if select("#", ...) > 0 then
		local arguments = table.pack(...)
		body = function()
			return func(table.unpack(arguments, 1, arguments.n))
		end
	end
	local task = idle_task()
	forks[fork_last + 1] = task
	entry[task] = body
	fork_last = fork_last + 1
	queued = true
	return task
end

--- Starts a timer that will resume who waits for its session. Returns the session.
function runtime.start_timer(centiseconds)
	local session = set_timer(centiseconds) or core.intcommand("TIMEOUT", centiseconds)
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	return session
end

--- Runs `func()` after some time, in a task of its own. Does not yield.
---@param centiseconds integer 1/100 s; 0 or less: after the messages that are already queued
---@param func function
---@return thread task for `killthread`
function api.timeout(centiseconds, func)
	if func == nil then
		func = require "skynet.internal.nofunction" "skynet.timeout"
	end
	local session, unseen = set_timer(centiseconds, func)
	if not session then
		session = core.intcommand("TIMEOUT", centiseconds)
	end
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	if unseen and not timer_wrapper then
		-- A task is made when the timer fires, or when somebody looks at those that wait.
		taskless[session] = func
		return ---@diagnostic disable-line: missing-return-value
	end
	local task = new_task(func)
	if timer_wrapper then
		entry[task] = timer_wrapper(task, func, centiseconds)
	end
	waiting[session], due[task] = task, session
	return task
end

---------------------------------------------------------------- waiting and waking

--- Parks the running task until `wakeup(token)`, on which nobody sleeps, where it may yield: see `skynet.wait`, which looks
--- whether that is so.
function runtime.wait(token)
	local session, task = allocate_session(), runtime.running
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	if tracing and runtime.tags[task] then
		core.trace(runtime.tags[task], "sleep", 3)
	end
	asleep[token] = session
	waiting[session] = task
	local _, reason, _, which = yield_thread "SUSPEND"
	if which ~= session then
		require "skynet.internal.unmatched".wait_on(session, which, reason == BREAK)
	end
	asleep[token], waiting[session] = nil, nil
end

--- Ends a `sleep` or `wait`. The sleeper runs once the current task has parked. Does not yield.
---@param token any as given to `sleep` or `wait`, or the coroutine that called them
---@return boolean? true when a task sleeps on the token
function api.wakeup(token)
	local session = asleep[token]
	if session then
		local place = wakeup_last + 1
		queued = true
		if wakeups[place] == false then -- there is a place, which takes no memory
			wakeups[place], wakeup_last = token, place
		elseif pcall(append, wakeups, place, token) then
			wakeup_last = place
		else
			asleep[token], unlisted = -math.abs(session), true
		end
		return true
	end
end

---------------------------------------------------------------- messages of the node

--- Handles one message of the node: the callback of this service. Raises what its tasks raised.
---@param ptype integer
---@param msg lightuserdata?
---@param sz integer
---@param session integer
---@param source integer
function api.dispatch_message(ptype, msg, sz, session, source)
	-- In one piece, and long: every message comes through here, and one more call would be felt in each.
	if inspector then
		inspector()
	end
	local text, task, alive, command
	if ptype == RESPONSE then
		task = waiting[session]
		if task == nil then
			local body = taskless[session]
			if body then
				task = spare
				if task then
					spare = nil
				else
					task = idle_task()
				end
				runtime.running = task
				alive, command = resume_thread(task, FIRED, msg, sz, session, body)
			else
				text = require "skynet.internal.unmatched".response(session, source, msg, sz)
			end
		else
			if task == BREAK then
				waiting[session] = nil
				return
			end
			if tracing and runtime.tags[task] then
				core.trace(runtime.tags[task], "resume")
			end
			runtime.running = task
			alive, command = resume_thread(task, true, msg, sz, session)
		end
	else
		local protocol = protocols[ptype]
		local now = ptype == SOCKET and not tracing and protocol and inline_handlers[protocol.dispatch]
		if now and now(msg, sz) then
			task = nil -- it needed none; whom it has woken runs below
		elseif protocol and protocol.dispatch then
			task = spare
			if task then
				spare = nil
			else
				task = idle_task()
			end
			owed[task] = session
			if tracing then
				tracing.request(protocol, task, source)
			end
			runtime.running = task
			alive, command = resume_thread(task, protocol, session, source, msg, sz)
		elseif protocol == nil and ptype == TRACE then
			runtime.enable_tracing().expect(source, core.tostring(msg, sz))
		else
			text = require "skynet.internal.unmatched".request(
				session,
				source,
				msg,
				sz,
				protocol and protocol.name or ptype
			)
		end
	end
	local texts = text and { text }
	if task and not (alive and command == "SUSPEND") then
		if ptype == RESPONSE then -- it may have ended before, or not have begun
			taskless[session] = nil
			if waiting[session] == task then
				waiting[session] = nil
			end
		elseif owed[task] then -- as above
			origin[task] = source
		end
		texts = endings.settle(texts, task, alive, command)
	end
	-- Not in a task that gives itself a message: the queues have what runs at their head.
	if queued and not is_yieldable() then
		texts = drain(texts)
	end
	if texts then
		endings.raise(texts)
	end
end

--- Goes on after memory was used up in the handling of a message. Raises what the tasks raise that this resumes; and before it
--- has done anything, when there is no memory yet: whether it has shows in `waiting` and `taskless`.
---@param session integer of an answer that was lost with it; 0: of none
function runtime.recover(session)
	local task = waiting[session]
	if runtime.watched[session] ~= nil and task and task ~= BREAK then
		runtime.fail_call(session) -- what it was answered is gone
	elseif runtime.watched[session] and taskless[session] then
		return api.dispatch_message(ERROR, nil, 0, session, 0) -- as above, and a function waits
	elseif task or taskless[session] then
		return api.dispatch_message(RESPONSE, nil, 0, session, 0) -- a timer, which fires now
	end
	local texts = queued and drain()
	if texts then
		endings.raise(texts)
	end
end

---------------------------------------------------------------- for the other modules

--- From here on, tasks, calls and requests look at their trace tags.
---@return table skynet/internal/trace.lua
function runtime.enable_tracing()
	tracing = require "skynet.internal.trace"
	runtime.trace_calls()
	return tracing
end

--- Makes the task that the timer of `session` will begin.
function runtime.timer_task(session, func)
	local task = new_task(func)
	waiting[session], due[task] = task, session
	return task
end

--- Calls a function before each message; nil ends that.
function runtime.inspect(func)
	inspector = func
end

--- Wraps the functions of coming timers; nil ends that.
function runtime.wrap_timers(wrapper)
	timer_wrapper = wrapper
end

--- Notes that the call of `session` has failed.
function runtime.fail_call(session)
	queued = true
	if pcall(append, failures, failure_last + 1, session) then
		failure_last = failure_last + 1
	else
		runtime.watched[session], unlisted = false, true
	end
end

--- Forgets what a task that has not begun would run. Tells whether it was in the fork queue, out of which it is taken.
function runtime.unfork(task)
	for i = fork_first, fork_last do
		if forks[i] == task and entry[task] then
			table.move(forks, i + 1, fork_last + 1, i)
			fork_last = fork_last - 1
			entry[task] = nil
			return true
		end
	end
	entry[task] = nil
	return false
end

--- Forgets all that is queued: the service ends.
function runtime.clear_queues()
	wakeups, wakeup_first, wakeup_last = {}, 1, 0
	failures, failure_first, failure_last = {}, 1, 0
	forks, fork_first, fork_last = {}, 1, 0
end

return runtime
