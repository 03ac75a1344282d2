-- Sells. Other nodes call it by the name "shop" on this node.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local name = skynet.getenv "cluster_name"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, item)
		skynet.sleep(1) -- some work
		skynet.retpack(string.format("%s from %s", item, name))
	end)
	cluster.open() -- listens at the advertised address
	cluster.register "shop"
	skynet.newservice("debug_console", "127.0.0.1", os.getenv "CONSOLE_PORT") -- preStop drains by it; inside the pod only
	skynet.newservice("metrics", "0.0.0.0", os.getenv "METRICS_PORT") -- at last: with this port the pod becomes ready
end)
