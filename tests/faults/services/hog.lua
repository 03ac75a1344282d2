-- Takes memory until there is none; says how that ended.
local skynet = require "skynet"

local function take()
	local kept = {}
	for i = 1, 1 << 20 do
		kept[i] = string.rep("m", 1 << 20) .. i
	end
end

skynet.start(function()
	skynet.dispatch("lua", function()
		local ok, problem = pcall(take)
		collectgarbage()
		skynet.retpack(ok, problem)
	end)
end)
