-- Calls, answers, and how they fail.
local skynet = require "skynet"
local check = require "check"

local cases = {}

local function peer()
	return skynet.newservice "peer"
end

function cases.values_survive_a_call()
	local p = peer()
	local sent = table.pack(1, nil, "x", { a = { true, 1.5 } }, -7, string.rep("y", 70000), nil)
	local got = table.pack(skynet.call(p, "lua", "echo", table.unpack(sent, 1, sent.n)))
	check.equal(got, sent)
end

function cases.failure_of_the_callee_fails_the_call()
	local p = peer()
	check.raises("call failed", skynet.call, p, "lua", "fail")
	check.equal(skynet.call(p, "lua", "echo", 1), 1, "callee goes on")
end

function cases.unreadable_request_fails_the_call()
	check.raises("call failed", skynet.rawcall, peer(), "lua", "\xff")
end

function cases.call_of_a_dead_service_raises()
	local p = peer()
	skynet.kill(p)
	check.raises("invalid address", skynet.call, p, "lua", "echo")
	check.equal(skynet.send(p, "lua", "echo"), nil)
end

function cases.exit_of_the_callee_fails_waiting_calls()
	local p = peer()
	skynet.fork(skynet.send, p, "lua", "exit")
	check.raises("call failed", skynet.call, p, "lua", "never")
end

function cases.death_of_the_caller_withdraws_its_call()
	local p, caller = peer(), peer()
	skynet.send(caller, "lua", "call", p, "never")
	repeat -- until the caller waits
		skynet.yield()
	until skynet.call(p, "lua", "promises") == true
	skynet.call(caller, "debug", "PING")
	skynet.send(caller, "lua", "exit")
	repeat
		skynet.yield()
	until skynet.call(p, "lua", "promises") == false
	check.equal(skynet.call(p, "lua", "release", true), false, "respond")
end

function cases.deferred_answer_arrives()
	local p = peer()
	skynet.fork(skynet.call, p, "lua", "echo") -- something in between
	local got
	skynet.fork(function()
		got = { pcall(skynet.call, p, "lua", "never") }
	end)
	skynet.yield()
	check.equal(skynet.call(p, "lua", "release", true, "late"), true)
	skynet.yield()
	check.equal(got, { true, "late" })
end

function cases.an_answer_that_nobody_can_give_any_more_fails_the_call()
	if not check.ours then
		return -- the caller waits for ever
	end
	local p, ended = peer(), {}
	for i, how in ipairs { "raise", "be killed", "forget", "forget" } do
		skynet.fork(function()
			check.raises("call failed", skynet.call, p, "lua", "drop", how)
			ended[i] = true
			skynet.wakeup(ended)
		end)
	end
	local kept
	skynet.fork(function()
		kept = skynet.call(p, "lua", "never")
		skynet.wakeup(ended)
	end)
	skynet.yield()
	skynet.call(p, "lua", "kill_dropping")
	repeat
		skynet.call(p, "lua", "collect")
		skynet.yield()
	until #ended == 4
	check.equal(kept, nil)
	skynet.call(p, "lua", "release", true, "kept")
	while not kept do
		skynet.wait(ended)
	end
	check.equal(kept, "kept")
	-- From the second time on the log tells the place.
	check.raises("call failed", skynet.call, p, "lua", "drop_and_collect")
end

function cases.second_answer_raises()
	local done = {}
	skynet.dispatch("lua", function()
		skynet.retpack(1)
		done.second = { pcall(skynet.ret, "") }
	end)
	check.equal(skynet.call(skynet.self(), "lua"), 1)
	skynet.yield()
	check.equal(done.second[1], false)
	assert(string.find(done.second[2], "No session", 1, true))
end

function cases.an_answer_that_raises_is_still_owed()
	local self = skynet.self()
	skynet.dispatch("lua", function(_, _, what)
		if what == "caught" then
			assert(not pcall(skynet.ret, {}))
			skynet.retpack "after all"
		else
			skynet.ret {} -- no message
		end
	end)
	check.raises("call failed", skynet.call, self, "lua", "uncaught")
	check.equal(skynet.call(self, "lua", "caught"), "after all")
