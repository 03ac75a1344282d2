-- A service of another layer in the place of one that belongs to a family (tests/lua/otherlayer): the node says so, and
-- nobody waits.
local check = require "check"
local cluster = require "skynet.cluster"

local cases = {}

function cases.a_call_fails_when_the_services_of_cluster_do_not_fit_together()
	cluster.reload { here = "127.0.0.1:" .. check.port(1) }
	cluster.open "here"
	local ok = pcall(cluster.call, "here", "@name", "ping")
	check.equal(ok, false)
end

check.run(cases)
