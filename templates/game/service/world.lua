-- The game: there is a number from 1 to 100, and whoever finds it has a point. All players are in this one service, so there
-- is one order of events and nothing to lock.
local skynet = require "skynet"

local seconds, fixed = ... -- `fixed`: always this number, for tests
local number
local round = 0
local players = {} -- name -> { agent, points }

local function tell_all(text)
	for _, player in pairs(players) do
		skynet.send(player.agent, "lua", "tell", text)
	end
end

local function new_round()
	round = round + 1
	number = tonumber(fixed) or math.random(100)
	local this = round
	skynet.timeout(seconds * 100, function() -- 1/100 s
		if round == this then
			tell_all(string.format("nobody has found it: it was %d", number))
			new_round()
		end
	end)
end

local command = {}

function command.join(agent, name)
	if not string.find(name, "^%w+$") then
		return false, "a name has letters and digits"
	elseif players[name] then
		return false, "the name is taken"
	end
	local others = {}
	for other in pairs(players) do
		others[#others + 1] = other
	end
	table.sort(others)
	tell_all(name .. " comes in")
	players[name] = { agent = agent, points = 0 }
	return true, others
end

function command.guess(_, name, guessed)
	if guessed < number then
		return "low"
	elseif guessed > number then
		return "high"
	end
	local player = players[name]
	player.points = player.points + 1
	tell_all(string.format("%s has found %d, and has %d points", name, number, player.points))
	new_round()
	return "right"
end

function command.leave(_, name)
	players[name] = nil
	tell_all(name .. " has left")
end

skynet.start(function()
	new_round()
	skynet.dispatch("lua", function(session, source, name, ...)
		local run = command[name] or error("the world knows no command " .. tostring(name))
		if session == 0 then
			run(source, ...)
		else
			skynet.retpack(run(source, ...))
		end
	end)
end)
