-- The log is on a device that is full.
local skynet = require "skynet"
local core = require "skynet.core"
local check = require "check"

local cases = {}

function cases.lines_that_cannot_be_written_are_counted_as_lost()
	for number = 1, 100 do
		skynet.error("line", number)
	end
	check.await(function()
		local lost = string.match(core.command "METRICS", "log_lines_lost (%d+)")
		return tonumber(lost) >= 100
	end)
end

check.run(cases)
