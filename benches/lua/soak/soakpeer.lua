-- The second node of the soak: what the first one calls through the cluster.

local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	cluster.reload { peer = skynet.getenv "peer" }
	cluster.register("answerer", skynet.newservice "answerer")
	cluster.open "peer"
	print "ready"
	io.stdout:flush()
end)
