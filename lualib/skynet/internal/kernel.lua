--- The heart of a Lua service: which coroutine runs, which one waits for which session, and how a
--- message of the node becomes a coroutine or wakes one. Everything on the path of a call is in this
--- one chunk so that its state stays in locals; the rest of the API is built on the table it returns.
--- Longer than other files because a further module costs every start of a service 2.4 % more
--- (3rd/lua/docs/module-snapshot.md).
---
--- Words used here:
---   session   a positive integer that names one outstanding request of this service.
---   task      a coroutine that this module started; it parks by yielding "SUSPEND".
---   to owe    a task owes an answer from the moment it handles a request until it answers.

local core = require "skynet.core"

local send_message, int_command, allocate_session = core.send, core.intcommand, core.genid
local trace_line, message_text, release_message = core.trace, core.tostring, core.trash
local pack_values = core.pack
local resume_thread, yield_thread = coroutine.resume, coroutine.yield
local create_thread, close_thread, this_thread = coroutine.create, coroutine.close, coroutine.running
local thread_status, is_yieldable = coroutine.status, coroutine.isyieldable
local traceback, getinfo = debug.traceback, debug.getinfo
local error, type, tostring, select, pcall = error, type, tostring, select, pcall

-- Message types of skynet.h that this chunk handles itself.
local RESPONSE <const>, SOCKET <const>, ERROR <const>, TRACE <const> = 1, 6, 7, 12
-- What resumes a task that was made for a timer when that fired.
local FIRED <const> = 0
-- What stands for a session whose answer is not wanted any more, and what a woken sleeper gets.
local BREAK <const> = "BREAK"
-- An idle task costs about 1 KiB; more of them than this are left to the collector.
local MAX_IDLE <const> = 256

---@class (partial) skynet
local api = table.create(0, 128) -- what skynet.lua adds included
local tags = {} -- task -> trace tag, or false: tracing is off for it
local protocols = table.create(0, 16) -- by name and by number
local waiting = {} -- session -> the task that it resumes, or BREAK
local watched = {} -- session of a call -> address called
local asleep = {} -- token -> session of the sleeper
local owed = {} -- task -> session it has to answer; 0 when the request was a send
local origin = {} -- task -> address its request came from
local inline_handlers = {} -- handler of socket messages -> function that handles what needs no task, and tells whether it has
local entry = {} -- task that has not begun -> function it will run
local due = {} -- task that has not begun -> session of the timer that begins it
local taskless = {} -- session of a timer whose task nobody has asked for -> function it will run
local spare -- the task that was done last
local idle, idle_count = {}, 0 -- others that are done
local current -- the task that runs now
local tracing -- skynet/internal/trace.lua once tracing was asked for
local timer_wrapper -- set by trace_timeout
local inspector -- set by the remote debugger
local mistakes -- skynet/internal/mistakes.lua once something has failed

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

-- What the other modules of skynet/internal work with.
local runtime = table.create(0, 32)
runtime.api, runtime.protocols, runtime.waiting, runtime.watched = api, protocols, waiting, watched
runtime.asleep, runtime.owed, runtime.origin = asleep, owed, origin
runtime.tags, runtime.inline_handlers, runtime.entry, runtime.due = tags, inline_handlers, entry, due
runtime.taskless = taskless
runtime.gateways = {} -- handle of a service that passes calls on -> whom it passes them to, for the texts of errors

-- This chunk and that of skynet.lua only make functions and tables and return them: most services do not run them but copy
-- what they have left once (3rd/lua/csrc/speed/lmodsnapshot.h). What a service may do without
-- is in modules of its own.

---------------------------------------------------------------- sessions

-- The core counts sessions up and starts again at 1 after 2^31-1. From `wary_from` on, every
-- allocation looks whether the next number is still in use, and skips those that are.
local wary_from = 0x70000000

local function skip_used_sessions(session)
	wary_from = 1
	while true do
		local following = session < 0x7fffffff and session + 1 or 1
		if waiting[following] == nil and taskless[following] == nil then
			return
		end
		session = allocate_session()
	end
end

