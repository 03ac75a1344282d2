-- Stands for the clusteragent of another Lua layer: it knows other requests to clusterd than ours does.
local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function() end)
end)
