--- Requests that wait for something, in order, with a bound for all of them together.
---
---     local parked = parking(65536)
---     parked.wait(bytes, most_bytes, 100, before)  -- false: there is no room
---     parked.release()

local skynet = require "skynet"
local defer = require "skynet.internal.defer"

---@param most integer requests
---@return { count: integer, bytes: integer, wait: function, release: function } parked
return function(most)
	local tasks, first, last = {}, 1, 0
	local parked = { count = 0, bytes = 0 }

	--- Waits until the release, at most so long. Yields.
	---@param bytes integer of the request
	---@param most_bytes integer of all of them
	---@param limit integer 1/100 s
	---@param before fun() called when there is room
	---@return boolean waited false: there is no room
	function parked.wait(bytes, most_bytes, limit, before)
		if parked.count >= most or parked.bytes + bytes > most_bytes then
			return false
		end
		local task, place, list = coroutine.running(), last + 1, tasks
		parked.count, parked.bytes = parked.count + 1, parked.bytes + bytes
		tasks[place], last = task, place
		local _ <close> = defer(function()
			list[place] = nil
			parked.count, parked.bytes = parked.count - 1, parked.bytes - bytes
			if parked.count == 0 then -- or the release would look at all that ever waited
				tasks, first, last = {}, 1, 0
			end
		end)
		before()
		skynet.sleep(limit, task)
		return true
	end

	--- All go on. Does not yield.
	function parked.release()
		for place = first, last do
			if tasks[place] then
				skynet.wakeup(tasks[place])
			end
		end
		tasks, first, last = {}, 1, 0
	end

	return parked
end
