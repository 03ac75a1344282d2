--- Work that several tasks need at once: one of them does it, and the others wait for its result. When that one is killed at it,
--- one of the others goes on, so nobody waits for ever.
---
---     local result = shared(running, key, func)   -- running: a table for the work of this kind

local skynet = require "skynet"

local Work = {
	__close = function(work)
		work.running[work.key] = nil
		for i = 1, #work do
			skynet.wakeup(work[i])
		end
	end,
}

local function finish(work)
	if work.ok then
		return work.result
	end
	error(work.result, 0)
end

--- Yields. Raises what `func` has raised, in every task that waited for it.
---@param running table
---@param key any
---@param func fun(): any
---@return any result
return function(running, key, func)
	local others = running[key]
	while others do
		local place = {}
		others[#others + 1] = place
		skynet.wait(place)
		if others.done then
			return finish(others)
		end
		others = running[key] -- of another that was faster, if it is there again
	end
	local work <close> = setmetatable({ running = running, key = key }, Work)
	running[key] = work
	work.ok, work.result = pcall(func)
	work.done = true
	return finish(work)
end
