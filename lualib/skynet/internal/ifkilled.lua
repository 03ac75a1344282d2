--- What has to be done when the running task is killed (`skynet.killthread`, `killtask`): for a variable to be closed.
---
---     local guard <close> = ifkilled(socket.close, id)
---     ...                                               -- yields
---     guard.over = true                                 -- from here on somebody else knows of it
---
--- What raises before `over` is set has it done, too. It is done where nothing can yield: `skynet.fork` what has to.

local Guard = {
	__close = function(guard)
		if not guard.over then
			guard.func(guard.argument)
		end
	end,
}

--- Does not yield.
---@param func fun(argument: any)
---@param argument any
---@return { over: boolean?, argument: any } guard
return function(func, argument)
	return setmetatable({ func = func, argument = argument }, Guard)
end
