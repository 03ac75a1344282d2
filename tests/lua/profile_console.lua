-- What tests of profiles from the debug console share.
local skynet = require "skynet"
local run = require "skynet.internal.console"

local M = {}

--- Runs a line of the console, as for a connection that sends one. Yields.
---@return boolean ok
---@return string text
function M.console(line)
	local connection = { is_request = true, closed = true, poll_line = function() end }
	function connection:wake()
		skynet.wakeup(self)
	end
	function connection:wait()
		skynet.wait(self)
	end
	return run(connection, line)
end

--- Raises unless each line is refused with its text. Yields.
---@param lines table<string, string>
function M.refuses(lines)
	for line, expected in pairs(lines) do
		local done, problem = M.console(line)
		assert(done == false and string.find(problem, expected, 1, true), tostring(problem))
	end
end

--- Raises unless each file has its pattern. Does not yield.
---@param files table<string, string>
function M.has(files)
	for path, expected in pairs(files) do
		local file = assert(io.open(path))
		local content = file:read "a"
		file:close()
		assert(string.find(content, expected), path)
	end
end

return M
