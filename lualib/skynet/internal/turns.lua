--- Packets of many connections, turn by turn: after some packets of one connection that have come at once the others have theirs.
--- If who gets the packets is behind, or what was written to the connection is not read, it is not read either until that is
--- better; what had come before waits here. So nothing is lost, and who sends too fast waits in his TCP.
---
---     line.arrive()                   -- something has come: the packets from here to the next call are such that come at once
---     local line = turns.new { message = function(fd, msg, sz) end, is_behind = function(fd, count) end }
---     line.packet(fd, msg, sz)        -- it belongs to `message` then
---     line.ending(fd, function() end) -- the connection has ended: runs when all of its packets were given
---     line.discard(fd)                -- forgets what waits; nil: of all
---     line.is_paused(fd)              -- whether it is not read until it has its turn

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local output = require "skynet.internal.output"

local TURN <const> = 64 -- packets
local ARRIVALS <const> = 8 -- packets that may come between two turns before nothing more is read
local RELIEF <const> = 1 -- 1/1000 s between two looks at who is behind: less than he needs for what waits
-- Who stays behind is looked at less and less often, so that many of them cost no more than a few: so many in 1/1000 s.
local LOOKS <const> = 8
local MOST_RELIEF <const> = 500 -- 1/1000 s, whatever their number is
local MOST_UNREAD <const> = 16 * 1024 * 1024 -- bytes

local CHUNK <const>, MOST_SPARE <const> = 512, 256 -- values, tables

local timeout = skynet.timeout_ms or skynet.timeout -- older layers know only 1/100 s

local M = {}

-- Many small packets may wait, so they are kept in small tables one after another, which are used again: none is made anew
-- because it grows, and none is garbage.
local spare, spare_count = nil, 0

local function new_chunk()
	local chunk = spare
	if chunk then
		spare, chunk.next = chunk.next, nil
		spare_count = spare_count - 1
		return chunk
	end
	return table.create and table.create(CHUNK) or {}
end

local function give_back(chunk)
	if spare_count < MOST_SPARE then
		chunk.next, spare = spare, chunk
		spare_count = spare_count + 1
	end
end

local function new_queue()
	local chunk = new_chunk()
	return { head = chunk, first = 1, tail = chunk, last = 0, chunks = 1 }
end

local function push(queue, msg, sz)
	local last = queue.last
	if last == CHUNK then
		local chunk = new_chunk()
		queue.chunks = queue.chunks + 1
		queue.tail.next = chunk
		queue.tail, last = chunk, 0
	end
	queue.tail[last + 1], queue.tail[last + 2] = msg, sz
	queue.last = last + 2
end

local function take(queue)
	local head, first = queue.head, queue.first
	if first > CHUNK then
		local empty = head
		head, first = head.next, 1
		if not head then
			return nil
		end
		queue.head = head
		give_back(empty)
	elseif head == queue.tail and first > queue.last then
		return nil
	end
	queue.first = first + 2
	return head[first], head[first + 1]
end

local function pause(fd, queue)
	if not queue.paused then
		queue.paused = true
		driver.pause(fd)
	end
end

-- Whether it has to, and if not, how many packets its next turn may have.
local function has_to_wait(owner, fd, count)
	local behind, most
	if owner.is_behind then
		behind, most = owner.is_behind(fd, count)
	end
	return behind or output(fd) > MOST_UNREAD, math.min(most or TURN, TURN)
end

-- A line keeps: owner; behind, how many queues wait for who is behind; held, fd -> queue with left = packets of this turn,
-- arrivals, paused, ending, relief = 1/1000 s until the next look.

local next_turn

-- It gives others their turn.
local function give_way(line, fd, queue)
	queue.left, queue.arrivals, queue.relief = 0, 0, nil
	timeout(0, function()
		next_turn(line, fd, queue)
	end)
end

