-- Launcher, names, environment, debug protocol, modules that wait while they load.
local skynet = require "skynet"
local service = require "skynet.service"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local check = require "check"

local cases = {}

function cases.local_names_lead_to_services()
	local p = skynet.newservice "peer"
	skynet.name(".other", p)
	check.equal(skynet.localname ".other", p)
	check.equal(skynet.call(".other", "lua", "echo", 5), 5)
	check.equal(skynet.localname ".nobody", nil)
end

function cases.global_names_are_waited_for()
	skynet.fork(skynet.register, "GLOBAL")
	check.equal(harbor.queryname "GLOBAL", skynet.self())
end

function cases.names_that_nobody_has_fail_the_call()
	if not check.ours then
		return -- they are waited for
	end
	local p = skynet.newservice "peer"
	skynet.name(".dotted", p)
	check.raises("call failed", skynet.call, "dotted", "lua", "echo", 1)
	skynet.fork(function()
		skynet.sleep(1)
		skynet.name("dotted", p)
	end)
	check.equal(skynet.call("dotted", "lua", "echo", 1), 1, "registered while the call waits")
end

function cases.environment_grows_but_does_not_change()
	skynet.setenv("test_key", "two words")
	check.equal(skynet.getenv "test_key", "two words")
	check.raises("Can't setenv exist key", skynet.setenv, "test_key", "x")
	check.equal(skynet.getenv "no_such_key", nil)
end

function cases.launcher_lists_what_runs()
	local p = skynet.newservice("peer", "one", "two")
	local list = skynet.call(".launcher", "lua", "LIST")
	check.equal(list[skynet.address(p)], "snlua peer one two")
	local memory = skynet.call(".launcher", "lua", "MEM", 300)
	assert(string.find(memory[skynet.address(p)], "^%d+%.%d+ Kb %(snlua peer one two%)$"))
	assert(skynet.call(".launcher", "lua", "STAT", 300)[skynet.address(p)].task)
	check.equal(skynet.call(".launcher", "lua", "KILL", p), { [skynet.address(p)] = "snlua peer one two" })
	check.equal(skynet.call(".launcher", "lua", "LIST")[skynet.address(p)], nil)
end

function cases.debug_protocol_answers()
	local p = skynet.newservice "peer"
	skynet.call(p, "debug", "PING")
	assert(skynet.call(p, "debug", "MEM") > 0)
	check.equal(skynet.call(p, "debug", "SUPPORT", "lua"), true)
	check.equal(skynet.call(p, "debug", "SUPPORT", "socket"), false)
	local ok, output = skynet.call(p, "debug", "RUN", "print(type(_P.lua.command.echo), ...) return 1", nil, "x")
	check.equal({ ok, output }, { true, "function\tx" })
	ok, output = skynet.call(p, "debug", "RUN", "error 'wrong'")
	check.equal(ok, false)
	assert(string.find(output, "wrong", 1, true))
	check.raises("call failed", skynet.call, p, "debug", "NOSUCH")
end

function cases.each_service_has_libraries_of_its_own()
	local function in_service(p)
		local ok, output = skynet.call(p, "debug", "RUN", "print(string.mark) string.mark = 1 print(math.random(0))")
		assert(ok, output)
		return string.match(output, "^(%S+)%s+(%S+)$")
	end
	local first, second = skynet.newservice "peer", skynet.newservice "peer"
	local mark, number = in_service(first)
	local other_mark, other_number = in_service(second)
	check.equal({ mark, other_mark }, { "nil", "nil" })
	assert(number ~= other_number, "both have the same random numbers")
	check.equal(in_service(first), "1")
end

function cases.link_tells_of_the_end()
	local p = skynet.newservice "peer"
	skynet.fork(skynet.send, p, "debug", "EXIT")
	check.raises("call failed", skynet.call, p, "debug", "LINK")
end

function cases.inline_service_is_one_and_can_be_closed()
	local function main(start)
		local skynet = require "skynet"
		local count = start
		skynet.dispatch("lua", function()
			count = count + 1
			skynet.retpack(count)
		end)
	end
	local s = service.new("counter", main, 10)
	check.equal(service.new("counter", main, 20), s)
	check.equal(service.query "counter", s)
	check.equal(skynet.call(s, "lua"), 11)
	check.equal(service.close "counter", true)
	check.raises("upvalue", service.new, "bad", function()
		return cases
	end)
end

function cases.datacenter_wakes_who_waits()
	local got
	skynet.fork(function()
		got = datacenter.wait("a", "b")
	end)
	skynet.fork(function()
		check.raises("call failed", datacenter.wait, "a")
		got = got or "branch"
	end)
	skynet.yield()
	check.equal(datacenter.set("a", "b", 7), nil)
	check.equal(datacenter.get("a", "b"), 7)
	check.equal(datacenter.get "a", { b = 7 })
	repeat
		skynet.yield()
	until got == 7 or got == "branch"
end

function cases.module_may_wait_while_it_loads()
	local results = {}
	for i = 1, 2 do
		skynet.fork(function()
			results[i] = require "slow_module"
		end)
	end
	repeat
		skynet.yield()
	until results[1] and results[2]
	check.equal(results[1], results[2])
	check.equal(results[1].initialised, true)
	check.raises("module 'no.such.module' not found", require, "no.such.module")
end

check.run(cases)