--- Allocates a session number. Does not yield.
---@return integer session
function api.genid()
	local session = allocate_session()
	if session >= wary_from then
		skip_used_sessions(session)
	end
	return session
end

-- Sets a timer, and tells whether nobody would see a result of the function that calls it; not so without a function. A module
-- of another build cannot tell.
local set_timer = core.timer or function() end

local function start_timer(centiseconds)
	local session = set_timer(centiseconds) or int_command("TIMEOUT", centiseconds)
	if session >= wary_from then
		skip_used_sessions(session)
	end
	return session
end

-- Sends a request, in a task that will wait for the answer. A module of another build has no function for that.
local send_request = core.request
	or function(address, ptype, msg, sz)
		runtime.check_yieldable(3)
		return send_message(address, ptype, nil, msg, sz)
	end

local function unknown_protocol(typename)
	error("unknown protocol " .. tostring(typename), 3)
end

--- An address as people read it: numbers become ":%08x", names stay.
---@param address integer|string
---@return string
function api.address(address)
	if type(address) == "number" then
		return string.format(":%08x", address)
	end
	return tostring(address)
end

---------------------------------------------------------------- tasks

local function report_forgotten(task, session, handler)
	local where = debug.getinfo(handler, "S")
	core.error(
		string.format(
			"Maybe forgot response session %s from %s : %s:%d",
			session,
			api.address(origin[task]),
			where.source,
			where.linedefined
		)
	)
end

-- Main function of every task. Resumed with a protocol it handles one request; resumed by a timer
-- (true) or from the fork queue (nothing) it runs the function noted in `entry`, and a function that it gets itself when it was
-- made for a timer that has fired.
local function task_main(protocol, session, source, msg, sz)
	local task = current
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
					report_forgotten(task, debt, body)
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

-- Tells the caller of a task that there will be no answer.
local function answer_failed(task)
	local debt = owed[task]
	if debt then
		if debt ~= 0 then
			local tag = tags[task]
			if tag then
				trace_line(tag, "error")
			end
			send_message(origin[task], ERROR, debt, "")
		end
		owed[task] = nil
	end
end

-- The task raised an error: its caller learns of it; returns the text to report, if it is to be reported.
local function fail_task(task, problem)
	-- The caller first: a signal may interrupt what follows.
	answer_failed(task)
	local place = ""
	if origin[task] then
		mistakes = mistakes or require "skynet.internal.mistakes"
		place = mistakes.handler(task)
		local caller = getinfo(task, 1, "f")
		if caller and caller.func == task_main then
			place = mistakes.unreadable(task, place)
		end
	end
	origin[task] = nil
	tags[task] = nil
	local text = place and traceback(task, tostring(problem) .. place)
	close_thread(task)
	return text
end

-- Deals with a task that stopped in another way than by "SUSPEND". Returns the text to report, if any.
local function conclude(task, alive, command)
	if not alive then
		if not getinfo(task, 0, "l") then -- it had ended before: what has come has no receiver
			require "skynet.internal.unmatched".drop()
			return
		end
		return fail_task(task, command)
	elseif command == "QUIT" then
		close_thread(task)
	elseif thread_status(task) == "dead" then
		-- coroutine.close() inside of it: no mistake unless a caller waits for its answer.
		local debt = owed[task]
		local text = fail_task(task, "the task has closed itself without an answer")
		return debt and debt ~= 0 and text or nil
	elseif command == "USER" then
		return fail_task(task, "Call skynet.coroutine.yield out of skynet.coroutine.resume")
	elseif command ~= nil then -- nil: stopped by the remote debugger
		return fail_task(task, "Unknown command : " .. tostring(command))
	end
end

local LOST <const> = {} -- in the place of texts: there was no memory for them

