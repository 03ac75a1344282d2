--- Admission control of a listener: limits of connections in all and of one address, and of the time until a stranger
--- has said something that makes sense.
---
---     local limiter = admission.new {
---         name = "cluster",      -- for the log
---         most = 1024,           -- connections in all
---         most_address = 512,    -- ... of one address
---         most_unheard = 128,    -- ... of one address that have said nothing yet
---         handshake = 300,       -- seconds until they have to; nil: no limit
---         grace = 2,             -- seconds that a silent connection has even when the listener is full; 0
---         idle = 60,             -- seconds without a sign; nil: no limit
---         close = function(id, why) end, -- a connection has to go; it has left already. Must not yield
---         signs = function() end, -- optional, in the place of `heard` and `active`: a table id -> 1/100 s of the last sign
---     }
---     if not limiter:enter(id, "10.0.0.1:4711") then ...close it... end
---     limiter:heard(id)     -- it has shown that it speaks the protocol
---     limiter:active(id)    -- for the limit of idle time
---     limiter:leave(id)
---     limiter:starved()     -- a connection could not be accepted
---
--- When the listener is full, the connection goes that has been silent for longest: so those that never say anything do not
--- keep out those that do. Nothing here yields.

local skynet = require "skynet"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local recurring = require "skynet.internal.recurring"

local EVICTION_GRACE <const> = 200 -- 1/100 s that a silent connection has even when there are no descriptors left
local LOOK <const> = 10 -- 1/100 s between two looks at the signs of all
local LINES <const>, LINES_TIME <const> = 20, 1000 -- log lines of one listener in so many 1/100 s
local LONGEST <const> = 360000 -- 1/100 s between two looks at most: the core's timers end at 31 bits, limits need not

local Limiter = {}
Limiter.__index = Limiter

---------------------------------------------------------------- rows of silent connections

-- Those that have said nothing, from the one that came first on; any of them may leave. Each of these costs the same
-- however many have come and gone.
local Row = {}
Row.__index = Row

local function new_row()
	return setmetatable({ first = 1, last = 0 }, Row)
end

function Row:add(id)
	self.last = self.last + 1
	self[self.last] = id
	return self.last
end

function Row:remove(place)
	self[place] = nil
end

function Row:front()
	while self.first <= self.last do
		local id = self[self.first]
		if id then
			return id
		end
		self.first = self.first + 1
	end
end

---------------------------------------------------------------- the limits

-- The address without the port.
local function host_of(from)
	return string.match(from, "^(.*):%d+$") or from
end

---------------------------------------------------------------- the log

--- Writes a line about a connection that misbehaves: not more than a few in a time, however many there are.
function Limiter:report(from, why)
	local more = self.limit()
	if more then
		skynet.error(string.format("%s: the connection from %s %s%s", self.name, printable(from), why, more))
	end
end

---------------------------------------------------------------- guests

local function forget_silence(limiter, guest)
	if guest.order then
		local host = limiter.hosts[guest.host]
		limiter.silent:remove(guest.order)
		host.silent:remove(guest.host_order)
		guest.order, guest.host_order = nil, nil
		host.unheard, limiter.unheard = host.unheard - 1, limiter.unheard - 1
	end
end

--- A connection is gone. Does nothing for one that has left already.
function Limiter:leave(id)
	local guest = self.guests[id]
	if not guest then
		return
	end
	forget_silence(self, guest)
	self.guests[id] = nil
	self.count = self.count - 1
	local host = self.hosts[guest.host]
	host.count = host.count - 1
	if host.count == 0 then
		self.hosts[guest.host] = nil
	end
end

local function expel(limiter, id, why)
	local from = limiter.guests[id].from
	limiter:leave(id)
	limiter:report(from, "is closed: " .. why)
	limiter.close(id, why)
end

-- Asks for the signs of all connections, if that is how they are told.
local function look(limiter)
	local now = skynet.now()
	if limiter.signs and now - limiter.looked >= LOOK then
		limiter.looked = now
		for id, time in pairs(limiter.signs()) do
			local guest = limiter.guests[id]
			if guest then
				forget_silence(limiter, guest)
				guest.last = math.max(guest.last, time)
			end
		end
	end
end

-- Like the other two: returns when to look again, nil when there is no need.
local function watch_silence(limiter)
	look(limiter)
	local now = skynet.now()
	while true do
		local id = limiter.silent:front()
		if not id then
			return nil
		end
		local left = limiter.guests[id].since + limiter.handshake - now
		if left > 0 then
			return math.min(left, LONGEST)
		end
		expel(limiter, id, string.format("it has said nothing in %g s", limiter.handshake / 100))
	end
end

