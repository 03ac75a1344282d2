-- Answers what it is asked, on a node that others find as "store".
local skynet = require "skynet"
local cluster = require "skynet.cluster"

skynet.start(function()
	local pushed = 0
	skynet.dispatch("lua", function(session, _, ...)
		if session == 0 then
			pushed = pushed + 1
		else
			skynet.retpack(pushed, ...)
		end
	end)
	cluster.reload { store = skynet.getenv "store" }
	cluster.register("echo", skynet.self())
	cluster.open "store"
	print "serving"
end)
