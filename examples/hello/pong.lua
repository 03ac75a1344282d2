-- The other service: answers, and counts how often it was pinged.
local skynet = require "skynet"

local name = ...
local pings = 0
local command = {}

function command.greet(who)
	return string.format("Hello %s, I am %s.", who, name)
end

function command.ping(round)
	pings = pings + 1
	return round
end

function command.count()
	return pings
end

skynet.start(function()
	-- One call of this function a message; session is 0 for a send, which wants no answer.
	skynet.dispatch("lua", function(session, _, what, ...)
		local result = command[what](...)
		if session ~= 0 then
			skynet.retpack(result)
		end
	end)
end)
