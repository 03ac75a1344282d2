--- How a task ends that does not park: it failed, was closed, or yielded what only skynet.coroutine may. Its caller hears of it
--- first, then the log.

local core = require "skynet.core"
local runtime = require "skynet.internal.runtime"

local close_thread, traceback = coroutine.close, debug.traceback
local error, type, tostring, pcall = error, type, tostring, pcall

local ERROR <const> = 7 -- of skynet.h

local mistakes -- skynet/internal/mistakes.lua once something has failed

local M = {}

local forgotten -- see skynet/internal/errorrate.lua

--- A handler has returned and its request was not answered. Packets of a client may be such requests: of the C core's gate, their
--- session is its descriptor.
function M.report_forgotten(task, session, handler)
	forgotten = forgotten or require "skynet.internal.errorrate"()
	local more = forgotten()
	if not more then
		return
	end
	local where = debug.getinfo(handler, "S")
	core.error(
		string.format(
			"Maybe forgot response session %s from %s : %s:%d%s",
			session,
			runtime.api.address(runtime.origin[task]),
			where.source,
			where.linedefined,
			more
		)
	)
end

-- Tells the caller of a task that there will be no answer.
local function answer_failed(task)
	local debt = runtime.owed[task]
	if debt then
		if debt ~= 0 then
			local tag = runtime.tags[task]
			if tag then
				core.trace(tag, "error")
			end
			core.send(runtime.origin[task], ERROR, debt, "")
		end
		runtime.owed[task] = nil
	end
end

local closed -- the task that has closed itself without an answer

--- Each task has `runtime` for a to-be-closed variable. Who is closed by coroutine.close and still owes an answer may never be
--- resumed again, so the caller learns of it now.
function M.__close()
	local task = coroutine.running()
	local debt = runtime.owed[task]
	if debt then
		closed = debt ~= 0 and runtime.running == task and task or nil
		answer_failed(task)
		runtime.origin[task], runtime.tags[task] = nil, nil
	end
end

setmetatable(runtime, M)

-- The task raised an error: its caller learns of it; returns the text to report, if it is to be reported.
local function fail_task(task, problem)
	-- The caller first: a signal may interrupt what follows.
	answer_failed(task)
	local place = ""
	if runtime.origin[task] then
		mistakes = mistakes or require "skynet.internal.mistakes"
		place = mistakes.handler(task)
		if debug.getinfo(task, 1, "l") and not debug.getinfo(task, 2, "l") then -- called by the function of all tasks
			place = mistakes.unreadable(task, place)
		end
	end
	runtime.origin[task] = nil
	runtime.tags[task] = nil
	local text = place and traceback(task, tostring(problem) .. place)
	close_thread(task)
	return text
end

-- Deals with a task that stopped in another way than by "SUSPEND". Returns the text to report, if any.
local function conclude(task, alive, command)
	if not alive then
		if not debug.getinfo(task, 0, "l") then -- it had ended before: what has come has no receiver
			answer_failed(task)
			runtime.origin[task], runtime.tags[task] = nil, nil
			require "skynet.internal.unmatched".drop()
			return
		end
		return fail_task(task, command)
	elseif command == "QUIT" then
		answer_failed(task) -- of skynet.exit nothing is left, but anybody may yield this
		close_thread(task)
	elseif coroutine.status(task) == "dead" then
		-- coroutine.close() inside of it: no mistake unless a caller waits for its answer.
		local was_asked = closed == task
		closed = nil
		local text = fail_task(task, "the task has closed itself without an answer")
		return was_asked and text or nil
	elseif command == "USER" then
		return fail_task(task, "Call skynet.coroutine.yield out of skynet.coroutine.resume")
	elseif command ~= nil then -- nil: stopped by the remote debugger
		return fail_task(task, "Unknown command : " .. tostring(command))
	end
end

local LOST <const> = "lost" -- in the place of texts: there was no memory for them

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

--- Deals with a task that stopped in another way than by "SUSPEND"; returns the texts to report. What fails on the way (an error
-- value that raises when it is asked for its text, memory that is used up) fails this task alone: its caller hears of it, and
-- the other tasks go on. What is called in here lies no deeper than what failed: there may be no memory for a deeper stack.
function M.settle(texts, task, alive, command)
	local ok, text = pcall(conclude, task, alive, command)
	if not ok then
		answer_failed(task)
		close_thread(task)
		runtime.origin[task], runtime.tags[task] = nil, nil
		text = type(text) == "string" and text or "error in error handling"
	end
	local added, more = pcall(add_text, texts, text)
	if added then
		return more
	end
	return texts or LOST
end

--- Raises the texts that `settle` has returned.
function M.raise(texts)
	error(texts == LOST and "not enough memory" or table.concat(texts, "\n"), 0)
end

--- Deals with a task that the remote debugger has resumed. Raises what the task raised.
function M.settle_outside(task, alive, command)
	if not (alive and command == "SUSPEND") then
		local text = conclude(task, alive, command)
		if text then
			error(text, 0)
		end
	end
end

return M
