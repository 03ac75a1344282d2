-- skynet.memory
local check = require "check"
local core = require "skynet.core"
local memory = require "skynet.memory"
local service = require "skynet.service"
local skynet = require "skynet.manager"

local cases = {}

function cases.the_process_uses_memory()
	check.equal(math.type(memory.total()), "integer")
	check.equal(math.type(memory.block()), "integer")
	assert(memory.current() >= 0)
end

function cases.every_service_has_its_bytes()
	for handle, bytes in pairs(memory.info()) do
		check.equal(math.type(handle), "integer")
		check.equal(math.type(bytes), "integer")
	end
end

function cases.what_a_service_has_sent_is_not_its_own()
	local sink = service.new("memory sink", function()
		local skynet = require "skynet"
		skynet.dispatch("lua", function(session)
			if session ~= 0 then
				skynet.ret()
			end
		end)
		skynet.start(function() end)
	end)
	for _, size in ipairs { 8, 60, 150, 5000 } do
		local text = string.rep("x", size)
		local grown = check.growth(function()
			for _ = 1, 1000 do
				core.send(sink, skynet.PTYPE_LUA, 0, text)
				skynet.send(sink, "lua", text)
			end
			skynet.call(sink, "lua")
		end)
		assert(math.abs(grown) < 8192, size .. ": " .. grown)
	end
end

function cases.what_an_ended_service_had_is_not_taken_from_who_ended_it()
	local grown = check.growth(function()
		for _ = 1, 300 do
			skynet.kill(skynet.launch("logger", "/dev/null"))
		end
	end)
	assert(math.abs(grown) < 8192, grown)
end

-- The C core's module has no purge.
if memory.purge then
	function cases.free_pages_go_back_to_the_system()
		local kept = {}
		for i = 1, 64 do
			kept[i] = string.rep("x", 1 << 20)
		end
		local full = memory.jestat()["stats.resident"]
		kept = nil
		collectgarbage "collect"
		if memory.purge() then
			local after = memory.jestat()
			assert(after["stats.resident"] < full - (32 << 20), after["stats.resident"])
			assert(
				after["stats.allocated"] <= after["stats.active"] and after["stats.active"] <= after["stats.resident"]
			)
		else
			check.equal(memory.total(), 0)
		end
	end
end

check.run(cases)
