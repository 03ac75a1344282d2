-- Has queried the shared data of a name.
local skynet = require "skynet"
local sharedata = require "skynet.sharedata"

local name = ...

skynet.start(function()
	local data = sharedata.query(name)
	assert(data[1])
	skynet.dispatch("lua", function()
		skynet.retpack(data[1])
	end)
end)
