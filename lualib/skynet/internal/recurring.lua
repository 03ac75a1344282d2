--- Something that is looked at again and again while there is a need, as limits of time are. It goes on when the task that does it
--- is killed, and when a look fails: there may be no memory for a moment.
---
---     local watch = recurring(function()
---         ...
---         return 50 -- 1/100 s until the next look; nil: there is no need any more
---     end)
---     watch(100) -- the first look is in 1 s, or now for 0, unless it is being looked at already

local skynet = require "skynet"
local respawn = require "skynet.internal.respawn"

local RETRY <const> = 100 -- 1/100 s after a look that has failed

local function follow(state)
	while state.pause do
		skynet.sleep(state.pause)
		local ok, pause = pcall(state.look)
		if not ok then
			pcall(skynet.error, pause)
			pause = RETRY
		end
		state.pause = pause
	end
end

local function run(state)
	local ok, problem = pcall(follow, state)
	if not ok then
		state.pause = nil -- the next need begins it again
		error(problem, 0)
	end
end

--- Nothing is looked at yet. Does not yield.
---@param look fun(): integer?
---@return fun(pause: integer): boolean begin true: it was not being looked at. Yields only if the look does
return function(look)
	local state = { look = look }
	return function(pause)
		if state.pause then
			return false
		end
		pause = pause > 0 and pause or look()
		if pause then
			state.pause = pause
			respawn(run, state)
		end
		return true
	end
end
