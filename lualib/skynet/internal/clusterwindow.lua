--- How much of what a node was asked may be under way on a connection at a time. What is more waits in its order.
---
---     local window = clusterwindow.new(acknowledge, 65536, function() return 64 * 1024 * 1024 end)
---     window.limit(1000, 16 * 1024 * 1024)
---     if window.enter(bytes) then ... window.leave(bytes) end -- around a call
---     if window.enter(bytes) then ... window.sent(bytes) end  -- around a send
---
--- Calls leave when they are answered. Nobody answers sends, so after each half of a window the node is asked for a name: it
--- answers that when it has passed on what came before.

local skynet = require "skynet"
local defer = require "skynet.internal.defer"

local M = {}

-- Tasks that wait for room, in their order. `on_gone` is called when one of them was killed: it may have been woken.
local function new_line(most, most_bytes)
	local places, first, last, count = {}, 1, 0, 0
	local line = { bytes = 0 }

	local Place = {}
	function Place.__close(place)
		places[place.number] = nil
		count, line.bytes = count - 1, line.bytes - place.size
		while first <= last and not places[first] do
			first = first + 1
		end
		if not place.passed then
			line.on_gone()
		end
	end

	function line.count()
		return count
	end

	-- Yields until the running task is woken. False: too many wait already.
	function line.wait(size)
		if line.count() >= most or line.bytes + size > most_bytes() then
			return false
		end
		last = last + 1
		count, line.bytes = count + 1, line.bytes + size
		local place <close> = setmetatable({ number = last, size = size }, Place)
		places[last] = place
		skynet.wait(place)
		place.passed = true
		return true
	end

	function line.wake_first()
		skynet.wakeup(places[first])
	end

	return line
end

-- One function, as its parts are closures over the same counts.
---@param acknowledge fun() returns when the node has passed on what it was sent so far; yields
---@param most integer requests that may wait
---@param most_bytes fun(): integer of them
function M.new(acknowledge, most, most_bytes)
	local count_limit, byte_limit -- nil: none
	local count, bytes = 0, 0 -- under way
	local unasked, unasked_bytes = 0, 0 -- sends that no acknowledgement has been asked for
	local line = new_line(most, most_bytes)
	local window = { is_on = false }

	local function is_full()
		return count_limit and count >= count_limit or byte_limit and bytes >= byte_limit
	end

	-- Those at the front go on while there is room; each enters when it runs, so one at a time.
	local function wake()
		if line.count() > 0 and not is_full() then
			line.wake_first()
		end
	end

	line.on_gone = wake

	local function is_time()
		return count_limit and unasked * 2 >= count_limit or byte_limit and unasked_bytes * 2 >= byte_limit or is_full()
	end

	-- Asks for the acknowledgement of sends, if it is time: without it they are under way for ever.
	local function ask_in_time()
		if unasked > 0 and is_time() then
			local n, size = unasked, unasked_bytes
			unasked, unasked_bytes = 0, 0
			skynet.fork(function()
				local _ <close> = defer(function() -- and when it has ended
					count, bytes = count - n, bytes - size
					wake()
				end)
				pcall(acknowledge)
			end)
		end
	end

	--- A request of so many bytes begins. Yields when there is no room. False: too many wait already.
	---@param size integer
	---@return boolean
	function window.enter(size)
		if (line.count() > 0 or is_full()) and not line.wait(size) then
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

	--- It is sent, and nobody answers it: asks for an acknowledgement if it is time. Does not yield.
	---@param size integer
	function window.sent(size)
		unasked, unasked_bytes = unasked + 1, unasked_bytes + size
		ask_in_time()
	end

	--- Sets the limits; nil: none. What waits goes on, if it may. Does not yield.
	---@param requests integer?
	---@param size integer? bytes
	function window.limit(requests, size)
		count_limit, byte_limit = requests, size
		window.is_on = (requests or size) ~= nil
		ask_in_time() -- what was little may be all that is allowed now
		wake()
	end

	--- Requests that wait for room, and their bytes. Does not yield.
	---@return integer requests, integer bytes
	function window.waiting()
		return line.count(), line.bytes
	end

	return window
end

return M
