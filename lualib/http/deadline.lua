--- Times by which a connection has to have got on. When one is over, the socket is shut down: who reads gets
--- an error, and closes. One timer serves all of a service: it ticks while there is one, so a time may be
--- over by half a second before it is noticed.

local skynet = require "skynet"
local socket = require "skynet.socket"
local output = require "skynet.internal.output"
local recurring = require "skynet.internal.recurring"

local M = {}
local Deadline = {}
Deadline.__index = Deadline

local TICK <const> = 50 -- 1/100 s
-- Who sends or takes something gets a second more for so many bytes.
local RATE <const> = 500
-- What a peer has not read may lie in the buffers of two systems, so that it takes nothing for a while although it reads: so
-- many bytes of what went out before count as well.
local BUFFERS <const> = 1024 * 1024

local slots = {} -- number of a tick -> set of what may be over then
local count = 0 -- of all in the slots
local last_tick -- the number of the last one; nil: it does not tick

local function place(deadline, due)
	local slot = due // TICK + 1
	if last_tick and slot <= last_tick then
		slot = last_tick + 1
	end
	local set = slots[slot]
	if not set then
		set = {}
		slots[slot] = set
	end
	set[deadline] = true
	deadline.slot = slot
	count = count + 1
end

local function remove(deadline)
	local slot = deadline.slot
	if slot then
		deadline.slot = nil
		count = count - 1
		local set = slots[slot]
		set[deadline] = nil
		if not next(set) then
			slots[slot] = nil
		end
	end
end

local function expire(deadline)
	deadline.expired = true
	local callback = deadline.on_expired
	if callback then
		skynet.fork(callback)
	else
		socket.shutdown(deadline.id)
	end
end

-- Looks at one whose time may be over. It may have been put off since it was placed. One that fails here keeps its place.
local function look(deadline, now)
	if deadline.sent then
		local _, sent = output(deadline.id)
		deadline.due = deadline.due + (sent - deadline.sent) * 100 // RATE
		deadline.sent = sent
	end
	local is_over = deadline.due <= now
	if is_over then
		expire(deadline)
	end
	remove(deadline)
	if not is_over then
		place(deadline, deadline.due) -- in a later slot than this tick's
	end
end

local function tick()
	local now = skynet.now()
	local this = now // TICK
	for slot = last_tick + 1, this do
		for deadline in pairs(slots[slot] or {}) do
			look(deadline, now)
		end
		last_tick = slot
	end
	last_tick = count > 0 and this or nil
	return last_tick and TICK
end

local ticks = recurring(tick)

--- Makes one for a socket; it is not set. Does not yield.
---@param id integer
---@param on_expired? fun() called in a task of its own, in place of the shutdown
---@return table deadline `expired` is true when its time was over; `idle` is for who sets it
function M.new(id, on_expired)
	return setmetatable({ id = id, on_expired = on_expired, due = 0, expired = false, idle = false }, Deadline)
end

--- Sets the time, from now. Does not yield.
---@param time integer 1/100 s; 0: none
---@param is_output boolean? it is the time for the peer to take what waits; who takes some of it has more
function Deadline:set(time, is_output)
	if time == 0 then
		return self:clear()
	end
	self.time, self.sent = time, nil
	self.due = skynet.now() + time
	if is_output then
		local _, sent = output(self.id)
		self.sent, self.due = sent, self.due + math.min(sent, BUFFERS) * 100 // RATE
	end
	-- A later time is noticed when the earlier one comes.
	if not self.slot or self.slot > self.due // TICK + 1 then
		remove(self)
		place(self, self.due)
		last_tick = last_tick or skynet.now() // TICK
		ticks(TICK)
	end
end

--- What is left of the time when it was taken away, or is left now. Does not yield.
---@return integer 1/100 s, may be negative
function Deadline:left()
	return self.due - skynet.now()
end

--- Sets what was left of a time. Does not yield.
---@param left integer 1/100 s
---@param time integer the whole time, to which it is put off at most
function Deadline:resume(left, time)
	if left <= 0 then
		return expire(self) -- who sets it again and again is not waited for until a tick comes in between
	end
	self:set(left)
	self.time = time
end

--- Puts the time off for what has been received, at most to the whole time from now. Does not yield.
---@param bytes integer
function Deadline:progress(bytes)
	if self.slot then
		local credit = (self.credit or 0) + bytes * 100
		self.due = math.min(self.due + credit // RATE, skynet.now() + self.time)
		self.credit = credit % RATE
	end
end

--- Takes the time away. Does not yield.
function Deadline:clear()
	remove(self)
end

return M
