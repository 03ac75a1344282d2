--- A task that others rely on, such as a loop without end: when it is killed, its function is called again in a new task. What the
--- function keeps in its argument, or in variables outside, is what it goes on with. docs/internals/killed-tasks.md says more.

local skynet = require "skynet"

local Running = {
	-- With a problem the function has raised: that is no kill, and it would raise again.
	__close = function(running, problem)
		if not running.returned and problem == nil then
			running.respawn(running.func, running.argument)
		end
	end,
}

--- Calls func(argument) in a task of its own, and again whenever that task is killed, until it returns or raises. Does not yield.
---@param func fun(argument: any)
---@param argument any
local function respawn(func, argument)
	skynet.fork(function()
		local running <close> = setmetatable({ func = func, argument = argument, respawn = respawn }, Running)
		func(argument)
		running.returned = true
	end)
end

return respawn
