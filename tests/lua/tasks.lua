-- Forks, timers, sleeping and waking, queues.
local skynet = require "skynet"
local queue = require "skynet.queue"
local check = require "check"

local cases = {}

function cases.fork_runs_after_the_task_has_parked()
	local order = {}
	skynet.fork(function(...)
		order[#order + 1] = select("#", ...)
	end, nil, nil)
	skynet.fork(function()
		order[#order + 1] = "second"
	end)
	order[1] = "first"
	skynet.yield()
	check.equal(order, { "first", 2, "second" })
end

function cases.error_in_a_fork_harms_no_other()
	local ran = false
	skynet.fork(error, "in a fork, as the test wants it")
	skynet.fork(function()
		ran = true
	end)
	skynet.yield()
	check.equal(ran, true)
end

function cases.timers_fire_in_order_of_time_and_creation()
	local order, me = {}, coroutine.running()
	local function note(name)
		return function()
			order[#order + 1] = name
			if #order == 4 then
				skynet.wakeup(me)
			end
		end
	end
	skynet.timeout(3, note "late")
	skynet.timeout(1, note "early 1")
	skynet.timeout(1, note "early 2")
	skynet.timeout(0, note "now")
	skynet.wait()
	check.equal(order, { "now", "early 1", "early 2", "late" })
end

-- Whoever looks at the coroutine of a timer, by whatever way, sees the one that will run the function.
function cases.timer_runs_in_the_coroutine_that_its_call_returned()
	local ran, me = {}, coroutine.running()
	local function note()
		ran[#ran + 1] = coroutine.running()
		if #ran == 4 then
			skynet.wakeup(me)
		end
	end
	local function passed_on()
		return skynet.timeout(0, note)
	end
	local expected = { (skynet.timeout(0, note)), passed_on(), select(2, pcall(skynet.timeout, 0, note)), nil }
	for _, made in ipairs(expected) do
		check.equal({ type(made), coroutine.status(made) }, { "thread", "suspended" })
	end
	passed_on() -- nobody sees this one
	skynet.wait()
	check.equal({ ran[1], ran[2], ran[3] }, expected)
	check.equal(type(ran[4]), "thread")
end

function cases.timers_nobody_holds_are_listed_found_and_killed()
	local before, ran, me = skynet.task(), {}, coroutine.running()
	local function note(name)
		return function(...)
			ran[#ran + 1] = name
			ran[name] = { coroutine.running(), ... }
		end
	end
	skynet.timeout(2, note "killed")
	skynet.timeout(2, note "listed")
	check.equal(skynet.task(), before + 2)
	local list, sessions = {}, {}
	skynet.task(list)
	for key, stack in pairs(list) do
		local name, session = key:match "^(thread: %S+) session: (%d+)$"
		if name and name ~= tostring(me) then -- and not of one that nobody waits for any more
			assert(string.find(stack, "stack traceback", 1, true))
			sessions[#sessions + 1] = { math.tointeger(session), name }
		end
	end
	table.sort(sessions, function(a, b)
		return a[1] < b[1]
	end)
	local killed, listed = sessions[#sessions - 1], sessions[#sessions]
	assert(string.find(skynet.task(killed[1]), "stack traceback", 1, true))
	check.equal(tostring(skynet.killthread(killed[2])), killed[2])
	check.equal(skynet.task(), before + 1)
	check.equal(skynet.task(killed[1]), "No session")
	skynet.timeout(2, note "asked for")
	local asked_for = listed[1] + 1
	assert(string.find(skynet.task(asked_for), "stack traceback", 1, true))
	assert(next(skynet.uniqtask()))
	skynet.timeout(2, function()
		ran[#ran + 1] = "last"
		skynet.wakeup(me)
	end)
	skynet.wait()
	check.equal({ table.unpack(ran) }, { "listed", "asked for", "last" })
	check.equal(tostring(ran.listed[1]), listed[2])
	check.equal({ ran.listed[2], ran.listed[5] }, { true, listed[1] })
	check.equal(skynet.task(), before)
end

function cases.timers_take_what_the_text_command_takes()
	local ran, me = {}, coroutine.running()
	for _, time in ipairs { -1, 0, 1.0, "1", "0x1", "one" } do
		skynet.timeout(time, function()
			ran[#ran + 1] = time
			if #ran == 6 then
				skynet.wakeup(me)
			end
		end)
	end
	check.raises("no integer representation", skynet.timeout, 1.5, print)
	check.raises("string expected, got nil", skynet.timeout, nil, print)
	skynet.wait()
	check.equal({ ran[1], ran[2], #ran }, { -1, 0, 6 })
end

function cases.error_in_a_timer_harms_no_other()
	local ran, me = false, coroutine.running()
	skynet.timeout(0, function()
		error "in a timer, as the test wants it"
	end)
	skynet.timeout(0, function()
		ran = true
		skynet.wakeup(me)
	end)
	skynet.wait()
	check.equal(ran, true)
	local task = skynet.timeout(0, nil) -- raises when it fires
	skynet.timeout(0, function()
		skynet.wakeup(me)
	end)
	skynet.wait()
	check.equal(coroutine.status(task), "dead")
end

function cases.pending_timers_cost_little()
	if not check.ours then
		return -- a coroutine each
	end
	local me, left = coroutine.running(), 2000
	local function fire()
		left = left - 1
		if left == 0 then
			skynet.wakeup(me)
		end
	end
	collectgarbage()
	local before = collectgarbage "count"
	for _ = 1, left do
		skynet.timeout(10, fire)
	end
	local each = (collectgarbage "count" - before) * 1024 / left
	skynet.wait()
	assert(each < 200, string.format("%.0f bytes a timer", each))
end

-- The C core has no such timers.
if skynet.sleep_ms then
	function cases.timers_in_milliseconds_fire_in_order_and_never_early()
		local order, early, me = {}, {}, coroutine.running()
		local began = skynet.hpc()
		local is_real = not skynet.getenv "scheduler_seed" -- else the node's clock jumps, and that of the machine does not
		for _, milliseconds in ipairs { 0, 1, 3, 3, 5, 8 } do
			skynet.timeout_ms(milliseconds, function()
				if is_real and skynet.hpc() - began < milliseconds * 1000000 then
					early[#early + 1] = milliseconds
				end
				order[#order + 1] = milliseconds
				if milliseconds == 8 then
					skynet.wakeup(me)
				end
			end)
		end
		skynet.wait()
		check.equal(order, { 0, 1, 3, 3, 5, 8 })
		check.equal(early, {})
		check.equal(skynet.sleep_ms(2), nil)
		assert(not is_real or skynet.hpc() - began >= 10000000)
		skynet.fork(skynet.wakeup, me)
		check.equal(skynet.sleep_ms(1000000), "BREAK")
	end
end

function cases.wakeup_ends_a_sleep()
	local result
	local task = skynet.fork(function()
		result = skynet.sleep(100000)
	end)
	skynet.yield()
	check.equal(skynet.wakeup(task), true)
	skynet.yield()
	check.equal(result, "BREAK")
	check.equal(skynet.wakeup(task), nil)
	check.equal(skynet.sleep(1), nil)
end

function cases.wait_takes_a_token_once()
	local token, woken = {}, 0
	skynet.fork(function()
		skynet.wait(token)
		woken = woken + 1
	end)
	skynet.yield()
	check.raises("token duplicative", skynet.wait, token)
	check.equal(skynet.wakeup(token), true)
	skynet.yield()
	check.equal(woken, 1)
end

function cases.killed_tasks_do_not_go_on()
	local closed, ran = 0, false
	local function body()
		local guard <close> = setmetatable({}, {
			__close = function()
				closed = closed + 1
			end,
		})
		skynet.sleep(2)
		ran = true
	end
	local not_begun = skynet.fork(body)
	check.equal(skynet.killthread(not_begun), not_begun)
	local sleeper = skynet.fork(body)
	skynet.yield()
	check.equal(skynet.killthread(sleeper), sleeper)
	local timer = skynet.timeout(2, body)
	check.equal(skynet.killthread(tostring(timer)), timer)
	check.equal(skynet.killthread(timer), nil)
	skynet.sleep(5) -- the timers fire, and find nobody
	check.equal({ closed, ran }, { 1, false })
end

function cases.killed_task_fails_its_caller()
	local task
	skynet.dispatch("lua", function()
		task = coroutine.running()
		skynet.wait()
	end)
	skynet.fork(function()
		skynet.yield()
		skynet.killthread(task)
	end)
	check.raises("call failed", skynet.call, skynet.self(), "lua")
end

function cases.tasks_can_be_listed()
	local before = skynet.task()
	local task = skynet.fork(skynet.wait, "listed")
	skynet.yield()
	check.equal(skynet.task(), before + 1)
	local session = skynet.task(task)
	assert(string.find(skynet.task(session), "stack traceback", 1, true))
	check.equal(skynet.task(0), "No session")
	local list = {}
	skynet.task(list)
	assert(list[string.format("%s session: %d", task, session)])
	assert(next(skynet.uniqtask()))
	skynet.wakeup "listed"
	skynet.yield()
	check.equal(skynet.task(), before)
end

function cases.queue_keeps_sections_apart_and_in_order()
	local enter, log = queue(), {}
	local function section(name)
		enter(function()
			log[#log + 1] = name .. " in"
			enter(skynet.yield) -- the owner may enter again
			log[#log + 1] = name .. " out"
		end)
	end
	skynet.fork(section, "a")
	skynet.fork(section, "b")
	skynet.fork(function()
		check.raises("broken", enter, error, "broken")
		log[#log + 1] = "c failed"
	end)
	skynet.fork(section, "d")
	repeat
		skynet.yield()
	until log[#log] == "d out"
	check.equal(log, { "a in", "a out", "b in", "b out", "c failed", "d in", "d out" })
end

-- Not on the C core's layer.
function cases.work_for_several_is_done_by_another_when_who_does_it_is_killed()
	if not check.ours then
		return
	end
	local shared = require "skynet.internal.shared"
	local running, begun, got = {}, 0, {}
	local function work()
		begun = begun + 1
		skynet.sleep(begun == 1 and 100000 or 1)
		return "result " .. begun
	end
	local tasks = {}
	for i = 1, 4 do
		tasks[i] = skynet.fork(function()
			got[i] = shared(running, "key", work)
		end)
	end
	skynet.yield()
	skynet.killthread(tasks[1])
	skynet.killthread(tasks[3])
	while not (got[2] and got[4]) do
		skynet.sleep(1)
	end
	check.equal({ begun, got[1], got[2], got[3], got[4] }, { 2, nil, "result 2", nil, "result 2" })
	check.equal(next(running), nil)
	check.raises("as asked", shared, running, "key", function()
		error "as asked"
	end)
	check.equal(next(running), nil)
end

function cases.room_goes_to_the_next_when_a_task_that_waits_for_it_is_killed()
	if not check.ours then
		return
	end
	local window = require "skynet.internal.clusterwindow".new(function() end, 10, function()
		return 1000
	end)
	window.limit(1)
	assert(window.enter(5))
	local entered, tasks = {}, {}
	for i = 1, 3 do
		tasks[i] = skynet.fork(function()
			entered[i] = window.enter(5)
		end)
	end
	skynet.yield()
	check.equal({ window.waiting() }, { 3, 15 })
	skynet.killthread(tasks[2])
	check.equal({ window.waiting() }, { 2, 10 })
	window.leave(5)
	skynet.killthread(tasks[1]) -- it was woken, but has not run
	skynet.yield()
	skynet.yield()
	check.equal({ entered[1], entered[2], entered[3] }, { nil, nil, true })
	check.equal({ window.waiting() }, { 0, 0 })
end

function cases.queue_goes_on_when_a_task_in_it_is_killed()
	if not check.ours then
		return -- it does not
	end
	local enter = require "skynet.queue"()
	local log = {}
	local function section(name, patience)
		return skynet.fork(function()
			enter(function()
				table.insert(log, name)
				skynet.sleep(patience or 0)
			end)
			table.insert(log, name .. " left")
		end)
	end
	local holder = section("holder", 100000)
	local second = section "second"
	section "third"
	local fourth = section "fourth"
	section "fifth"
	skynet.yield()
	check.equal(log, { "holder" })
	skynet.killthread(second) -- in the line
	skynet.killthread(holder) -- inside: the third is next
	skynet.killthread(fourth)
	repeat
		skynet.yield()
	until log[#log] == "fifth left"
	check.equal(log, { "holder", "third", "third left", "fifth", "fifth left" })
	check.equal(
		enter(function()
			return "free"
		end),
		"free"
	)
end

function cases.queue_goes_on_when_the_next_is_killed_before_it_runs()
	if not check.ours then
		return -- it does not
	end
	local enter = require "skynet.queue"()
	local next_one
	skynet.fork(enter, function()
		skynet.yield()
		skynet.fork(function()
			skynet.killthread(next_one)
		end) -- when it has been woken, and has not run
	end)
	next_one = skynet.fork(enter, error)
	local entered
	skynet.fork(enter, function()
		entered = true
	end)
	for _ = 1, 5 do
		skynet.yield()
	end
	check.equal(entered, true)
end

function cases.errors_of_many_forks_cost_what_they_are_worth()
	if not check.ours then
		return -- the square of it
	end
	local function cost(count)
		local before = os.clock()
		skynet.call(skynet.newservice("forks", count), "lua")
		return os.clock() - before
	end
	local few, many = cost(1000), cost(16000)
	assert(many < 100 * few, string.format("%.3f s, and %.3f s for 16 times as many", few, many))
end

function cases.task_may_close_itself()
	if not check.ours then
		return -- its coroutine is not counted as ended
	end
	local before, reached, after = skynet.task(), false, false
	skynet.fork(function()
		local _ <close> = setmetatable({}, {
			__close = function()
				reached = true
			end,
		})
		coroutine.close(coroutine.running())
		after = true
	end)
	skynet.yield()
	check.equal({ reached, after, skynet.task() }, { true, false, before })
end

function cases.many_tasks_at_once()
	local count, me = 0, coroutine.running()
	for i = 1, 2000 do
		skynet.fork(function()
			skynet.sleep(i % 3)
			count = count + 1
			if count == 2000 then
				skynet.wakeup(me)
			end
		end)
	end
	skynet.wait()
	check.equal(count, 2000)
end

function cases.a_task_that_gives_itself_a_message_is_not_begun_again()
	local runs = 0
	skynet.fork(function()
		runs = runs + 1
		pcall(skynet.dispatch_message, 250, nil, 0, 0, skynet.self()) -- of a type that nobody has
		skynet.sleep(1)
		runs = runs + 1
	end)
	skynet.fork(function()
		runs = runs + 10
	end)
	skynet.sleep(5)
	check.equal(runs, 12)
end

check.run(cases)
