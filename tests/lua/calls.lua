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
	skynet.fork(function() got = { pcall(skynet.call, p, "lua", "never") } end)
	skynet.yield()
	check.equal(skynet.call(p, "lua", "release", true, "late"), true)
	skynet.yield()
	check.equal(got, { true, "late" })
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

function cases.send_is_known_by_session_zero()
	local seen = {}
	skynet.dispatch("lua", function(session, source, value)
		seen = { session, source, value, skynet.retpack "unwanted" }
	end)
	skynet.send(skynet.self(), "lua", "v")
	skynet.yield()
	check.equal(seen, { 0, skynet.self(), "v", false })
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

function cases.several_calls_at_once()
	local p, dead = peer(), peer()
	skynet.kill(dead)
	local got = {}
	for request, response in skynet.request { p, "lua", "sleep", 2, "slow", id = "slow" }
		{ p, "lua", "echo", "fast", id = "fast" }
		{ p, "lua", "fail", id = "fail" }
		{ dead, "lua", "echo", id = "dead" }
		:select() do
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
	local previous = skynet.dispatch_unknown_response(function() stray = true end)
	check.equal(skynet.call(p, "lua", "release", true), true) -- the late answer is dropped
	skynet.yield()
	skynet.dispatch_unknown_response(previous)
	check.equal(stray, false)
end

function cases.call_with_a_limit_gives_up_and_drops_the_late_answer()
	if not skynet.call_timeout then
		return -- not part of the C core's Lua layer
	end
	local p = peer()
	check.equal(skynet.call_timeout(1000, p, "lua", "echo", 1, 2), 1)
	check.raises("call failed", skynet.call_timeout, 1000, p, "lua", "fail")
	check.raises("call timeout", skynet.call_timeout, 1, p, "lua", "never")
	local stray = false
	local previous = skynet.dispatch_unknown_response(function() stray = true end)
	check.equal(skynet.call(p, "lua", "release", true), true)
	skynet.yield()
	skynet.dispatch_unknown_response(previous)
	check.equal(stray, false)
	skynet.kill(p)
	check.raises("invalid address", skynet.call_timeout, 1, p, "lua", "echo")
end

check.run(cases)
