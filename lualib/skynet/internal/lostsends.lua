--- Tells the log of sends that are lost: how many, and why the last one, once a second at most.
---
---     local tell = lostsends(function() return "cluster node [db]" end)
---     tell "the connection is lost"

local skynet = require "skynet"

local PAUSE <const> = 100 -- 1/100 s

---@param describe fun(): string to whom
---@return fun(problem: any)
return function(describe)
	local untold, telling, why = 0, false, nil

	local function run()
		repeat
			skynet.error(string.format("%s: sends that are lost: %d: %s", describe(), untold, why))
			untold = 0
			skynet.sleep(PAUSE)
		until untold == 0
		telling = false
	end

	return function(problem)
		untold, why = untold + 1, tostring(problem)
		if not telling then
			telling = true
			skynet.fork(run)
		end
	end
end
