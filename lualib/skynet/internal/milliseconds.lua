--- `sleep_ms` and `timeout_ms`. Loaded by the first call.

local runtime = require "skynet.internal.kernel"

---@class (partial) skynet
local api = {}

--- `sleep` in milliseconds. Yields.
---@param milliseconds integer 1/1000 s
---@param token any as for `sleep`
---@return string? "BREAK" when `wakeup` ended the sleep, or else no value
function api.sleep_ms(milliseconds, token)
	local reason = runtime.sleep_for(runtime.start_fine_timer, milliseconds, token)
	if reason then -- no tail call, so that an error names the caller; and no value unless it was woken
		return reason
	end
end

--- `timeout` in milliseconds. Does not yield.
---@param milliseconds integer 1/1000 s; 0 or less: after the messages that are already queued
---@param func function
---@return thread task for `killthread`
function api.timeout_ms(milliseconds, func)
	return runtime.start_fine_timer(milliseconds, func)
end

return api
