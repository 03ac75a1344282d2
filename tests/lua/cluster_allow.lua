-- A node that others may call by some names only: the setting cluster_allow = "scores .known".
local skynet = require "skynet"
require "skynet.manager"
local cluster = require "skynet.cluster"
local check = require "check"
local nodes = require "cluster_nodes"

local cases = {}

function cases.names_of_the_list_are_called()
	nodes.open()
	local peer = nodes.peer()
	cluster.register("scores", peer)
	skynet.name(".known", peer)
	check.equal(cluster.call("me", "@scores", "echo", 1), 1)
	check.equal(cluster.call("me", ".known", "echo", 2), 2)
end

function cases.nothing_else_is_called()
	nodes.open()
	local peer = nodes.peer()
	cluster.register("other", peer)
	skynet.name(".unknown", peer)
	for _, address in ipairs { "@other", ".unknown", ".launcher", "scores", peer } do
		nodes.fails(cluster.call, "me", address, "remember", "this")
		cluster.send("me", address, "remember", "this")
	end
	cluster.send("me", ".known", "remember", "x") -- what was sent before has come
	nodes.fails(cluster.call, "me", "@nosuch")
	check.equal(skynet.call(peer, "lua", "remembered"), nil)
	nodes.fails(cluster.call, "me", "@~0.1", "echo") -- nobody has published it
end

check.run(cases)
