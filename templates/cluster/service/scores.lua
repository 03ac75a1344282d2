-- Keeps the points of players. It does not know from which node it is called.
local skynet = require "skynet"

local points = {} -- player -> points
local command = {}

function command.add(player, number)
	assert(math.type(number) == "integer", "points are integers")
	points[player] = (points[player] or 0) + number
	return points[player]
end

function command.get(player)
	return points[player] or 0
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, name, ...)
		local run = command[name] or error("the scores know no command " .. tostring(name))
		if session == 0 then
			run(...)
		else
			skynet.retpack(run(...))
		end
	end)
end)
