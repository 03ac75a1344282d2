--- `sleep_ms` and `timeout_ms`. Loaded by the first call.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

---@class (partial) skynet
local api = {}

local function start(milliseconds)
	local session = core.intcommand("TIMEOUTMS", milliseconds)
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	return session
end

--- `sleep` in milliseconds. Yields.
---@param milliseconds integer 1/1000 s
---@param token any as for `sleep`
---@return string? "BREAK" when `wakeup` ended the sleep, or else no value
function api.sleep_ms(milliseconds, token)
	local reason = runtime.sleep_for(start, milliseconds, token)
	if reason then -- no tail call, so that an error names the caller; and no value unless it was woken
		return reason
	end
end

--- `timeout` in milliseconds. Does not yield.
---@param milliseconds integer 1/1000 s; 0 or less: after the messages that are already queued
---@param func function
---@return thread task for `killthread`
function api.timeout_ms(milliseconds, func)
	if func == nil then
		func = require "skynet.internal.nofunction" "skynet.timeout_ms"
	end
	return runtime.timer_task(start(milliseconds), func)
end

return api
