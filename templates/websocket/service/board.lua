-- The game: where everybody is. Whoever joins is told where the others are; all are told of every move.
local skynet = require "skynet"

local SIZE <const> = 20 -- fields in a row
local STEP <const> = { left = { -1, 0 }, right = { 1, 0 }, up = { 0, -1 }, down = { 0, 1 } }

local players = {} -- name -> { x, y, source = service, id = connection there }
local last = 0

local function tell(player, text)
	skynet.send(player.source, "lua", "tell", player.id, text)
end

local function tell_all(text)
	for _, player in pairs(players) do
		tell(player, text)
	end
end

local function place(name, player)
	return string.format("at %s %d %d", name, player.x, player.y)
end

local command = {}

-- `id`: what the service that asks calls the connection. Answers the name of the player.
function command.join(source, id)
	last = last + 1
	local name = "P" .. last
	local player = { x = SIZE // 2, y = SIZE // 2, source = source, id = id }
	for other, there in pairs(players) do
		tell(player, place(other, there))
	end
	players[name] = player
	tell_all(place(name, player))
	return name
end

function command.move(_, name, direction)
	local player, step = players[name], STEP[direction]
	if not player or not step then
		return
	end
	-- The edges stay where they are.
	player.x = math.max(0, math.min(SIZE - 1, player.x + step[1]))
	player.y = math.max(0, math.min(SIZE - 1, player.y + step[2]))
	tell_all(place(name, player))
end

function command.leave(_, name)
	players[name] = nil
	tell_all("gone " .. name)
end

skynet.start(function()
	skynet.dispatch("lua", function(session, source, name, ...)
		local run = command[name] or error("the board knows no command " .. tostring(name))
		if session == 0 then
			run(source, ...)
		else
			skynet.retpack(run(source, ...))
		end
	end)
end)
