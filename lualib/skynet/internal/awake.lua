--- The time for which this process has run: as `skynet.now`, but it stands still while the process does (SIGSTOP, a container or a
--- machine that is frozen), whatever looks at it first when the process goes on. For judgements on others: how long they were silent.
---
--- A service has one such clock, this module, and starts `awake.run` in a task (skynet.internal.respawn).

local skynet = require "skynet"

local LOOK <const> = 50 -- 1/100 s between two looks at the other clock
local MOST <const> = 2 * LOOK -- 1/100 s between two looks for which the process has certainly run

--- A clock on top of another one.
---@param other fun(): integer 1/100 s
local function new(other)
	local ran, seen = 0, other() -- at the last look
	local clock = {}

	--- Does not yield.
	---@return integer time in 1/100 s
	function clock.now()
		return ran + math.min(other() - seen, MOST)
	end

	--- The time in which the process has stood still, since some moment. Does not yield.
	---@return integer time in 1/100 s
	function clock.lost()
		return other() - clock.now()
	end

	--- The process runs. Does not yield.
	function clock.look()
		ran, seen = clock.now(), other()
	end

	return clock
end

local M = new(skynet.now)
M.new = new

--- Looks at the other clock. Yields, without an end.
function M.run()
	while true do
		M.look()
		skynet.sleep(LOOK)
	end
end

return M
