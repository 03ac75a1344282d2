--- Pauses between tries, each about twice as long as the one before, and never the same for two who wait for the same thing.
---
---     local pause, served = backoff(10, 200)
---     skynet.sleep(pause())      -- 5 to 10, then 10 to 20, ... 100 to 200, in 1/100 s
---     pause(true)                -- it has worked: from the beginning
---     served(since)              -- it has worked since that time: from the beginning, if that was for long enough

local now = require "skynet.core".now

--- 1/100 s: a peer that accepts a connection and ends it sooner has not served, so the pauses go on growing.
local PROVEN <const> = 300

---@param first integer 1/100 s
---@param longest integer 1/100 s
---@param at_once boolean? the first try has no pause before it (0)
---@return fun(reset: boolean?): integer pause
---@return fun(since: integer): boolean served
return function(first, longest, at_once)
	local next_pause, pauses = first, not at_once

	local function pause(reset)
		if reset then
			next_pause, pauses = first, not at_once
			return 0
		elseif not pauses then
			pauses = true
			return 0
		end
		local time = next_pause // 2 + math.random(0, next_pause // 2)
		next_pause = math.min(next_pause * 2, longest)
		return time
	end

	local function served(since)
		local long_enough = now() - since >= PROVEN
		if long_enough then
			pause(true)
		end
		return long_enough
	end

	return pause, served
end
