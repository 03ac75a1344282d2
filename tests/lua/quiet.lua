-- Garbage that a burst leaves in a Lua service goes, though the service allocates nothing any more.
local skynet = require "skynet"
local check = require "check"

local KEPT <const>, DROPPED <const> = 10, 100
local LIMIT <const> = 160 -- MB, of the service that has one
local EACH <const> = 250 -- tables that make a megabyte

-- The same script serves as the service that has the burst.
local mode = ...
if mode then
	if mode == "limited" then
		skynet.memlimit(LIMIT * 1000 * 1000)
	end
	local kept
	local text = string.rep("x", 3900)
	local function tables(megabytes)
		local list = {}
		for i = 1, megabytes * EACH do
			list[i] = { text .. i }
		end
		return list
	end
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what)
			if what == "drop" then
				skynet.response()
				return
			elseif what == "burst" then
				if mode == "stop" then
					collectgarbage "stop"
				elseif mode == "incremental" or mode == "generational" then
					collectgarbage(mode)
				end
				kept = tables(KEPT)
				local dropped = tables(DROPPED)
				-- Whatever its own collector does before, the tables live then.
				collectgarbage "step"
				return skynet.retpack(#dropped)
			end
			if what == "too much" then
				return skynet.retpack(#tables(2 * LIMIT))
			end
			-- What it kept is as it was.
			local right = 0
			for i, entry in ipairs(kept) do
				right = right + (entry[1] == text .. i and 1 or 0)
			end
			local has_mode = mode == "incremental" or mode == "generational"
			skynet.retpack(right, collectgarbage "isrunning", not has_mode or collectgarbage(mode))
		end)
	end)
	return
end

local function megabytes(service)
	return skynet.call(service, "debug", "MEM") / 1024
end

local cases = {}

-- The test runs this file once more with the setting.
if skynet.getenv "gc_when_quiet" == "false" then
	function cases.without_it_garbage_of_quiet_services_stays()
		local service = skynet.newservice("quiet", "default")
		skynet.call(service, "lua", "burst")
		local before = megabytes(service)
		assert(before > DROPPED / 2)
		skynet.sleep(2000) -- with it, it is gone after fifteen seconds
		assert(megabytes(service) >= before - 1, megabytes(service))
	end

	return check.run(cases)
end

function cases.garbage_of_quiet_services_goes_unless_they_have_stopped_their_collector()
	local services = {}
	-- A small one has dropped an answer: its caller learns of that as well.
	local careless, failed = skynet.newservice("quiet", "careless"), false
	skynet.fork(function()
		failed = not pcall(skynet.call, careless, "lua", "drop")
	end)
	for _, name in ipairs { "default", "incremental", "generational", "stop", "limited" } do
		local service = skynet.newservice("quiet", name)
		services[name] = service
		skynet.call(service, "lua", "burst")
		assert(name == "stop" or megabytes(service) > DROPPED / 2, name)
		if name == "limited" then
			check.equal(pcall(skynet.call, service, "lua", "too much"), false)
		end
	end
	local before = skynet.call(services["default"], "debug", "STAT").message
	local asked = 1
	for name, service in pairs(services) do
		if name ~= "stop" then
			for second = 1, 120 do
				skynet.sleep(100)
				asked = asked + (name == "default" and 1 or 0)
				if megabytes(service) < 2 * KEPT then
					break
				end
				assert(second < 120, name .. " still has its garbage")
			end
			local right, running, was = skynet.call(service, "lua", "look")
			assert(right == KEPT * EACH and running, name)
			assert(was == true or was == name, was)
			if name == "limited" then -- what is free can be had again, and no more than that
				check.equal(skynet.call(service, "lua", "burst"), DROPPED * EACH)
				check.equal(pcall(skynet.call, service, "lua", "too much"), false)
			end
		end
	end
	assert(megabytes(services.stop) > DROPPED)
	for second = 1, 120 do
		if failed then
			break
		end
		skynet.sleep(100)
		assert(second < 120, "the caller of an answer that was dropped still waits")
	end
	services.careless = careless
	-- No message but ours was handled: the look, and what was asked before and after.
	local now = skynet.call(services["default"], "debug", "STAT")
	assert(now.message == before + asked + 1, now.message - before - asked)
	assert(now.mqlen == 0)
	for _, service in pairs(services) do
		skynet.send(service, "debug", "EXIT")
	end
end

check.run(cases)
