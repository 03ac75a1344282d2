-- The cases of gate.lua with C services that are files, not those in the executable: gate, and harbor and logger, which
-- every node has.
local check = require "check"
local run = check.run

function check.run(cases)
	function cases.the_services_are_those_of_the_files()
		local maps = assert(io.open "/proc/self/maps"):read "a"
		for _, name in ipairs { "gate", "harbor", "logger" } do
			assert(maps:find("/" .. name .. ".so\n", 1, true), name)
		end
	end
	run(cases)
end

require "gate"