end

function cases.a_task_that_yields_quit_fails_its_caller()
	local self = skynet.self()
	skynet.dispatch("lua", function()
		coroutine.yield "QUIT"
	end)
	check.raises("call failed", skynet.call, self, "lua")
end

function cases.send_is_known_by_session_zero()
	local seen = {}
	skynet.dispatch("lua", function(session, source, value)
		seen = { session, source, value, skynet.retpack "unwanted" }
	end)
	skynet.send(skynet.self(), "lua", "v")
	skynet.yield()
	check.equal(seen, { 0, skynet.self(), "v", false })
end

-- The core's own type has such bits, one of which gives the message away.
function cases.a_type_with_more_bits_than_it_has_frees_no_string()
	if not check.ours then
		return -- the C core frees it
	end
	local core = require "skynet.core"
	local peer = skynet.newservice "peer"
	local GIVEN_AWAY <const> = 0x10000
	local text = skynet.packstring("remember", string.rep("x", 1000))
	for _ = 1, 3 do
		core.send(peer, skynet.PTYPE_LUA | GIVEN_AWAY, 0, text)
		core.redirect(peer, skynet.self(), skynet.PTYPE_LUA | GIVEN_AWAY, 0, text)
	end
	check.equal(skynet.call(peer, "lua", "remembered"), string.rep("x", 1000))
	check.equal(text, skynet.packstring("remember", string.rep("x", 1000)))
	skynet.kill(peer)
end

function cases.context_tells_session_and_source()
	local session, source = skynet.call(peer(), "lua", "context")
	assert(session > 0)
	check.equal(source, skynet.self())
end

function cases.term_fails_calls_to_a_service()
	local p = peer()
	skynet.fork(skynet.term, p)
	check.raises("call failed", skynet.call, p, "lua", "never")
end

function cases.start_that_fails_raises()
	check.raises("call failed", skynet.newservice, "no_such_service")
end

function cases.unique_service_is_one()
	local first = skynet.uniqueservice "peer"
	check.equal(skynet.uniqueservice "peer", first)
	check.equal(skynet.queryservice "peer", first)
end

-- A function of C that calls back: Lua cannot yield there.
local function in_c(func, ...)
	local arguments = table.pack(...)
	return pcall(string.gsub, "a", "a", function()
		func(table.unpack(arguments, 1, arguments.n))
	end)
end

function cases.what_cannot_wait_is_refused_before_it_is_sent()
	if not check.ours then
		return -- the C core's layer sends first, and yields then
	end
	local p, before = peer(), skynet.task()
	local refused = {
		call = { skynet.call, p, "lua", "sleep", 1, "another's answer" },
		rawcall = { skynet.rawcall, p, "lua", skynet.pack("sleep", 1, "another's answer") },
		call_timeout = { skynet.call_timeout, 100, p, "lua", "sleep", 1, "another's answer" },
		select = {
			function()
				skynet.request { p, "lua", "sleep", 1, "another's answer" }:select()
			end,
		},
		sleep = { skynet.sleep, 1 },
		yield = { skynet.yield },
		wait = { skynet.wait },
		newservice = { skynet.newservice, "peer" },
	}
	for name, function_and_arguments in pairs(refused) do
		local ok, problem = in_c(table.unpack(function_and_arguments))
		check.equal(ok, false, name)
		assert(string.find(problem, "attempt to yield across a C-call boundary", 1, true), problem)
	end
	check.equal(skynet.task(), before, "sessions that wait")
	check.equal(skynet.call(p, "lua", "sleep", 3, "mine"), "mine")
	check.equal(skynet.sleep(2), nil, "nothing wakes it")
end

function cases.main_chunk_and_finalizers_cannot_call()
	if not check.ours then
		return -- the answer goes to the next call
	end
	local p = peer()
	local problem
	do
		setmetatable({}, {
			__gc = function()
				problem = select(2, pcall(skynet.call, p, "lua", "echo", 1))
			end,
		})
	end
	collectgarbage()
	assert(string.find(problem, "attempt to yield", 1, true), problem)
	check.equal(skynet.call(p, "lua", "echo", 2), 2)
