-- snax services, and replacing their functions while they run.
local skynet = require "skynet"
local snax = require "skynet.snax"
local check = require "check"

local cases = {}

function cases.functions_are_called_through_the_object()
	local s = snax.newservice("snax_counter", 10)
	check.equal(s.req.add(5), 15)
	s.post.reset(1)
	check.equal(s.req.add(1), 2)
	check.equal({ s.req.echo(nil, 2, nil) }, { nil, 2, nil })
	check.raises("request snax_counter:nothing no exist", function()
		return s.req.nothing
	end)
	check.raises("post snax_counter:add no exist", function()
		return s.post.add
	end)
	check.raises("call failed", s.req.fail)
	check.equal(tostring(s), string.format("[snax_counter:%x]", s.handle))
	check.equal(snax.bind(s.handle, "snax_counter"), s)
	local profile = snax.profile_info(s)
	check.equal(profile.add.count, 2)
	check.equal(profile.fail.count, 1)
	snax.kill(s, "bye")
	assert(not pcall(s.req.add, 1))
end

function cases.start_fails_when_init_does()
	check.raises("call failed", snax.newservice, "snax_counter", "no number")
	assert(not pcall(snax.newservice, "no_such_snax"))
end

function cases.unique_service_is_one()
	local s = snax.uniqueservice("snax_counter", 1)
	check.equal(snax.queryservice("snax_counter"), s)
	check.equal(snax.globalservice("snax_counter", 7).req.add(0), 7)
	check.equal(snax.queryglobal("snax_counter").req.add(1), 8)
	check.equal(s.req.add(0), 1)
end

function cases.hot_fix_replaces_functions_and_keeps_variables()
	local s = snax.newservice("snax_counter", 10)
	local result = snax.hotfix(
		s,
		[[
		local total
		local own = 1000
		function response.add(n)
			total = total + 2 * n
			return total + own
		end
		function hotfix(...)
			local before = total
			total = 0
			return before, ...
		end
	]],
		"argument"
	)
	check.equal(result, 10)
	check.equal(s.req.add(3), 1006)
	check.equal(s.req.total(), 6)
	check.raises("Patch mismatch response.unknown", snax.hotfix, s, "function response.unknown() end")
	assert(not pcall(snax.hotfix, s, "function"))
	check.equal(s.req.total(), 6)
end

function cases.a_service_knows_itself()
	local s = snax.newservice("snax_counter", 1)
	check.equal({ s.req.who() }, { "snax_counter", s.handle })
end

check.run(cases)
