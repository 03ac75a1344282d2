--- Calls that do not wait for ever: `call_timeout`. Loaded by the first call.

local runtime = require "skynet.internal.kernel"

local protocols = runtime.protocols
local waiting, watched = runtime.waiting, runtime.watched

local BREAK <const> = "BREAK"

---@class (partial) skynet
local api = {}

local call_of = {} -- session of a timer -> session of the call that it limits
local expired = {} -- sessions of calls whose time is over

-- One coroutine takes the timers of all calls: resumed for each that fires.
local function watch_clock()
	while true do
		local _, _, _, timer = coroutine.yield "SUSPEND"
		local session = call_of[timer]
		call_of[timer] = nil
		if session and watched[session] then
			expired[session] = true
			runtime.fail_call(session)
		end
	end
end

local clock

local function start_clock()
	local caller = runtime.current()
	clock = coroutine.create(watch_clock)
	runtime.resume(clock)
	runtime.set_current(caller)
end

local function finish(session, timer, place, ok, msg, sz)
	if call_of[timer] then
		call_of[timer] = nil
		waiting[timer] = nil
		if not runtime.cancel_timer(timer, place) then
			waiting[timer] = BREAK -- it may fire later
		end
	end
	if expired[session] then
		expired[session] = nil
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
	local session = runtime.request(runtime.current(), address, protocol, ...)
	if not session then
		return runtime.finish_call(address, session) -- raises
	end
	if not clock then
		start_clock()
	end
	local timer, place = runtime.start_timer_to_cancel(centiseconds)
	call_of[timer] = session
	waiting[timer] = clock
	return protocol.unpack(finish(session, timer, place, pcall(runtime.finish_call, address, session)))
end

return api
