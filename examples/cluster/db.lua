-- Node db: starts the service of the scores, and makes it known to the cluster.
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	local scores = skynet.newservice "scores"
	cluster.register("scores", scores) -- other nodes call it "@scores"
	cluster.open "db" -- listens where the file of nodes says
	print "node db is ready"
end)
