-- What tests of killed tasks share.
local skynet = require "skynet"
local check = require "check"

local M = {}

--- Kills the tasks of a service whose stack has a pattern, as the debug console does. Yields.
---@return integer killed
---@return string? problem what the last one that was not killed has answered
function M.kill(address, pattern)
	local killed, problem = 0, nil
	for name, stack in pairs(skynet.call(address, "debug", "TASK")) do
		if string.find(stack, pattern) then
			problem = skynet.call(address, "debug", "KILLTASK", string.match(name, "^(thread: %S+)")) or problem
			killed = killed + 1
		end
	end
	return killed, problem
end

--- Does so as soon as there is one. Yields.
function M.await_kill(address, pattern)
	check.await(function()
		return M.kill(address, pattern) > 0
	end)
end

--- Calls a function in a task of its own. Does not yield.
---@return table outcome for `await`; `ok`: nil while it runs
function M.in_task(func, ...)
	local outcome = {}
	skynet.fork(function(...)
		outcome.ok, outcome.value = pcall(func, ...)
	end, ...)
	return outcome
end

--- Waits for that: as `pcall`, with one value. Yields.
function M.await(outcome)
	check.await(function()
		return outcome.ok ~= nil
	end)
	return outcome.ok, outcome.value
end

return M
