-- Services in Rust among those in C and Lua.
local skynet = require "skynet"
local check = require "check"
require "skynet.manager"

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

local cases = {}
local probe = skynet.launch "rs_probe"

skynet.dispatch("lua", function(_, _, question)
	if question == "fail" then
		error "as asked"
	elseif question == "slowly" then
		skynet.sleep(10)
		skynet.ret()
	else
		skynet.ret(skynet.pack("Lua has got " .. question))
	end
end)

local function wait_until(condition)
	for _ = 1, 1000 do
		if condition() then
			return
		end
		skynet.sleep(1)
	end
	error("it has not come", 2)
end

function cases.rust_asks_c_rust_and_lua()
	local counter = skynet.launch("counter", 100)
	check.equal(skynet.call(probe, "lua", "text", counter, "hello"), "105")
	check.equal({ skynet.call(probe, "lua", "ask", skynet.self(), "this") }, { true, "Lua has got this" })
	check.equal((skynet.call(probe, "lua", "ask", skynet.self(), "fail")), false)
	local other = skynet.launch("rs_probe", "late")
	check.equal(skynet.call(probe, "lua", "race", other, 1000), 0)
	skynet.kill(other)
	skynet.kill(counter)
end

function cases.a_late_answer_is_dropped()
	check.equal(skynet.call(probe, "lua", "ask_briefly", skynet.self()), false)
	skynet.sleep(15)
	check.equal(skynet.call(probe, "lua", "echo", 1), 1)
end

function cases.a_peer_that_dies_is_an_error()
	local peer = skynet.launch "rs_probe"
	local answered
	skynet.fork(function()
		-- The type "text" is what it keeps without an answer.
		answered = pcall(skynet.call, probe, "lua", "text", peer, "never")
	end)
	skynet.sleep(1)
	skynet.kill(peer)
	wait_until(function()
		return answered ~= nil
	end)
	check.equal(answered, false)
end

function cases.other_threads_work_and_wake()
	check.equal(skynet.call(probe, "lua", "sum", 1000), 500500)
	check.equal(skynet.call(probe, "lua", "woken", 8, 50), 400)
end

function cases.a_service_ends_while_its_job_runs()
	local worker = skynet.launch "rs_probe"
	local before = skynet.call(probe, "lua", "dropped")
	local result
	skynet.fork(function()
		result = pcall(skynet.call, worker, "lua", "work")
	end)
	wait_until(function()
		return skynet.call(probe, "lua", "jobs") == 1
	end)
	skynet.kill(worker)
	wait_until(function()
		return skynet.call(probe, "lua", "dropped") == before + 1
	end)
	wait_until(function()
		return result ~= nil
	end)
	check.equal(result, false)
	check.equal(skynet.call(probe, "lua", "release_jobs"), 1)
	check.equal(skynet.call(probe, "lua", "sum", 10), 55)
end

function cases.many_come_and_go()
	local before = skynet.call(probe, "lua", "dropped")
	for i = 1, 200 do
		local service = skynet.launch "rs_probe"
		if i % 2 == 0 then
			check.equal(skynet.call(service, "lua", "exit"), "bye")
		else
			skynet.send(service, "lua", "woken", 2, 2)
			skynet.kill(service)
		end
	end
	wait_until(function()
		return skynet.call(probe, "lua", "dropped") == before + 200
	end)
end

function cases.a_panic_at_the_end_ends_nothing_else()
	local service = skynet.launch("rs_probe", "panics at the end")
	local before = skynet.call(probe, "lua", "dropped")
	skynet.kill(service)
	wait_until(function()
		return skynet.call(probe, "lua", "dropped") == before + 1
	end)
	check.equal(skynet.call(probe, "lua", "echo", 1), 1)
end

function cases.it_launches_names_and_ends_others()
	local before = skynet.call(probe, "lua", "dropped")
	check.equal({ skynet.call(probe, "lua", "child") }, { 5, true })
	-- It is gone before it is dropped, and the case behind this one counts.
	wait_until(function()
		return skynet.call(probe, "lua", "dropped") == before + 1
	end)
	check.equal({ skynet.call(probe, "lua", "environment", "rs_key", "a value") }, { "a value", true })
end

check.run(cases)
