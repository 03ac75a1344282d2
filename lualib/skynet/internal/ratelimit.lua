--- Keeps the log short, however many things go wrong: so many lines in a time, and the next one counts what was left out.
---
---     local limit = ratelimit(20, 1000)
---     local more = limit()
---     if more then skynet.error("a client misbehaves" .. more) end

local now = require "skynet.core".now

---@param most integer lines
---@param time integer 1/100 s in which they may be written
---@return fun(): string? limit what to append to a line that is to be written, "" or how many were not; nil: leave it out
return function(most, time)
	local since, written, left_out = -math.huge, 0, 0
	return function()
		local present = now()
		if present - since >= time then
			since, written = present, 0
		end
		if written >= most then
			left_out = left_out + 1
			return nil
		end
		written = written + 1
		if left_out == 0 then
			return ""
		end
		local more = string.format(" (and %d before that were not written)", left_out)
		left_out = 0
		return more
	end
end