end

function cases.coroutine_of_its_own_does_not_take_the_answer_of_its_task()
	if not check.ours then
		return -- it does
	end
	local p = peer()
	local inner = coroutine.create(function()
		return skynet.call(p, "lua", "sleep", 1, "of the coroutine")
	end)
	coroutine.resume(inner)
	check.equal(skynet.call(p, "lua", "sleep", 3, "of the task"), "of the task")
	inner = coroutine.create(function()
		return skynet.call(p, "lua", "sleep", 1, "of the coroutine")
	end)
	coroutine.resume(inner)
	check.equal(skynet.sleep(3), nil, "sleep")
end

-- Calls in a coroutine of its own, inside of a task that has ended when the answer is there.
local function leave_call_behind(p)
	skynet.fork(function()
		coroutine.wrap(skynet.call)(p, "lua", "sleep", 1, "late")
	end)
	skynet.yield()
end

function cases.late_answer_does_not_begin_a_task_it_is_not_for()
	if not check.ours then
		return -- it does
	end
	local p, before = peer(), skynet.task()
	local me, began, fired = coroutine.running(), skynet.now(), nil
	leave_call_behind(p)
	skynet.timeout(3, function() -- in the task that has ended
		fired = skynet.now()
		skynet.wakeup(me)
	end)
	skynet.call(p, "lua", "sleep", 2)
	if not fired then -- the answer may be late on a busy machine
		skynet.wait(me)
	end
	assert(fired - began >= 3, fired - began)

	leave_call_behind(p)
	skynet.call(p, "lua", "sleep", 2) -- the answer finds the task idle
	local runs = 0
	for i = 1, 4 do
		skynet.fork(function()
			runs = runs + i
		end)
	end
	skynet.sleep(0)
	check.equal(runs, 10)

	leave_call_behind(p)
	local done
	skynet.fork(function() -- in the task that has ended, and waits itself when the answer comes
		done = skynet.call(p, "lua", "sleep", 3, "mine")
		skynet.wakeup(me)
	end)
	skynet.wait(me)
	check.equal(done, "mine")
	check.equal(skynet.task(), before)
end

function cases.answer_for_a_task_that_has_failed_is_dropped()
	if not check.ours then
		return -- an error of a dead coroutine
	end
	local p, before = peer(), skynet.task()
	local task = skynet.fork(function()
		coroutine.wrap(skynet.call)(p, "lua", "sleep", 1, "late")
		coroutine.yield "QUIT"
	end)
	skynet.yield()
	check.equal(coroutine.status(task), "dead")
	skynet.call(p, "lua", "sleep", 2)
	check.equal(skynet.task(), before)
end

function cases.park_passes_through_a_coroutine_that_hands_it_on()
	local p = peer()
	local inner = coroutine.create(function()
		return "inner", skynet.call(p, "lua", "echo", 7)
	end)
	local values = table.pack(coroutine.resume(inner))
	while coroutine.status(inner) ~= "dead" do
		values = table.pack(coroutine.resume(inner, coroutine.yield(table.unpack(values, 2, values.n))))
	end
	check.equal(values, { n = 3, true, "inner", 7 })
end

function cases.task_that_closes_itself_fails_its_caller()
	if not check.ours then
		return -- it waits for ever
	end
	local p = peer()
	check.raises("call failed", skynet.call, p, "lua", "close_task")
	check.equal(skynet.call(p, "lua", "echo", 1), 1)
end

