--- errorrate(): a limit for lines of the log that each message of a stranger may cause: so many in a second as the config says of
--- errors (`log_error_rate`; 0: all of them). See skynet.internal.ratelimit.

local core = require "skynet.core"
local ratelimit = require "skynet.internal.ratelimit"

local LINES <const>, SECOND <const> = 100, 100 -- 1/100 s

---@return fun(): string? limit does not yield
return function()
	local most = core.command("GETENV", "log_error_rate")
	most = most and math.tointeger(tonumber(most)) or LINES
	return ratelimit(most > 0 and most or math.maxinteger, SECOND)
end
