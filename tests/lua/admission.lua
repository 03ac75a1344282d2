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
	local limiter, closed = listener { most = 3 }
	for id = 1, 3 do
		assert(limiter:enter(id, "10.0.0.1:" .. id))
	end
	limiter:heard(1)
	assert(limiter:enter(4, "10.0.0.2:4"))
	check.equal(closed, { 2 })
	limiter:heard(3)
	limiter:heard(4)
	assert(not limiter:enter(5, "10.0.0.3:5"), "all others have been heard")
	limiter:leave(3)
	assert(limiter:enter(5, "10.0.0.3:5"))
	check.equal(closed, { 2 })
end

function cases.an_address_makes_room_among_its_own()
	local limiter, closed = listener { most_address = 2, most_unheard = 1 }
	assert(limiter:enter(1, "[::1]:1"))
	assert(limiter:enter(2, "10.0.0.1:2"))
	assert(limiter:enter(3, "10.0.0.1:3"))
	check.equal(closed, { 2 })
	limiter:heard(3)
	assert(limiter:enter(4, "10.0.0.1:4"))
	limiter:heard(4)
	assert(not limiter:enter(5, "10.0.0.1:5"))
	assert(limiter:enter(6, "10.0.0.2:6"))
	check.equal(closed, { 2 })
end

-- Instructions of Lua that one connection takes which is turned away, after so many others have come and gone.
local function cost_after(others)
	local limiter = listener { most = 10, most_address = 1 }
	assert(limiter:enter(0, "10.0.0.1:1")) -- stays silent, so it is the first of all
	assert(limiter:enter(1, "10.0.0.2:1"))
	limiter:heard(1)
	for id = 2, others do
		assert(limiter:enter(id, "10.0.0.3:1"))
		limiter:leave(id)
	end
	local count = 0
	debug.sethook(function()
		count = count + 1
	end, "", 1)
	local admitted = limiter:enter(-1, "10.0.0.2:2")
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
	local limiter, closed = listener { handshake = 0.1, idle = 0.2 }
	assert(limiter:enter(1, "10.0.0.1:1"))
	assert(limiter:enter(2, "10.0.0.1:2"))
	limiter:heard(2)
	repeat
		skynet.sleep(5)
	until #closed == 2
	table.sort(closed)
	check.equal(closed, { 1, 2 })
end

function cases.a_limit_of_years_needs_no_more_timers_than_one_of_hours()
	local limiter, closed = listener { handshake = 30000000, idle = 30000000 }
	assert(limiter:enter(1, "10.0.0.1:1"))
	local before = skynet.stat "message"
	skynet.sleep(10)
	check.equal(#closed, 0)
	local messages = skynet.stat "message" - before
	assert(messages < 10, messages .. " timers have ended at once")
end

-- Whoever has a network of IPv6 has as many addresses as he likes.
function cases.guesses_are_counted_by_network()
	local guesses = require "skynet.internal.guesses"
	for host, network in pairs {
		["127.0.0.1"] = "127.0.0.1",
		["2001:db8:1:2:3:4:5:6"] = "2001:db8:1:2",
		["[2001:db8:1:2::9]"] = "2001:db8:1:2",
		["2001:db8::1"] = "2001:db8:0:0",
		["2001:DB8:1::2:3:4:5"] = "2001:db8:1:0",
		["::1"] = "0:0:0:0",
		["fe80::1%eth0"] = "fe80:0:0:0",
		["::"] = "0:0:0:0",
		["::ffff:10.0.0.1"] = "10.0.0.1",
		["64:ff9b::10.0.0.1"] = "64:ff9b:0:0",
		["unix"] = "unix",
		[""] = "",
	} do
		check.equal(guesses.network_of(host), network, host)
	end
	local slow, refused = guesses.new(1), 0
	local waiting = 0
	for number = 1, 100 do
		skynet.fork(function()
			waiting = waiting + 1
			if not slow.wait("2001:db8:1:2::" .. string.format("%x", number)) then
				refused = refused + 1
			end
		end)
	end
	repeat
		skynet.yield()
	until waiting == 100
	assert(refused > 30, refused) -- 61 of them are looked at, now or later
end

function cases.silent_connections_stay_when_others_can_be_accepted_again()
	local limiter, closed = listener {}
	for id = 1, 4 do
		assert(limiter:enter(id, "10.0.0.1:" .. id))
	end
	limiter:starved() -- they are too young
	assert(limiter:enter(5, "10.0.0.1:5"))

	local driver = require "skynet.socketdriver"
	local relief = require "skynet.internal.relief"
	local info, shutdown, shut = driver.info, driver.shutdown, {}
	driver.info = function()
		local all = {}
		for id = 1, 20 do
			all[id] = { type = "TCP", id = id, read = 0, write = 0 }
		end
		return all
	end
	driver.shutdown = function(id)
		shut[#shut + 1] = id
	end
	local works, fails = { id = 100 }, { id = 101 }
	for id = 1, 4 do
		relief.arrived(works, id)
		relief.arrived(fails, id + 10)
	end
	relief.starved(works)
	relief.starved(fails)
	relief.arrived(works, 5)
	relief.arrived(fails, 15)
	relief.starved(fails) -- again
	repeat
		skynet.sleep(10)
	until shut[2] and not works.relieving
	driver.info, driver.shutdown = info, shutdown
	check.equal(shut, { 11, 12 })
	repeat
		skynet.sleep(10)
	until not limiter.relieving
	check.equal(closed, {})
	limiter:starved()
	check.equal(closed, { 1, 2 }, "old enough now")
end

check.run(cases)