-- Adds a text to those that are to be reported. They are joined once, at the end: there may be many.
local function add_text(texts, text)
	if not text then
		return texts
	elseif not texts or texts == LOST then
		return { text }
	end
	texts[#texts + 1] = text
	return texts
end

-- Deals with a task that stopped in another way than by "SUSPEND"; returns the texts to report. What fails on the way (an error
-- value that raises when it is asked for its text, memory that is used up) fails this task alone: its caller hears of it, and
-- the other tasks go on. What is called in here lies no deeper than what failed: there may be no memory for a deeper stack.
local function settle(texts, task, alive, command)
	local ok, text = pcall(conclude, task, alive, command)
	if not ok then
		answer_failed(task)
		close_thread(task)
		origin[task], tags[task] = nil, nil
		text = type(text) == "string" and text or "error in error handling"
	end
	local added, more = pcall(add_text, texts, text)
	if added then
		return more
	end
	return texts or LOST
end

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
	for session, address in pairs(watched) do
		if address == false then
			append(failures, failure_last + 1, session)
			failure_last = failure_last + 1
			watched[session] = nil
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
				if tracing and tags[task] then
					trace_line(tags[task], "resume")
				end
				current = task
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
				current = task
				alive, command = resume_thread(task, false, nil, nil, session)
			end
			failures[failure_first] = nil
			failure_first = failure_first + 1
		elseif fork_first <= fork_last then
			task = forks[fork_first]
			current = task
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
			texts = settle(texts, task, alive, command)
		end
	end
end

--- Runs `func(...)` in a task of its own, after the current one has parked. Does not yield.
---@param func function
---@param ... any for `func`
---@return thread task for `wakeup` (as token) and `killthread`
function api.fork(func, ...)
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

--- Runs `func()` after some time, in a task of its own. Does not yield.
---@param centiseconds integer 1/100 s; 0 or less: after the messages that are already queued
---@param func function
---@return thread task for `killthread`
function api.timeout(centiseconds, func)
	local session, unseen = set_timer(centiseconds, func)
	if not session then
		session = int_command("TIMEOUT", centiseconds)
	end
	if session >= wary_from then
		skip_used_sessions(session)
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

---------------------------------------------------------------- waking and calling

--- Parks the running task until `wakeup(token)`, on which nobody sleeps, where it may yield: see `skynet.wait`, which looks
--- whether that is so.
function runtime.wait(token)
	local session, task = allocate_session(), current
	if session >= wary_from then
		skip_used_sessions(session)
	end
	if tracing and tags[task] then
		trace_line(tags[task], "sleep", 3)
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

-- Passes the trace tag of the running task on to the service it calls.
local function trace_call(address)
	local tag = tags[current]
	if tag then
		trace_line(tag, "call", 3)
		send_message(address, TRACE, 0, tag)
	end
end

local function no_session(address, session)
	if session == false then
		error("message to " .. api.address(address) .. " is too large", 2)
	end
	error("call to invalid address " .. api.address(address), 2)
end

-- Parks the running task until the answer of `session` is there. Raises when the call fails.
local function await(address, session)
	if session >= wary_from then
		skip_used_sessions(session)
	end
	watched[session] = address
	waiting[session] = current
	local answered, msg, sz, which = yield_thread "SUSPEND"
	if which ~= session then
		answered, msg, sz = require "skynet.internal.unmatched".wait_on(session, which, msg == BREAK)
	end
	watched[session], waiting[session] = nil, nil
	if not answered then
		mistakes = mistakes or require "skynet.internal.mistakes"
		error(mistakes.failed_call(address), 0)
	end
	return msg, sz
end

--- Sends a message; no answer is expected. Does not yield.
---@param address integer|string handle, ":hex", ".local" or global name
---@param typename string|integer protocol, such as "lua"
---@param ... any the values of the message
---@return integer? 0; nil when there is no such service, false when the message is too large
function api.send(address, typename, ...)
	local protocol = protocols[typename] or unknown_protocol(typename)
	return send_message(address, protocol.id, 0, protocol.pack(...))
end

--- `send` with a message that is packed already: a string, or a pointer and its size (consumed).
---@param address integer|string
---@param typename string|integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return integer? 0; nil when there is no such service, false when the message is too large
function api.rawsend(address, typename, msg, sz)
	local protocol = protocols[typename] or unknown_protocol(typename)
	return send_message(address, protocol.id, 0, msg, sz)
end

--- Sends a request and waits for the answer. Yields.
---@param address integer|string
---@param typename string|integer
---@param ... any the values of the request
---@return any ... the values of the answer. Raises when the address is unknown, and when the
--- callee fails, answers with an error or dies
function api.call(address, typename, ...)
	if tracing then
		trace_call(address)
	end
	local protocol = protocols[typename] or unknown_protocol(typename)
	local session = send_request(address, protocol.id, protocol.pack(...))
	if not session then
		no_session(address, session)
	end
	return protocol.unpack(await(address, session))
end

--- `call` with a packed message; the answer is not unpacked. Yields.
---@param address integer|string
---@param typename string|integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return lightuserdata|string msg, integer sz valid until the task parks or calls again
function api.rawcall(address, typename, msg, sz)
	if tracing then
		trace_call(address)
	end
	local protocol = protocols[typename] or unknown_protocol(typename)
	local session = send_request(address, protocol.id, msg, sz)
	if not session then
		no_session(address, session)
	end
	local answer, size = await(address, session) -- no tail call: the frame tells what was asked
	return answer, size
end

--- Answers the request of the running task with a packed message (consumed). Does not yield.
---@param msg string|lightuserdata|nil nil is an empty answer
---@param sz integer? size, for a pointer
---@return boolean false when the request was a send, or the caller is gone. Raises "No session"
--- when there is no request or it is answered already
function api.ret(msg, sz)
	msg = msg or ""
	local task = current
	if tracing and tags[task] then
		trace_line(tags[task], "response")
	end
	local session = owed[task]
	if session == nil then
		error "No session"
	end
	owed[task] = nil
	if session == 0 then
		if sz ~= nil then
			release_message(msg, sz)
		end
		return false
	end
	local sent = send_message(origin[task], RESPONSE, session, msg, sz)
	if sent == false then -- too large: the caller must not wait for ever
		send_message(origin[task], ERROR, session, "")
	end
	return sent and true or false
end

--- Answers with Lua values: `ret(pack(...))`.
---@param ... any the values of the answer
---@return boolean
function api.retpack(...)
	return api.ret(pack_values(...))
end

--- Declares that this task will not answer its request in the usual way. Does not yield.
function api.ignoreret()
	owed[current] = nil
end

--- The request that the running task handles.
---@return integer? session, integer? source nil when it handles none or has answered (session)
function api.context()
	return owed[current], origin[current]
end

---------------------------------------------------------------- messages of the node

local function raise(texts)
	error(texts == LOST and "not enough memory" or table.concat(texts, "\n"), 0)
end

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
				current = task
				alive, command = resume_thread(task, FIRED, msg, sz, session, body)
			else
				text = require "skynet.internal.unmatched".response(session, source, msg, sz)
			end
		else
			if task == BREAK then
				waiting[session] = nil
				return
			end
			if tracing and tags[task] then
				trace_line(tags[task], "resume")
			end
			current = task
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
			current = task
			alive, command = resume_thread(task, protocol, session, source, msg, sz)
		elseif protocol == nil and ptype == TRACE then
			runtime.enable_tracing().expect(source, message_text(msg, sz))
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
		texts = settle(texts, task, alive, command)
	end
	-- Not in a task that gives itself a message: the queues have what runs at their head.
	if queued and not is_yieldable() then
		texts = drain(texts)
	end
	if texts then
		raise(texts)
	end
end

--- Goes on after memory was used up in the handling of a message. Raises what the tasks raise that this resumes; and before it
--- has done anything, when there is no memory yet: whether it has shows in `waiting` and `taskless`.
---@param session integer of an answer that was lost with it; 0: of none
function runtime.recover(session)
	local task = waiting[session]
	if watched[session] ~= nil and task and task ~= BREAK then
		runtime.fail_call(session) -- what it was answered is gone
	elseif watched[session] and taskless[session] then
		return api.dispatch_message(ERROR, nil, 0, session, 0) -- as above, and a function waits
	elseif task or taskless[session] then
		return api.dispatch_message(RESPONSE, nil, 0, session, 0) -- a timer, which fires now
	end
	local texts = queued and drain()
	if texts then
		raise(texts)
	end
end

---------------------------------------------------------------- for the other modules

--- Deals with a task that the remote debugger has resumed. Raises what the task raised.
function runtime.settle_outside(task, alive, command)
	if not (alive and command == "SUSPEND") then
		local text = conclude(task, alive, command)
		if text then
			error(text, 0)
		end
	end
end

--- The running task.
function runtime.current()
	return current
end

--- Resumes a task from outside of the dispatcher, with `current` set for it.
function runtime.resume(task, ...)
	current = task
	return resume_thread(task, ...)
end

--- Says which task runs, after `resume` from inside of another one.
function runtime.set_current(task)
	current = task
end

--- From here on, tasks, calls and requests look at their trace tags.
---@return table skynet/internal/trace.lua
function runtime.enable_tracing()
	tracing = require "skynet.internal.trace"
	return tracing
end

function runtime.start_timer(centiseconds)
	return start_timer(centiseconds)
end

--- A timer for `cancel_timer`: its session, and its place in the core, which not every core tells.
function runtime.start_timer_to_cancel(centiseconds)
	local answer = core.command("TIMER", string.format("%d", centiseconds))
	if not answer then
		return start_timer(centiseconds)
	end
	local session, place = string.match(answer, "^(%d+) ?(%d*)$")
	session = math.tointeger(session)
	if session >= wary_from then
		skip_used_sessions(session)
	end
	return session, place ~= "" and place or nil
end

--- Takes a timer back: no message will come. False when one will, or has.
function runtime.cancel_timer(session, place)
	return place ~= nil and core.command("CANCEL", session .. " " .. place) ~= nil
end

--- A timer in 1/1000 s, and the task that it will start.
function runtime.start_fine_timer(milliseconds, func)
	local session = int_command("TIMEOUTMS", milliseconds)
	if session >= wary_from then
		skip_used_sessions(session)
	end
	if func then
		local task = new_task(func)
		waiting[session], due[task] = task, session
		return task
	end
	return session
end

--- Gives a timer of `session` the task that it has not needed so far. Returns it, and nothing when there is no such timer.
function runtime.give_task(session)
	local func = taskless[session]
	if func then
		taskless[session] = nil
		local task = new_task(func)
		waiting[session], due[task] = task, session
		return task
	end
end

--- Raises where the running code could not park, such as in a function that C calls: an answer, or a wake-up, would find
--- the task that waits next. To be called before anything is registered or sent.
---@param level integer? where the error is, 2 by default: who has called the caller
function runtime.check_yieldable(level)
	if not is_yieldable() then
		local _, is_main = this_thread()
		error(
			is_main and "attempt to yield from outside a coroutine\n\t(what waits cannot be called outside of a task)"
				or "attempt to yield across a C-call boundary\n\t(what waits cannot be called inside of a function that C calls)",
			(level or 2) + 1
		)
	end
end

--- Sends a request whose answer will resume `task`. Returns the session, or nil or false.
function runtime.request(task, address, protocol, ...)
	local session = send_request(address, protocol.id, protocol.pack(...))
	if session then
		if session >= wary_from then
			skip_used_sessions(session)
		end
		watched[session] = address
		waiting[session] = task
	end
	return session
end

runtime.trace_call = trace_call

--- Raises unless the call was sent; then waits for its answer. For calls that other modules send.
function runtime.finish_call(address, session)
	if not session then
		no_session(address, session)
	end
	local answer, size = await(address, session)
	return answer, size
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
		watched[session], unlisted = false, true
	end
end

--- Takes a task that has not begun out of the fork queue. Tells whether it was there.
function runtime.unfork(task)
	for i = fork_first, fork_last do
		if forks[i] == task and entry[task] then
			table.move(forks, i + 1, fork_last + 1, i)
			fork_last = fork_last - 1
			entry[task] = nil
			return true
		end
	end
	return false
end

--- Forgets all queued work (the service ends).
function runtime.drop_queues()
	wakeups, wakeup_first, wakeup_last = {}, 1, 0
	failures, failure_first, failure_last = {}, 1, 0
	forks, fork_first, fork_last = {}, 1, 0
end

return runtime
