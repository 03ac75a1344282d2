-- A node that sells: nobody has to know where it is.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

local name = skynet.getenv "cluster_name"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, item)
		skynet.sleep(1) -- some work
		skynet.retpack(string.format("%s from %s", item, name))
	end)
	cluster.open() -- listens, and tells the others
	cluster.publish "shop" -- this service is one of those
	print(name .. " is open")
end)
