-- First service of a node of `skynet test`: runs the tests of one file, and writes what becomes of each.
--
-- Configuration: test_file (the file), test_report (the file that is written), test_limit (seconds for a test), test_filter
-- (a text that names of tests have in them).

local skynet = require "skynet"
require "skynet.manager"
local run = require "skynet.internal.testing.run"

local report = assert(io.open(assert(skynet.getenv "test_report", "this service is for `skynet test`"), "a"))

-- A line for each event: fields between tabs.
local function tell(...)
	local fields = table.pack(...)
	for i = 1, fields.n do
		fields[i] = string.gsub(tostring(fields[i]), "[%%\t\r\n]", function(c)
			return string.format("%%%02X", string.byte(c))
		end)
	end
	report:write(table.concat(fields, "\t"), "\n")
	report:flush()
end

skynet.start(function()
	-- The bootstrap waits for the end of this function.
	skynet.fork(function()
		local limit = tonumber(skynet.getenv "test_limit") or 30
		run.run(skynet.getenv "test_file", skynet.getenv "test_filter", limit, tell)
		tell "done"
		report:close()
		skynet.abort()
	end)
end)
