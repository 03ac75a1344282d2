--- Work that has no end, or that others wait for: when the task that does it is killed, it begins again in another one.

local skynet = require "skynet"
local ifkilled = require "skynet.internal.ifkilled"

--- Runs func(argument) in a task of its own. What it raises ends it. Does not yield.
---@param func fun(argument: any)
---@param argument any
local function loop(func, argument)
	skynet.fork(function()
		local guard <close> = ifkilled(function()
			loop(func, argument)
		end)
		local ok, problem = xpcall(func, debug.traceback, argument)
		guard.over = true
		if not ok then
			error(problem, 0)
		end
	end)
end

return loop
