--- The sockets of a service: their records, what the node tells about them, and the tasks that wait for that. The API is
--- skynet/socket.lua.

local driver = require "skynet.socketdriver"
local kernel = require "skynet.internal.kernel"
local skynet = require "skynet"
local relief = require "skynet.internal.relief"
local limitedlog = require "skynet.internal.limitedlog"

local push, take_line, unpack = driver.push, driver.readline, driver.unpack
local check_yieldable, wait, wakeup = kernel.check_yieldable, kernel.wait, kernel.api.wakeup
local asleep = kernel.asleep
local running, is_yieldable, status, type = coroutine.running, coroutine.isyieldable, coroutine.status, type

local PAUSE_ABOVE <const> = 128 * 1024

local log_error, log_flow, log_drop = limitedlog(), limitedlog(), limitedlog()

-- Of the events in skynet_socket.h.
local DATA <const>, CONNECT <const>, CLOSED <const> = 1, 2, 3

-- The life of a socket here: who opens or starts it waits for its first event; when it has ended its
-- input can still be read.
local OPENING <const>, OPEN <const>, ENDED <const> = 1, 2, 3

local HELD <const> = 0 -- see `hold` of skynet/socket.lua

-- id -> record of a socket of this service:
--   kind            "TCP", "UDP" or "listen"
--   state           OPENING, OPEN or ENDED
--   input, blocks   TCP: the driver's buffer, and the pool its blocks come from
--   empty           true when nothing is in there for sure
--   wants           what the parked reader needs: a number of bytes, a separator, or true for all
--   most            bytes within which it needs the separator
--   parked          the task that waits for an event
--   closing         how many tasks are in `close`; nil: none has called it
--   closers         what they sleep on until it has ended
--   paused          true while paused, HELD by `hold`; false when that must not happen any more
--   callback        listen: (id, address); UDP: (data, address)
--   limit, warn     see `limit` and `warning`
--   failure         text of the error that ended it
--   address, port   listen: where
--   on_accept_error listen: see `accept_error`; without it: arrivals, count, relieving, see skynet.internal.relief
local socket_pool = setmetatable({}, {
	__gc = function(all)
		for id in pairs(all) do
			driver.close(id)
		end
	end,
})
local on_close = {} -- id -> function that `onclose` has set

---------------------------------------------------------------- parking and waking

local function wake(s)
	local task = s.parked
	if task then
		s.parked = nil
		wakeup(task)
	end
end

-- Parks until `wake`. A paused socket is resumed, for its input is wanted now.
local function park(s)
	if not is_yieldable() then
		check_yieldable(3) -- raises
	end
	if s.parked and status(s.parked) ~= "dead" then -- dead: by killthread
		error(string.format("socket %d: another task waits for it", s.id), 3)
	end
	local me = running()
	if asleep[me] then
		error("token duplicative", 3)
	end
	s.parked = me
	if s.paused then
		if s.paused ~= HELD then
			log_flow(string.format("Resume socket (%d)", s.id))
		end
		s.paused = nil
		driver.start(s.id)
	end
	wait(me)
end

-- No event comes any more. The reader gets what there is before those in `close` take the record away.
local function finish(s)
	s.state = ENDED
	wake(s)
	local closers = s.closers
	if closers then
		s.closers = nil
		for _, token in ipairs(closers) do
			wakeup(token)
		end
	end
end

local Unknown = {
	__close = function(guard)
		local s = guard.record
		if s and socket_pool[s.id] == s then
			socket_pool[s.id] = nil
			driver.close(s.id)
		end
	end,
}

-- Waits for the first event of a new record. Returns its id, or nil and why not.
local function await_opening(s)
	local id = s.id
	local former = socket_pool[id]
	if former and (former.kind ~= "listen" or former.state == OPENING or former.closing) then
		error(string.format("socket %d is not closed", id), 3)
	end
	assert(not on_close[id], "socket has an onclose callback")
	socket_pool[id] = s
	park(s)
	if s.state == OPEN then
		return id
	end
	if socket_pool[id] == s then
		socket_pool[id] = nil
	end
	return nil, s.failure
end

-- The same of a socket that nobody knows yet: the task may be killed before it has the id.
local function open_new(s)
	local guard <close> = setmetatable({ record = s }, Unknown)
	local id, problem = await_opening(s)
	guard.record = nil
	if id then
		return id -- and no second value
	end
	return nil, problem
end

-- Of a socket that is being closed: who waits for its end may be killed at that. The record stays for others who wait.
local Closing = {
	__close = function(s)
		s.closing = s.closing - 1
		if socket_pool[s.id] == s and (s.state == ENDED or s.closing == 0) then
			socket_pool[s.id] = nil
			if s.state ~= ENDED then
				finish(s)
			end
		end
	end,
}

