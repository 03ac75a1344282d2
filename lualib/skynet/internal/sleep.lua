--- `sleep`, `yield` and `wait`: a task that parks under a token until a timer or `wakeup` resumes it.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local api = runtime.api
local waiting, asleep, tags = runtime.waiting, runtime.asleep, runtime.tags
local running_task, new_session = runtime.current, api.genid
local running, yield = coroutine.running, coroutine.yield

local function park(session, token)
	local task = running_task()
	if tags[task] then
		core.trace(tags[task], "sleep", 3)
	end
	asleep[token] = session
	waiting[session] = task
	local fired, reason = yield "SUSPEND"
	asleep[token] = nil
	return fired, reason
end

-- What a sleep returns.
local function outcome(fired, reason)
	if not fired then
		if reason == "BREAK" then
			return reason
		end
		error(reason)
	end
end

local function check_token(token)
	if asleep[token] then
		error("token duplicative", 3)
	end
end

--- Parks the running task for some time. Yields.
---@param centiseconds integer 1/100 s
---@param token any what `wakeup` will name; the running coroutine by default; raises if in use
---@return string? "BREAK" when `wakeup` ended the sleep
function api.sleep(centiseconds, token)
	token = token or running()
	check_token(token)
	return outcome(park(runtime.start_timer(centiseconds), token))
end

--- `sleep` in milliseconds. Yields.
---@param milliseconds integer 1/1000 s
---@param token any as for `sleep`
---@return string? "BREAK" when `wakeup` ended the sleep
function api.sleep_ms(milliseconds, token)
	token = token or running()
	check_token(token)
	return outcome(park(runtime.start_fine_timer(milliseconds), token))
end

--- `timeout` in milliseconds. Does not yield.
---@param milliseconds integer 1/1000 s; 0 or less: after the messages that are already queued
---@param func function
---@return thread task for `killthread`
function api.timeout_ms(milliseconds, func)
	return runtime.start_fine_timer(milliseconds, func)
end

--- Lets the messages that are already queued go first. Yields.
function api.yield()
	return api.sleep(0)
end

--- Parks the running task until `wakeup(token)`. Yields.
---@param token any the running coroutine by default; raises if in use
function api.wait(token)
	token = token or running()
	if asleep[token] then
		error("token duplicative", 2)
	end
	local session, task = new_session(), running_task()
	if tags[task] then
		core.trace(tags[task], "sleep", 2)
	end
	asleep[token] = session
	waiting[session] = task
	yield "SUSPEND"
	asleep[token] = nil
	waiting[session] = nil
end
