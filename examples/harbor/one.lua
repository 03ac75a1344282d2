-- Node 1: a service that any node of the network knows by its name.
local skynet = require "skynet"
require "skynet.manager" -- skynet.register, skynet.abort
local harbor = require "skynet.harbor"

local greeted = 0

skynet.start(function()
	skynet.dispatch("lua", function(_, from, name)
		greeted = greeted + 1
		skynet.retpack(string.format("hello %s of node %d, you are number %d", name, skynet.harbor(from), greeted))
	end)
	skynet.register "GREETER" -- a name without a dot is known to all nodes
	print "node one is ready"

	harbor.connect(2) -- returns when node 2 is there
	print "node two is here"
	harbor.link(2) -- returns when it is gone
	print "node two is gone"
	skynet.abort()
end)
