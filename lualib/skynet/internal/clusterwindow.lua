--- How much of what a node was asked may be under way on a connection at a time. What is more waits in its order.
---
---     local window = clusterwindow.new(acknowledge)
---     window.limit(1000, 16 * 1024 * 1024)
---     if window.enter(bytes) then ... window.leave(bytes) end -- for a call
---     if window.push(bytes) then ... end                      -- for a send
---
--- Calls leave when they are answered. Nobody answers sends, so after each half of a window the node is asked for a name: it
--- answers that when it has passed on what came before.

local skynet = require "skynet"

local M = {}

---@param acknowledge fun() returns when the node has passed on what it was sent so far; yields
---@param most integer requests that may wait
---@param most_bytes fun(): integer of them
function M.new(acknowledge, most, most_bytes)
	local count_limit, byte_limit -- nil: none
	local count, bytes = 0, 0 -- under way
	local unasked, unasked_bytes = 0, 0 -- sends that no acknowledgement has been asked for
	local tasks, first, last, waiting_bytes = {}, 1, 0, 0
	local window = { is_on = false }

	local function is_full()
		return count_limit and count >= count_limit or byte_limit and bytes >= byte_limit
	end

	-- Those at the front go on while there is room; each enters when it runs, so one at a time.
	local function wake()
		if first <= last and not is_full() then
			skynet.wakeup(tasks[first])
		end
	end

	local function wait(size)
		if last - first + 1 >= most or waiting_bytes + size > most_bytes() then
			return false
		end
		local task = coroutine.running()
		last = last + 1
		tasks[last], waiting_bytes = task, waiting_bytes + size
		skynet.wait(task)
		tasks[first], waiting_bytes = nil, waiting_bytes - size
		first = first + 1
		return true
	end

	--- A request of so many bytes begins. Yields when there is no room. False: too many wait already.
	---@param size integer
	---@return boolean
	function window.enter(size)
		if (first <= last or is_full()) and not wait(size) then
			return false
		end
		count, bytes = count + 1, bytes + size
		wake()
		return true
	end

	--- It is answered, or has failed. Does not yield.
	---@param size integer
	function window.leave(size)
		count, bytes = count - 1, bytes - size
		wake()
	end

	--- Asks for the acknowledgement of sends if it is time; the window has to be on. Does not yield.
	---@param size integer of one more send
	function window.sent(size)
		unasked, unasked_bytes = unasked + 1, unasked_bytes + size
		if
			count_limit and unasked * 2 >= count_limit
			or byte_limit and unasked_bytes * 2 >= byte_limit
			or is_full()
		then
			local n, size_of_them = unasked, unasked_bytes
			unasked, unasked_bytes = 0, 0
			skynet.fork(function()
				pcall(acknowledge)
				count, bytes = count - n, bytes - size_of_them
				wake()
			end)
		end
	end

	--- Sets the limits; nil: none. What waits goes on, if it may. Does not yield.
	---@param requests integer?
	---@param size integer? bytes
	function window.limit(requests, size)
		count_limit, byte_limit = requests, size
		window.is_on = (requests or size) ~= nil
		wake()
	end

	--- Requests that wait for room, and their bytes. Does not yield.
	---@return integer requests, integer bytes
	function window.waiting()
		return last - first + 1, waiting_bytes
	end

	return window
end

return M