-- For a task that has told the node to close a socket: waits for the end. Each has a token of its own, so that neither a reader
-- nor another one stands in its way; when all have left, the record goes.
local function await_end(s)
	s.closing = (s.closing or 0) + 1
	local _ <close> = setmetatable(s, Closing)
	local token = {}
	local closers = s.closers or {}
	closers[#closers + 1] = token
	s.closers = closers
	while s.state ~= ENDED do
		wait(token)
	end
end

local function pause(s, size)
	if s.paused ~= nil then
		return
	end
	s.paused = true
	log_flow(string.format(size and "Pause socket (%d) size : %d" or "Pause socket (%d)", s.id, size))
	driver.pause(s.id)
	skynet.yield() -- what has arrived before goes to the buffer now, not after the next resume
end

local function pause_and_wake(s, total, wants)
	pause(s, total)
	if wants then
		wake(s)
	end
end

---------------------------------------------------------------- events (skynet_socket.h)

-- Data of a socket that is not this service's any more.
local function refuse_data(id, size, data)
	driver.drop(data, size)
	log_drop("socket: drop package from " .. id)
end

local function on_data(id, size, data)
	local s = socket_pool[id]
	if not s then
		return refuse_data(id, size, data)
	end
	local total = push(s.input, s.blocks, data, size)
	s.empty = false
	local wants = s.wants
	if wants == 0 then -- all there is, at once
		s.wants = nil
		return wake(s)
	end
	local unread = total -- what no reader will take at once
	if wants and s.parked and status(s.parked) == "dead" then -- it was killed: nobody wants it
		wants, s.wants, s.most, s.parked = nil, nil, nil, nil
	end
	if type(wants) == "number" then
		if total < wants then
			return
		end
		unread = total - wants
	else
		if s.limit and total > s.limit then
			if not s.overflowed then
				s.overflowed = true
				log_drop(string.format("socket buffer overflow: fd=%d size=%d", id, total))
				driver.close(id)
			end
			return
		end
		if wants == true or (wants and not take_line(s.input, nil, wants) and not (s.most and total > s.most)) then
			return
		end
	end
	s.wants = nil
	if unread > PAUSE_ABOVE and s.paused == nil then
		skynet.fork(pause_and_wake, s, total, wants)
	elseif wants then
		wake(s)
	end
end

-- Also comes when a paused socket is resumed, and for one that changes its owner.
local function on_connect(id, port, address)
	local s = socket_pool[id]
	if s and s.state == OPENING then
		if s.kind == "listen" then
			s.address, s.port = address, port
		end
		s.state = OPEN
		wake(s)
	end
end

local function on_closed(id)
	local s = socket_pool[id]
	if s then
		finish(s)
	else
		driver.close(id)
	end
	local callback = on_close[id]
	if callback then
		on_close[id] = nil
		callback(id)
	end
end

local function on_accept(id, accepted, address)
	local s = socket_pool[id]
	if s and s.callback then
		if not s.on_accept_error then
			relief.arrived(s, accepted)
		end
		s.callback(accepted, address)
	else
		driver.close(accepted)
	end
end

local function on_error(id, _, text)
	local s = socket_pool[id]
	if s == nil then
		driver.shutdown(id)
		log_error("socket: error on unknown", id, text)
		return
	end
	if s.state == OPENING then
		s.failure = text
	elseif s.kind == "listen" then
		skynet.error("socket: accept error:", text) -- such as too many files; it goes on listening
		if s.on_accept_error then
			s.on_accept_error(text)
		else
			relief.starved(s)
		end
		return
	else
		log_error("socket: error on", id, text)
		if s.kind == "UDP" then
			return
		end
	end
	s.failure = text
	driver.shutdown(id)
	finish(s)
end

local function on_datagram(id, size, data, address)
	local s = socket_pool[id]
	if s and s.callback then
		local text = skynet.tostring(data, size)
		skynet.trash(data, size)
		s.callback(text, address)
	else
		log_drop("socket: drop udp package from " .. id)
		driver.drop(data, size)
	end
end

local function on_backlog(id, kilobytes)
	local s = socket_pool[id]
	if s == nil then
		return
	end
	if s.warn then
		s.warn(id, kilobytes)
	else
		log_flow(string.format("WARNING: %d K bytes need to send out (fd = %d)", kilobytes, id))
	end
end

local socket_message = { on_data, on_connect, on_closed, on_accept, on_error, on_datagram, on_backlog }

-- Most events only note something and wake a task: they need no task of their own. Returns whether this was one of them.
local function at_once(msg, size)
	local event, id, number, data = unpack(msg, size)
	if event == DATA then
		on_data(id, number, data)
		return true
	elseif event == CONNECT or (event == CLOSED and not on_close[id]) then
		socket_message[event](id, number, data)
		return true
	end
	return false
end

local function dispatch(_, _, event, ...)
	socket_message[event](...)
end

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = unpack,
	dispatch = dispatch,
}
kernel.inline_handlers[dispatch] = at_once

return {
	OPENING = OPENING,
	OPEN = OPEN,
	ENDED = ENDED,
	HELD = HELD,
	pool = socket_pool,
	on_close = on_close,
	wake = wake,
	park = park,
	pause = pause,
	await_opening = await_opening,
	open_new = open_new,
	finish = finish,
	await_end = await_end,
}
