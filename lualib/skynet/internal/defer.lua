--- Runs a function when the variable that holds the guard goes out of scope: also when the running task is killed
--- (`skynet.killthread`, `killtask`), of which nothing in the task hears otherwise.
---
---     local guard <close> = defer(socket.close, id)
---     ...                                               -- yields
---     guard.dismissed = true                            -- from here on somebody else knows of it
---
--- An error and a plain return run it, too, unless it was dismissed. It must not yield: `skynet.fork` what has to.
--- docs/internals/killed-tasks.md says who has to have one.

local Guard = {
	__close = function(guard)
		if not guard.dismissed then
			guard.func(guard.argument)
		end
	end,
}

--- Does not yield.
---@param func fun(argument: any)
---@param argument any
---@return { dismissed: boolean?, argument: any } guard
return function(func, argument)
	return setmetatable({ func = func, argument = argument }, Guard)
end
