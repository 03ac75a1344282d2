--- Critical sections: functions given to one queue run one after the other, however often they yield.
---
---     local queue = require "skynet.queue"
---     local enter = queue()
---     enter(function(...) ... end, ...)

local skynet = require "skynet"

--- A new queue. Does not yield.
---@return fun(func: function, ...): any enter runs func(...), after those before it, and returns its
--- results; raises what func raises. The owner may enter again. Yields.
function skynet.queue()
	local owner            -- coroutine inside
	local depth = 0        -- how often it has entered
	local line, first, last = {}, 1, 0

	local function leave(ok, ...)
		depth = depth - 1
		if depth == 0 then
			owner = line[first] -- hand over before anybody else can enter
			if owner then
				line[first] = nil
				first = first + 1
				skynet.wakeup(owner)
			else
				first, last = 1, 0
			end
		end
		if not ok then
			error((...), 0)
		end
		return ...
	end

	return function(func, ...)
		local me = coroutine.running()
		if owner and owner ~= me then
			last = last + 1
			line[last] = me
			skynet.wait(me)
			assert(owner == me and depth == 0)
		end
		owner = me
		depth = depth + 1
		return leave(xpcall(func, debug.traceback, ...))
	end
end

return skynet.queue
