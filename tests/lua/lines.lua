-- Several services print at the same time; the test that started the node looks at every line.
local skynet = require "skynet"
local check = require "check"

local WRITERS <const>, LINES <const> = 4, 2000
local cases = {}

function cases.writers_print()
	local writers = {}
	for i = 1, WRITERS do
		writers[i] = skynet.newservice("lines_writer")
	end
	local together = skynet.request()
	for i, writer in ipairs(writers) do
		together:add { writer, "lua", i, LINES }
	end
	local answers = 0
	for _, answer in together:select() do
		answers = answers + (answer and 1 or 0)
	end
	check.equal(answers, WRITERS)
end

check.run(cases)
