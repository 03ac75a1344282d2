--- Critical sections: functions given to one queue run one after the other, however often they yield.
---
---     local queue = require "skynet.queue"
---     local enter = queue()
---     enter(function(...) ... end, ...)

---@class (partial) skynet
local skynet = require "skynet"

--- A new queue. Does not yield.
---@return fun(func: function, ...): any enter runs func(...), after those before it, and returns its
--- results; raises what func raises. The owner may enter again. Yields.
function skynet.queue()
	local owner -- coroutine inside
	local depth = 0 -- how often it has entered
	local line, first, last = {}, 1, 0 -- places of those that wait: { task =, gone = true if it has given up }

	-- Before another task can enter.
	local function hand_over()
		while first <= last do
			local place = line[first]
			line[first] = nil
			first = first + 1
			if not place.gone then
				owner, depth = place.task, 1
				skynet.wakeup(place)
				return
			end
		end
		owner, depth = nil, 0
		first, last = 1, 0
	end

	-- These run also when the task is killed: neither the section nor a place in the line goes with it.
	local inside = setmetatable({}, {
		__close = function()
			depth = depth - 1
			if depth == 0 then
				hand_over()
			end
		end,
	})
	local in_line = {
		__close = function(place)
			if place.entered then
				return
			elseif owner == place.task then
				hand_over()
			else
				place.gone = true
			end
		end,
	}

	local function wait_in_line(me)
		local place <close> = setmetatable({ task = me, entered = false }, in_line)
		line[last + 1] = place -- may raise: then nothing has changed
		last = last + 1
		skynet.wait(place)
		place.entered = true
	end

	-- It is left before an error goes on: a coroutine that an error ends closes nothing of its own.
	local function run(func, ...)
		local section <close> = inside
		return xpcall(func, debug.traceback, ...)
	end

	local function results(ok, ...)
		if not ok then
			error((...), 0)
		end
		return ...
	end

	return function(func, ...)
		local me = coroutine.running()
		if owner and owner ~= me then
			wait_in_line(me)
		else
			owner, depth = me, depth + 1
		end
		return results(run(func, ...))
	end
end

return skynet.queue
