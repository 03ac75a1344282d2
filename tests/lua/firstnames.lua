-- Modules by their names in skynet 1.0.
local check = require "check"

local cases = {}

function cases.each_name_is_the_module_of_today()
	-- Others have the name of a test in this folder.
	for _, name in ipairs {
		"crypt",
		"datacenter",
		"memory",
		"mqueue",
		"netpack",
		"profile",
		"redis",
		"socketdriver",
		"stm",
	} do
		local module = require(name)
		check.equal(module == package.loaded["skynet." .. (name == "redis" and "db." or "") .. name], true, name)
	end
end

check.run(cases)
