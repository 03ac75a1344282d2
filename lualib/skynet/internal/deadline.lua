--- Calls that do not wait for ever: `call_timeout`. Loaded by the first call.

local runtime = require "skynet.internal.kernel"
local timers = require "skynet.internal.timers"

local protocols = runtime.protocols
local waiting, watched = runtime.waiting, runtime.watched

local BREAK <const> = "BREAK"

---@class (partial) skynet
local api = {}

local EXPIRED <const> = 0 -- in the place of a session: the time of that call is over
local clock -- the coroutine that takes the timers of all calls
local call_of = {} -- session of a timer -> session of the call that it limits

-- Resumed for each timer that fires.
local function watch_clock()
	while true do
		local _, _, _, timer = coroutine.yield "SUSPEND"
		waiting[timer] = nil
		local session = call_of[timer]
		if session and watched[session] then
			call_of[timer] = EXPIRED -- takes no memory
			runtime.fail_call(session)
		else
			call_of[timer] = nil
		end
	end
end

-- The one before has died for lack of memory, with the timer that it was resumed for.
local function relieve(old)
	for timer, session in pairs(call_of) do
		if waiting[timer] == old then
			waiting[timer] = clock
		elseif session ~= EXPIRED and watched[session] then
			call_of[timer] = EXPIRED
			runtime.fail_call(session)
		end
	end
end

local function start_clock()
	local caller = runtime.running
	clock = coroutine.create(watch_clock)
	runtime.running = clock
	coroutine.resume(clock)
	runtime.running = caller
end

local function finish(session, timer, place, ok, msg, sz)
	local state = call_of[timer]
	call_of[timer] = nil
	if state and state ~= EXPIRED then
		waiting[timer] = nil
		if not timers.cancel(timer, place) then
			waiting[timer] = BREAK -- it may fire later
		end
	end
	if state == EXPIRED then
		watched[session] = nil
		waiting[session] = BREAK -- a late answer has no receiver
		error("call timeout", 3)
	elseif not ok then
		error(msg, 0)
	end
	return msg, sz
end

--- `call` with a limit of time. Yields.
---@param centiseconds integer 1/100 s
---@param address integer|string
---@param typename string|integer
---@param ... any the values of the request
---@return any ... the values of the answer. Raises what `call` raises, and "call timeout" when there
--- was no answer in time; a later one is dropped
function api.call_timeout(centiseconds, address, typename, ...)
	local protocol = protocols[typename]
	if not protocol then
		error("unknown protocol " .. tostring(typename), 2)
	end
	runtime.trace_call(address)
	local session = runtime.request(runtime.running, address, protocol, ...)
	if not session then
		return runtime.finish_call(address, session) -- raises
	end
	if not clock then
		start_clock()
	elseif coroutine.status(clock) == "dead" then
		local old = clock
		start_clock()
		relieve(old)
	end
	local timer, place = timers.start(centiseconds)
	call_of[timer] = session
	waiting[timer] = clock
	return protocol.unpack(finish(session, timer, place, pcall(runtime.finish_call, address, session)))
end

return api