function cases.killed_service_fails_all_that_wait_for_it()
	if not check.ours then
		return -- they wait for ever
	end
	local p, failed = peer(), 0
	local requests = { { "sleep", 100000 }, { "never" }, { "echo" }, { "in_queue", 100000 } }
	local waiting = 40
	local me = coroutine.running()
	for i = 1, waiting do
		skynet.fork(function()
			local ok = pcall(skynet.call, p, "lua", table.unpack(requests[i % #requests + 1]))
			failed = failed + (ok and 0 or 1)
			waiting = waiting - 1
			if waiting == 0 then
				skynet.wakeup(me)
			end
		end)
	end
	skynet.call(p, "lua", "echo") -- they are under way, and some are answered
	skynet.fork(skynet.kill, p)
	skynet.wait(me)
	assert(failed >= 30, failed) -- the others may have been answered before
end

function cases.errors_tell_which_command_of_whom()
	if not check.ours then
		return -- the text is `call failed`
	end
	local p = peer()
	local _, problem = pcall(skynet.call, p, "lua", "fail", 1)
	local asked = string.format('call failed\n\t(lua "fail" to %s)', skynet.address(p))
	assert(string.find(problem, asked, 1, true), problem)
	_, problem = pcall(function()
		local x = skynet.call(p, "lua", "fail")
		return x
	end)
	assert(string.find(problem, "calls.lua:%d+: call failed\n"), problem)
	_, problem = pcall(skynet.newservice, "no_such_script", 1)
	assert(string.find(problem, '(lua "LAUNCH" "snlua" "no_such_script" to .launcher)', 1, true), problem)
	_, problem = pcall(skynet.call_timeout, 1000, p, "lua", "fail")
	assert(string.find(problem, asked, 1, true), problem)
end

function cases.requests_that_cannot_be_unpacked_fail_and_are_reported_a_few_times()
	if not check.ours then
		return -- each is reported
	end
	local p = peer()
	for _ = 1, 100 do
		check.raises("call failed", skynet.rawcall, p, "lua", "\xff\xff\xff")
	end
	check.equal(skynet.call(p, "lua", "echo", 1), 1)
end

function cases.batch_that_cannot_be_packed_leaves_nothing_behind()
	if not check.ours then
		return -- its answers find a coroutine that has not begun
	end
	local p = peer()
	local before = skynet.task()
	local batch = skynet.request { p, "lua", "sleep", 1 } { p, "lua", print }
	check.raises("", batch.select, batch)
	skynet.call(p, "lua", "sleep", 3)
	check.equal(skynet.task(), before)
end

function cases.several_calls_at_once()
	local p, dead = peer(), peer()
	skynet.kill(dead)
	local got = {}
	for request, response in
		skynet
			.request { p, "lua", "sleep", 2, "slow", id = "slow" } { p, "lua", "echo", "fast", id = "fast" } {
			p,
			"lua",
			"fail",
			id = "fail",
		} { dead, "lua", "echo", id = "dead" }
			:select()
	do
		got[request.id] = response and response[1] or tostring(response)
	end
	check.equal(got, { slow = "slow", fast = "fast", fail = "false", dead = "nil" })
end

function cases.select_gives_up_after_its_time()
	local p = peer()
	local batch = skynet.request { p, "lua", "never" } { p, "lua", "echo", 1 }
	local answers = 0
	for _, response in batch:select(5) do
		answers = answers + 1
		check.equal(response[1], 1)
	end
	check.equal(answers, 1)
	check.equal(batch.timeout, true)
	local stray = false
	local previous = skynet.dispatch_unknown_response(function()
		stray = true
	end)
	check.equal(skynet.call(p, "lua", "release", true), true) -- the late answer is dropped
	skynet.yield()
	skynet.dispatch_unknown_response(previous)
	check.equal(stray, false)
end

function cases.call_with_a_limit_gives_up_and_drops_the_late_answer()
	if not check.ours then
		return -- not part of the C core's Lua layer
	end
	local p = peer()
	check.equal(skynet.call_timeout(1000, p, "lua", "echo", 1, 2), 1)
	check.raises("call failed", skynet.call_timeout, 1000, p, "lua", "fail")
	check.raises("call timeout", skynet.call_timeout, 1, p, "lua", "never")
	local stray = false
	local previous = skynet.dispatch_unknown_response(function()
		stray = true
	end)
	check.equal(skynet.call(p, "lua", "release", true), true)
	skynet.yield()
	skynet.dispatch_unknown_response(previous)
	check.equal(stray, false)
	skynet.kill(p)
	check.raises("invalid address", skynet.call_timeout, 1, p, "lua", "echo")
end

check.run(cases)
