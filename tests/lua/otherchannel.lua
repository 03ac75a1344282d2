-- The services of cluster over a socketchannel of another layer; with the key `unfit`, over one that they cannot work with.
local skynet = require "skynet"
local check = require "check"
local cluster = require "skynet.cluster"

local cases = {}

function cases.calls_over_the_channel_of_another_layer()
	local here = "127.0.0.1:" .. check.port(1)
	cluster.reload { here = here, bad = "nowhere", worse = "127.0.0.1:70000" }
	cluster.open "here"
	local peer = skynet.newservice "peer"
	cluster.register("peer", peer)
	local fits = not skynet.getenv "unfit"
	check.equal(pcall(cluster.call, "here", "@peer", "echo", 1), fits)
	for _, node in ipairs { "bad", "worse" } do
		check.equal(pcall(cluster.call, node, "@peer", "echo", 1), false)
	end
	if fits then
		check.equal(cluster.call("here", "@peer", "echo", string.rep("x", 100000)), string.rep("x", 100000))
		cluster.reload { here = "nowhere" }
		check.equal(pcall(cluster.call, "here", "@peer", "echo", 1), false)
		cluster.reload { here = here }
		while not pcall(cluster.call, "here", "@peer", "echo", 2) do -- the last try may be too recent for another
			skynet.sleep(1)
		end
	end
end

check.run(cases)
