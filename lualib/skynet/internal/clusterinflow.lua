--- Packets of one connection of another node in their order, for its clusteragent: a few at a time, so that others have their turn,
--- and no more are read while too many wait.
---
---     local inflow = clusterinflow.new(fd, connection)
---     inflow.on(queue, "more")  -- what netpack says of a message of the socket

local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local skynet = require "skynet"

local LOOK_EACH <const> = 64 -- packets between two breaks, in which others have their turn
local BURST <const> = 256 -- packets that may come at once before nothing more is read until they are done
local ARRIVALS <const> = 8 -- pieces of the stream that may come in a break before nothing more is read
local RELIEF <const>, MOST_RELIEF <const> = 1, 32 -- 1/100 s between two looks while nothing is read; the longer that lasts, the more

local M = {}

-- One function, as its parts share the state of the connection, which each packet looks at.
---@param fd integer
---@param connection { take: (fun(msg: lightuserdata, sz: integer): boolean?), is_too_much: (fun(): boolean), may_ask: (fun(): boolean), is_closed: (fun(): boolean), ended: (fun(): boolean), finish: fun(fault: string?) }
--- take: handles a packet, which it consumes; true: a task goes on with it. may_ask: one thing, when it is too much. ended: whether nobody
--- cares for the answers to what has come. finish: does not return
---@return { on: function, is_held_up: (fun(): boolean), read_no_more: fun(), queue: (fun(): userdata?) } inflow
function M.new(fd, connection)
	local queue -- of netpack: packets that came at once, and halves of packets
	local on, inflow = {}, {}
	local stalled, reading = false, true -- what has come waits in the queue; whether more comes
	local is_last = false -- nothing is read any more
	local arrivals = 0 -- pieces of the stream that have come while stalled
	local since_break = 0 -- packets
	local ending = false -- the connection has ended meanwhile
	local burst, bursts = 0, 0 -- packets of the queue that have been taken since it was empty; long queues so far
	local is_closed, is_too_much, finish = connection.is_closed, connection.is_too_much, connection.finish

	local function stop_reading()
		bursts = bursts + 1
		if reading then
			reading = false
			driver.pause(fd)
		end
	end

	-- Reads again, unless more than enough has come since: what was read before the reading stopped is in this service's mailbox before this.
	local function read_again(seen)
		if bursts == seen and not reading and not stalled and not is_last and not is_closed() then
			reading = true
			driver.start(fd)
		end
	end

	-- A single packet that has come while others wait; all of them then, in order. Pairs of block and size.
	local held, held_first, held_last

	local function hold(msg, sz)
		if not held then
			held, held_first, held_last = {}, 1, 0
			local _, earlier, size = netpack.pop(queue)
			while earlier do
				hold(earlier, size)
				_, earlier, size = netpack.pop(queue)
			end
		end
		held[held_last + 1], held[held_last + 2] = msg, sz
		held_last = held_last + 2
	end

	local function next_held()
		local msg, sz = held[held_first], held[held_first + 1]
		held[held_first], held[held_first + 1] = nil, nil
		held_first = held_first + 2
		if held_first > held_last then
			held = nil
		end
		return msg, sz
	end

	-- The next packet. A long queue stops the reading until it is empty: what comes meanwhile would only wait in this service's mailbox.
	local function pop()
		if held then
			return next_held()
		end
		local _, msg, sz = netpack.pop(queue)
		if msg then
			burst = burst + 1
			if burst == BURST then
				stop_reading()
			end
			return msg, sz
		end
		if burst >= BURST then
			local seen = bursts
			skynet.timeout(0, function()
				read_again(seen)
			end)
		end
		burst = 0
	end

	local relief
	local rest = RELIEF -- 1/100 s

	-- Lets others have their turn, and what is in the mailbox: the answers, before more is asked. When there is too much, that
	-- takes longer, and nothing is read meanwhile.
	local function take_a_break()
		if is_too_much() then
			stop_reading()
			skynet.timeout(rest, relief)
		else
			skynet.timeout(0, relief)
		end
	end

	local function handle(msg, sz)
		if is_closed() then
			return skynet.trash(msg, sz)
		end
		since_break = since_break + 1
		if since_break >= LOOK_EACH and not stalled then
			since_break, arrivals = 0, 0
			stalled = true
			take_a_break()
		end
		return connection.take(msg, sz)
	end

	-- Something has come while what came before it waits.
	local function arrive()
		arrivals = arrivals + 1
		if arrivals == ARRIVALS then
			stop_reading()
		end
	end

	function on.data(_, msg, sz)
		if stalled then
			arrive()
			hold(msg, sz)
		else
			handle(msg, sz)
		end
	end

	-- Several packets. When one of them is left to a task, that begins before the next.
	function on.more()
		if is_closed() or stalled then
			arrive()
			if held then
				local _, msg, sz = netpack.pop(queue)
				while msg do
					hold(msg, sz)
					_, msg, sz = netpack.pop(queue)
				end
			end
			return
		end
		local msg, sz = pop()
		while msg do
			local has_task = handle(msg, sz)
			if stalled or is_closed() then
				return
			elseif has_task then
				return skynet.fork(on.more)
			end
			msg, sz = pop()
		end
	end

	-- Goes on with what waits, so many packets of it at a time, and reads again when that is done.
	local function go_on(count)
		while not is_closed() do
			if count == 0 then
				return take_a_break()
			end
			local msg, sz = pop()
			if not msg then
				break
			end
			count = count - 1
			if handle(msg, sz) then
				return skynet.fork(go_on, count) -- runs when this request waits, or has been sent on
			end
		end
		if is_closed() then
			return
		end
		stalled = false
		if ending then
			return finish()
		end
		local seen = bursts
		skynet.timeout(0, function()
			read_again(seen)
		end)
	end

	-- Even a service that is always behind is asked something.
	function relief()
		local much = is_too_much()
		if much and not connection.may_ask() then
			rest = math.min(2 * rest, MOST_RELIEF)
			return take_a_break()
		end
		rest = RELIEF
		go_on(much and 1 or LOOK_EACH)
	end

	-- What had come before is still done, unless its answers were not read either.
	function on.close()
		if stalled then
			ending = true
			if connection.ended() then
				finish()
			end
		else
			finish()
		end
	end

	--- "data" with a packet, "more" (in the queue) or "close"; nil: nothing of these. May not return. Does not yield.
	function inflow.on(packets, event, ...)
		queue = packets
		local run = event and on[event]
		if run then
			run(...)
		end
	end

	--- Reads nothing any more; what has come is still done. Does not yield.
	function inflow.read_no_more()
		is_last = true
		stop_reading()
	end

	--- Whether nothing is read at the moment, or what has come waits. Does not yield.
	function inflow.is_held_up()
		return stalled or not reading
	end

	--- What netpack knows so far. Does not yield.
	function inflow.queue()
		return queue
	end

	return inflow
end

return M
