-- Runs with ownloader/loader.lua as `lualoader`: a loader that projects bring along knows files only.
local skynet = require "skynet"
local check = require "check"

local cases = {}

function cases.services_of_the_project_come_through_its_loader()
	check.equal(LOADED_BY, "ownloader")
	local answer = { skynet.call(skynet.newservice("peer", "x"), "lua", "echo", 1, "two") }
	check.equal(answer, { 1, "two" })
end

-- That bootstrap and launcher were found has brought us here already.
function cases.services_inside_of_the_executable_are_found_all_the_same()
	check.equal(skynet.call(skynet.uniqueservice "datacenterd", "lua", "UPDATE", "key", 1), nil)
	local multicast = require "skynet.multicast"
	multicast.new():delete()
end

function cases.preloads_run_in_both()
	check.equal(PRELOADED, true)
	local ok, output = skynet.call(skynet.uniqueservice "datacenterd", "debug", "RUN", "print(PRELOADED, LOADED_BY)")
	check.equal({ ok, output }, { true, "true\tnil" })
end

function cases.other_names_fail()
	check.raises("", skynet.newservice, "nosuch")
	check.raises("", skynet.newservice, "../lualib/skynet")
end

check.run(cases)
