-- Keeps points of players, and tells other nodes about a new best one.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local cluster = require "skynet.cluster"

local points = {} -- player -> points
local best = 0
local command = {}

function command.add(player, number)
	assert(math.type(number) == "integer", "points are integers")
	points[player] = (points[player] or 0) + number
	if points[player] > best then
		best = points[player]
		cluster.send("game", "@board", "best", player, best)
	end
	return points[player]
end

function command.get(player)
	return points[player]
end

-- Another node may end this one because the service says so, not because it is in the cluster.
function command.shutdown()
	print "node db ends"
	skynet.timeout(10, skynet.abort) -- 1/10 s: time for the answer to leave
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, what, ...)
		local result = command[what](...) -- an error here fails the call over there
		if session ~= 0 then
			skynet.retpack(result)
		end
	end)
end)
