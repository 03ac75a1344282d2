-- Takes memory until there is none; says how that ended, for strings and for data that is shared.
local skynet = require "skynet"
local sharedata = require "skynet.sharedata.corelib"

local function take()
	local kept = {}
	for i = 1, 1 << 20 do
		kept[i] = string.rep("m", 1 << 20) .. i
	end
end

local function share(kept)
	for i = 1, 1 << 20 do
		-- Twice at a time: the string, and what shares it.
		kept[i] = sharedata.host.new { string.rep("s", 32 << 20) .. i, { [string.rep("k", 1 << 20) .. i] = i } }
	end
end

skynet.start(function()
	skynet.dispatch("lua", function()
		local ok, problem = pcall(take)
		collectgarbage()
		if ok then
			return skynet.retpack(ok, problem)
		end
		local shared = {}
		ok, problem = pcall(share, shared)
		for _, data in ipairs(shared) do
			sharedata.host.delete(data)
		end
		collectgarbage()
		skynet.retpack(ok, problem)
	end)
end)
