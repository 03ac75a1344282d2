-- The service over the network: this node is the node "db", and calls itself as other nodes do.
local test = require "skynet.test"
local cluster = require "skynet.cluster"

test.before_all(function()
	cluster.reload { db = "127.0.0.1:" .. test.free_port(), gone = "127.0.0.1:" .. test.free_port() }
	cluster.open "db"
end)

test("scores are reached by their name", function()
	cluster.register("scores", test.service "scores")
	test.equal(cluster.call("db", "@scores", "add", "Alice", 10), 10)
end)

test("an error over there is an error here", function()
	cluster.register("strict", test.service "scores")
	test.raises(function()
		cluster.call("db", "@strict", "add", "Alice", "many")
	end)
end)

test("a node that is down fails the call", function()
	test.raises(function()
		cluster.call("gone", "@scores", "get", "Alice")
	end)
end)
