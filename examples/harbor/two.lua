-- Node 2: uses the service of node 1.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local harbor = require "skynet.harbor"
local datacenter = require "skynet.datacenter"

skynet.start(function()
	local greeter = harbor.queryname "GREETER" -- waits until somebody has that name
	local node, remote = skynet.harbor(greeter)
	print(string.format("GREETER is %s, on node %d, remote: %s", skynet.address(greeter), node, remote))

	-- The handle works like any other; so does the name.
	print(skynet.call(greeter, "lua", "Alice"))
	print(skynet.call("GREETER", "lua", "Bob"))

	-- One service with values for the whole network; it runs on node 1.
	datacenter.set("players", "Alice", 3)
	print("level of Alice:", datacenter.get("players", "Alice"))

	print "harbor is done"
	skynet.abort()
end)
