--- Messages that are not handled: requests without a handler, answers without a task.

local core = require "skynet.core"
local ratelimit = require "skynet.internal.ratelimit"
local runtime = require "skynet.internal.kernel"

local ERROR <const> = 7

---@class (partial) skynet
local api = {}

local M = {
	api = api,
	killed = {}, -- sessions of killed sleepers, whose timers may still fire
}

local lines -- see skynet/internal/errorrate.lua

-- A line with a message that a stranger may have sent, as many of them as he likes.
local function log(format, ...)
	lines = lines or require "skynet.internal.errorrate"()
	local more = lines()
	if more then
		core.error(string.format(format, ...) .. more)
	end
end

local function unknown_request(session, source, msg, sz, typename)
	log("Unknown request (%s): %s", typename, core.tostring(msg, sz))
	error(string.format("Unknown session : %d from %x", session, source))
end

local function unknown_response(session, source, msg, sz)
	log("Response message : %s", core.tostring(msg, sz))
	error(string.format("Unknown session : %d from %x", session, source))
end

--- Sets what happens with a send of a type without a handler; the default logs and raises.
---@param handler fun(session: integer, source: integer, msg: lightuserdata, sz: integer, typename: any)
---@return function previous
function api.dispatch_unknown_request(handler)
	local previous = unknown_request
	unknown_request = handler
	return previous
end

--- Sets what happens with an answer that no task waits for; the default logs and raises.
---@param handler fun(session: integer, source: integer, msg: lightuserdata, sz: integer)
---@return function previous
function api.dispatch_unknown_response(handler)
	local previous = unknown_response
	unknown_response = handler
	return previous
end

local function guarded(func, ...)
	local ok, text = pcall(func, ...)
	if not ok then
		return tostring(text)
	end
end

-- A message that no handler takes: a caller is told, anything else is reported.
function M.request(session, source, msg, sz, typename)
	if session ~= 0 then
		core.send(source, ERROR, session, "")
	else
		return guarded(unknown_request, session, source, msg, sz, typename)
	end
end

local dropping = ratelimit(1, 100)

-- An answer has come for a task that is at something else by now, or has ended: a coroutine of the application had waited
-- for it inside of that task, without skynet.coroutine. One line a second: a program may do that with each request.
function M.drop(session, woken)
	if session then
		runtime.watched[session] = nil
		if type(runtime.waiting[session]) == "thread" then
			runtime.waiting[session] = woken and "BREAK" or nil -- a timer that fires later
		end
	end
	local more = dropping()
	if more then
		local which = session and string.format(" (session %s)", session) or ""
		core.error(
			string.format(
				"An answer is dropped%s: %s%s",
				which,
				session
						and "who called is a coroutine of its own inside of a task. skynet.coroutine makes those that may"
					or "the task that it would resume has ended or was closed. skynet.killthread ends one that waits",
				more
			)
		)
	end
end

-- What has resumed the running task is no answer to `session`: a coroutine of the application has called, slept or waited
-- inside of this task without skynet.coroutine, and that is `which`. Waits on. Returns what a yield for `session` would.
function M.wait_on(session, which, woken)
	while true do
		M.drop(which, woken)
		local answered, msg, sz, current = coroutine.yield "SUSPEND"
		if current == session then
			return answered, msg, sz
		end
		which, woken = current, msg == "BREAK"
	end
end

-- An answer that no task waits for.
function M.response(session, source, msg, sz)
	if M.killed[session] then
		M.killed[session] = nil
	else
		return guarded(unknown_response, session, source, msg, sz)
	end
end

return M
