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

check.run(cases)
