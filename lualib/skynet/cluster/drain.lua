--- What a service does when its node drains: `cluster.on_drain`.

local skynet = require "skynet"

local M = {}

local funcs -- in their order; nil: nobody has asked

local function run(drain)
	local left, token = #funcs, {}
	for _, func in ipairs(funcs) do
		skynet.fork(function()
			local ok, problem = xpcall(func, debug.traceback, drain)
			if not ok then
				skynet.error("cluster: on_drain: " .. tostring(problem))
			end
			left = left - 1
			if left == 0 then
				skynet.wakeup(token)
			end
		end)
	end
	skynet.wait(token)
end

--- Does not yield.
---@param clusterd integer
---@param func fun(drain: table)
function M.add(clusterd, func)
	if funcs then
		table.insert(funcs, func)
		return
	end
	funcs = { func }
	skynet.fork(function()
		while true do
			local ok, drain = pcall(skynet.call, clusterd, "lua", "await_drain")
			if not ok then
				return -- clusterd has ended
			end
			run(drain)
			skynet.send(clusterd, "lua", "drain_hook_done")
		end
	end)
end

return M
