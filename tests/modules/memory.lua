-- skynet.memory
local check = require "check"
local memory = require "skynet.memory"

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