-- It waits for who is behind.
local function wait_turn(line, fd, queue)
	queue.left, queue.arrivals = 0, 0
	pause(fd, queue)
	line.behind = line.behind + 1
	queue.relief = math.min(2 * (queue.relief or 0), line.behind // LOOKS, MOST_RELIEF)
	queue.relief = math.max(queue.relief, RELIEF)
	timeout(queue.relief, function()
		line.behind = line.behind - 1
		next_turn(line, fd, queue)
	end)
end

local function end_turn(line, fd, queue, count)
	if has_to_wait(line.owner, fd, count) then
		wait_turn(line, fd, queue)
	else
		give_way(line, fd, queue)
	end
end

-- All that waited was given. Other tasks may find that out later.
local function finish(line, fd, queue)
	if line.held[fd] == queue then
		line.held[fd] = nil
		if queue.chunks > MOST_SPARE then
			spare, spare_count = nil, 0
			collectgarbage() -- nothing else may happen here for long
		end
		if queue.ending then
			line.forget(fd)
			queue.ending()
		elseif queue.paused and not (line.owner.is_closing and line.owner.is_closing(fd)) then
			driver.start(fd)
		end
	end
end

local function go_on(line, fd, queue)
	local held, message = line.held, line.owner.message
	if queue.left <= 0 or held[fd] ~= queue then
		return
	end
	skynet.fork(go_on, line, fd, queue) -- when the owner has to wait with one, another task goes on with the next
	while queue.left > 0 and held[fd] == queue do
		local msg, sz = take(queue)
		if not msg then
			return finish(line, fd, queue)
		end
		queue.left = queue.left - 1
		if queue.left == 0 then
			end_turn(line, fd, queue, TURN)
		end
		message(fd, msg, sz)
	end
end

function next_turn(line, fd, queue)
	if line.held[fd] ~= queue then
		return -- discarded
	end
	local waits, most = has_to_wait(line.owner, fd, 0)
	if waits then
		return wait_turn(line, fd, queue)
	end
	queue.left, queue.relief = most, nil
	go_on(line, fd, queue)
end

local function trash_all(queue)
	local msg, sz = take(queue)
	while msg do
		skynet.trash(msg, sz)
		msg, sz = take(queue)
	end
end

local function discard(line, fd)
	local queue = line.held[fd]
	line.held[fd] = nil
	line.forget(fd)
	if queue then
		trash_all(queue)
	end
end

--- is_behind(fd, count): whether who gets the packets of fd is behind; count of them were given since it was asked last. After
--- a false, how many may be given before it is asked again, if they are fewer than a turn has.
--- is_closing(fd): whether the owner has closed fd, which is not to be read again then: that would be an error.
---@param owner { message: function, is_behind: function?, is_closing: function? }
---@return table line see above
function M.new(owner)
	local counts, began, held = {}, {}, {} -- fd -> packets of its turn, arrival in which that began, queue
	local arrival = 0
	local state = { owner = owner, behind = 0, held = held }
	local line = {}

	function state.forget(fd)
		counts[fd], began[fd] = nil, nil
	end

	local function hold(fd)
		local queue = new_queue()
		held[fd] = queue
		return queue
	end

	-- Those who sent less than a turn at once have let others in between, and need not wait for them.
	local function end_first_turn(fd)
		local waits, at_once = has_to_wait(owner, fd, TURN), began[fd] == arrival
		state.forget(fd)
		if waits then
			wait_turn(state, fd, hold(fd))
		elseif at_once then
			give_way(state, fd, hold(fd))
		end
	end

	function line.arrive()
		arrival = arrival + 1
	end

	function line.packet(fd, msg, sz)
		local queue = held[fd]
		if queue then
			push(queue, msg, sz)
			queue.arrivals = queue.arrivals + 1
			if queue.arrivals == ARRIVALS then
				pause(fd, queue)
			end
			return
		end
		local count = counts[fd]
		if not count then
			count, began[fd] = 0, arrival
		end
		count = count + 1
		counts[fd] = count
		if count == TURN then
			end_first_turn(fd)
		end
		return owner.message(fd, msg, sz)
	end

	function line.ending(fd, run)
		if held[fd] then
			held[fd].ending = held[fd].ending or run -- an error comes before the end that follows it
		else
			state.forget(fd)
			run()
		end
	end

	function line.is_paused(fd)
		return held[fd] ~= nil and held[fd].paused == true
	end

	function line.discard(fd)
		if fd then
			discard(state, fd)
		else
			for each in pairs(held) do
				discard(state, each)
			end
		end
	end

	return line
end

return M
