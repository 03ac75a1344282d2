-- Who may be connected to a listener: limits in all and of an address, and who has to make room.
local skynet = require "skynet"
local admission = require "skynet.internal.admission"
local check = require "check"

local cases = {}

-- A listener, and the ids that it has closed.
local function listener(limits)
	local closed = {}
	limits.name = "test"
	limits.close = function(id)
		closed[#closed + 1] = id
	end
	return admission.new(limits), closed
end

function cases.a_full_listener_closes_who_has_been_silent_for_longest()
	local door, closed = listener { most = 3 }
	for id = 1, 3 do
		assert(door:enter(id, "10.0.0.1:" .. id))
	end
	door:heard(1)
	assert(door:enter(4, "10.0.0.2:4"))
	check.equal(closed, { 2 })
	door:heard(3)
	door:heard(4)
	assert(not door:enter(5, "10.0.0.3:5"), "all others have been heard")
	door:leave(3)
	assert(door:enter(5, "10.0.0.3:5"))
	check.equal(closed, { 2 })
end

function cases.an_address_makes_room_among_its_own()
	local door, closed = listener { most_address = 2, most_unheard = 1 }
	assert(door:enter(1, "[::1]:1"))
	assert(door:enter(2, "10.0.0.1:2"))
	assert(door:enter(3, "10.0.0.1:3"))
	check.equal(closed, { 2 })
	door:heard(3)
	assert(door:enter(4, "10.0.0.1:4"))
	door:heard(4)
	assert(not door:enter(5, "10.0.0.1:5"))
	assert(door:enter(6, "10.0.0.2:6"))
	check.equal(closed, { 2 })
end

-- Instructions of Lua that one connection takes which is turned away, after so many others have come and gone.
local function cost_after(others)
	local door = listener { most = 10, most_address = 1 }
	assert(door:enter(0, "10.0.0.1:1")) -- stays silent, so it is the first of all
	assert(door:enter(1, "10.0.0.2:1"))
	door:heard(1)
	for id = 2, others do
		assert(door:enter(id, "10.0.0.3:1"))
		door:leave(id)
	end
	local count = 0
	debug.sethook(function()
		count = count + 1
	end, "", 1)
	local admitted = door:enter(-1, "10.0.0.2:2")
	debug.sethook()
	assert(not admitted)
	return count
end

function cases.a_connection_costs_the_same_however_many_have_come_before()
	cost_after(2) -- the log is written by the first
	local few, many = cost_after(10), cost_after(20000)
	assert(many < 2 * few, string.format("%d and %d instructions", few, many))
end

function cases.silence_and_idleness_end_by_themselves()
	local door, closed = listener { handshake = 0.1, idle = 0.2 }
	assert(door:enter(1, "10.0.0.1:1"))
	assert(door:enter(2, "10.0.0.1:2"))
	door:heard(2)
	repeat
		skynet.sleep(5)
	until #closed == 2
	table.sort(closed)
	check.equal(closed, { 1, 2 })
end

function cases.a_limit_of_years_needs_no_more_timers_than_one_of_hours()
	local door, closed = listener { handshake = 30000000, idle = 30000000 }
	assert(door:enter(1, "10.0.0.1:1"))
	local before = skynet.stat "message"
	skynet.sleep(10)
	check.equal(#closed, 0)
	local messages = skynet.stat "message" - before
	assert(messages < 10, messages .. " timers have ended at once")
end

check.run(cases)
