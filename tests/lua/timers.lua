-- Timers that can be taken back, and calls that take theirs back.
local skynet = require "skynet"
local core = require "skynet.core"
local check = require "check"

local cases = {}

-- Timers of the node that have not fired.
local function pending()
	return tonumber(string.match(core.command "METRICS", "timers (%d+)"))
end

function cases.timer_passes_arguments_on()
	local me, got = coroutine.running(), nil
	local timer = skynet.timer(1, function(...)
		got = table.pack(...)
		skynet.wakeup(me)
	end, "a", nil, 3, nil)
	check.equal(timer:pending(), true)
	skynet.wait()
	check.equal(got, { "a", nil, 3, n = 4 })
	check.equal({ timer:pending(), timer:cancel() }, { false, false })
end

function cases.timer_that_was_taken_back_leaves_nothing()
	local before, tasks = pending(), skynet.task()
	local timers = {}
	for i = 1, 1000 do
		timers[i] = skynet.timer(360000 + i, print)
	end
	check.equal(pending() - before > 900, true) -- those of other services come and go
	check.equal(skynet.task() - tasks, 1000)
	for i = 1000, 1, -1 do
		check.equal(timers[i]:cancel(), true)
		check.equal({ timers[i]:cancel(), timers[i]:pending() }, { false, false })
	end
	check.equal(pending() - before < 100, true)
	check.equal(skynet.task(), tasks)
end

function cases.timer_that_was_taken_back_does_not_run_and_sends_no_message()
	local ran = false
	local before = skynet.stat "message"
	for _ = 1, 500 do
		local timer = skynet.timer(100, function()
			ran = true
		end)
		timer:cancel()
	end
	skynet.sleep(110)
	check.equal(ran, false)
	check.equal(skynet.stat "message" - before < 100, true)
end

function cases.timer_can_be_taken_back_when_its_message_is_on_the_way()
	local ran = {}
	local first = skynet.timer(0, table.insert, ran, "first")
	skynet.timer(0, table.insert, ran, "second")
	check.equal(first:cancel(), true)
	skynet.yield()
	check.equal(ran, { "second" })
	-- Due already, and not delivered while this task runs.
	local late = skynet.timer(1, table.insert, ran, "late")
	local other = skynet.timer(1, table.insert, ran, "other")
	local start = skynet.hpc()
	while skynet.hpc() - start < 50000000 do
		skynet.now()
	end
	check.equal(late:cancel(), true)
	skynet.sleep(1)
	check.equal(ran, { "second", "other" })
	check.equal(other:cancel(), false)
end

function cases.timer_may_take_another_one_back_and_start_the_next()
	local me, ran = coroutine.running(), {}
	local second
	skynet.timer(1, function()
		ran[#ran + 1] = "first"
		check.equal(second:cancel(), true)
		skynet.timer(0, function()
			ran[#ran + 1] = "next"
			skynet.wakeup(me)
		end)
	end)
	second = skynet.timer(2, table.insert, ran, "second")
	skynet.wait()
	skynet.sleep(3)
	check.equal(ran, { "first", "next" })
end

function cases.timer_that_somebody_has_looked_at_can_be_taken_back()
	local ran = false
	local before = skynet.task()
	local timer = skynet.timer(2, function()
		ran = true
	end)
	local listed = {}
	skynet.task(listed)
	check.equal(skynet.task(), before + 1)
	check.equal(timer:cancel(), true)
	check.equal(skynet.task(), before)
	skynet.sleep(4)
	check.equal(ran, false)
end

function cases.what_is_no_time_is_refused()
	check.raises("number has no integer representation", skynet.timer, 1.5, print)
	check.raises("number expected", skynet.timer, nil, print)
end

function cases.answered_call_leaves_no_timer()
	local before = pending()
	for _ = 1, 500 do
		skynet.call_timeout(360000, ".launcher", "lua", "STAT")
	end
	check.equal(pending() - before < 100, true)
end

function cases.command_takes_only_timers_of_its_own_service()
	local session, place = string.match(core.command("TIMER", "360000"), "^(%d+) (%d+)$")
	check.equal(core.command("CANCEL", session + 1 .. " " .. place), nil)
	check.equal(core.command("CANCEL", session .. " " .. place + 4096000), nil)
	check.equal(core.command("CANCEL", session .. " 4294967295"), nil)
	check.equal(core.command("CANCEL", "x"), nil)
	check.equal(core.command("CANCEL", session .. " " .. place), "1")
	check.equal(core.command("CANCEL", session .. " " .. place), nil)
end

check.run(cases)
