--- Work that has no end, or that others wait for: when the task that does it is killed, it begins again in another one.

local skynet = require "skynet"

local Again = {
	__close = function(again, problem)
		if not again.over and problem == nil then
			again.begin(again.func, again.argument)
		end
	end,
}

--- Runs func(argument) in a task of its own. What it raises ends it. Does not yield.
---@param func fun(argument: any)
---@param argument any
local function begin(func, argument)
	skynet.fork(function()
		local again <close> = setmetatable({ func = func, argument = argument, begin = begin }, Again)
		func(argument)
		again.over = true
	end)
end

return begin
