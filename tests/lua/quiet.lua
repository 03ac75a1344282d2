-- Garbage that a burst leaves in a Lua service goes, though the service allocates nothing any more.
local skynet = require "skynet"
local check = require "check"

local KEPT <const>, DROPPED <const> = 10, 100

-- The same script serves as the service that has the burst.
local mode = ...
if mode then
	local kept
	local function tables(megabytes)
		local list = {}
		for i = 1, megabytes * 1000 do
			list[i] = { string.rep("x", 900) .. i }
		end
		return list
	end
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what)
			if what == "burst" then
				if mode == "stop" then
					collectgarbage "stop"
				elseif mode ~= "default" then
					collectgarbage(mode)
				end
				kept = tables(KEPT)
				local dropped = tables(DROPPED)
				-- Whatever its own collector does before, the tables live then.
				collectgarbage "step"
				return skynet.retpack(#dropped)
			end
			-- What it kept is as it was.
			local right = 0
			for i, entry in ipairs(kept) do
				right = right + (entry[1] == string.rep("x", 900) .. i and 1 or 0)
			end
			skynet.retpack(right, collectgarbage "isrunning", mode == "default" or collectgarbage(mode))
		end)
	end)
	return
end

local function megabytes(service)
	return skynet.call(service, "debug", "MEM") / 1024
end

local cases = {}

function cases.garbage_of_quiet_services_goes_unless_they_have_stopped_their_collector()
	local services = {}
	for _, name in ipairs { "default", "incremental", "generational", "stop" } do
		local service = skynet.newservice("quiet", name)
		services[name] = service
		skynet.call(service, "lua", "burst")
		assert(name == "stop" or megabytes(service) > DROPPED / 2, name)
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
			assert(right == KEPT * 1000 and running, name)
			assert(was == true or was == name, was)
		end
	end
	assert(megabytes(services.stop) > DROPPED)
	-- No message but ours was handled: the look, and what was asked before and after.
	local now = skynet.call(services["default"], "debug", "STAT")
	assert(now.message == before + asked + 1, now.message - before - asked)
	assert(now.mqlen == 0)
	for _, service in pairs(services) do
		skynet.send(service, "debug", "EXIT")
	end
end

check.run(cases)