local function idle_pause(limiter)
	return math.min(math.max(limiter.idle // 4, 10), LONGEST)
end

local function watch_idle(limiter)
	look(limiter)
	local now = skynet.now()
	for id, guest in pairs(limiter.guests) do
		if not guest.order and now - guest.last >= limiter.idle then
			expel(limiter, id, string.format("it has been idle for %g s", limiter.idle / 100))
		end
	end
	return next(limiter.guests) and idle_pause(limiter)
end

local function watch(limiter)
	if limiter.handshake then
		limiter.silence_watch(math.min(limiter.handshake, LONGEST))
	end
	if limiter.idle then
		limiter.idle_watch(idle_pause(limiter))
	end
end

-- Makes room by closing the connection of a row that has been silent for longest. False when there is none, or it has not
-- been there long enough.
local function make_room(limiter, row)
	look(limiter)
	local id = row:front()
	if not id or skynet.now() - limiter.guests[id].since < limiter.grace then
		return false
	end
	expel(limiter, id, "it has said nothing, and there is no room for others")
	return true
end

-- Why a connection of that address is not let in, nil when it is.
local function refusal(limiter, host)
	local known = limiter.hosts[host]
	local count, unheard = known and known.count or 0, known and known.unheard or 0
	local full = count >= limiter.most_address or unheard >= limiter.most_unheard
	if full and not (known and make_room(limiter, known.silent)) then
		return string.format("is turned away: there are %d from that address", count)
	elseif limiter.count >= limiter.most and not make_room(limiter, limiter.silent) then
		return string.format("is turned away: there are %d connections", limiter.count)
	end
end

-- Closes the older half of the silent connections, those that have been there for long enough; and looks again as long as
-- others are too young for that, and none can be accepted.
local function evict_silent(limiter)
	if not limiter.fails then
		return nil
	end
	look(limiter)
	local now = skynet.now()
	for _ = 1, math.max(limiter.unheard // 2, 1) do
		local id = limiter.silent:front()
		if not id then
			break
		end
		local left = limiter.guests[id].since + EVICTION_GRACE - now
		if left > 0 then
			return left
		end
		expel(limiter, id, "it has said nothing, and there are no descriptors left")
	end
end

--- A connection could not be accepted: there are no descriptors left for this node. So they are, for the most part, with those
--- that say nothing.
function Limiter:starved()
	self.fails = true
	self.eviction(0)
end

--- A connection has come. False when it has to be closed, and must not `leave`; the log has a line then.
---@param id integer
---@param from string "address:port"
---@return boolean
function Limiter:enter(id, from)
	self.fails = false
	local host = host_of(from)
	local why = refusal(self, host)
	if why then
		self:report(from, why)
		return false
	end
	local known = self.hosts[host]
	if not known then
		known = { count = 0, unheard = 0, silent = new_row() }
		self.hosts[host] = known
	end
	known.count, known.unheard = known.count + 1, known.unheard + 1
	self.count, self.unheard = self.count + 1, self.unheard + 1
	local now = skynet.now()
	self.guests[id] = {
		from = from,
		host = host,
		since = now,
		last = now,
		order = self.silent:add(id),
		host_order = known.silent:add(id),
	}
	watch(self)
	return true
end

--- A connection has said something that makes sense. Ids that are not known are passed over.
function Limiter:heard(id)
	local guest = self.guests[id]
	if guest then
		forget_silence(self, guest)
		guest.last = skynet.now()
	end
end

--- A connection is not idle.
function Limiter:active(id)
	local guest = self.guests[id]
	if guest then
		guest.last = skynet.now()
	end
end

--- Where a connection comes from, nil when it is not known.
---@return string?
function Limiter:from(id)
	local guest = self.guests[id]
	return guest and guest.from
end

--- The same without the port.
---@return string?
function Limiter:host(id)
	local guest = self.guests[id]
	return guest and guest.host
end

--- A listener's limits, see above.
local function new(limits)
	local limiter = {
		name = limits.name,
		most = limits.most or math.huge,
		most_address = limits.most_address or math.huge,
		most_unheard = limits.most_unheard or math.huge,
		handshake = limits.handshake and limits.handshake * 100,
		grace = (limits.grace or 0) * 100,
		idle = limits.idle and limits.idle * 100,
		close = limits.close,
		signs = limits.signs,
		looked = -math.huge,
		count = 0,
		unheard = 0, -- connections, and those that have said nothing yet
		guests = {}, -- id -> { from, host, since, last; order, host_order = places in the rows while unheard }
		hosts = {}, -- address -> { count, unheard, silent = row of its own }
		silent = new_row(),
		limit = ratelimit(LINES, LINES_TIME),
	}
	local function watch_by(look_at)
		return recurring(function()
			return look_at(limiter)
		end)
	end
	limiter.silence_watch, limiter.idle_watch, limiter.eviction =
		watch_by(watch_silence), watch_by(watch_idle), watch_by(evict_silent)
	return setmetatable(limiter, Limiter)
end

return { new = new }
