-- Plays matches between pairs of services, with `send` only, first one match and then several at once.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort

local STROKES <const> = 20000 -- of a match

local function new_match()
	return skynet.newservice "player", skynet.newservice "player"
end

-- Starts all matches together, and waits for the winners as they come.
local function play(count)
	local matches = skynet.request()
	for _ = 1, count do
		local left, right = new_match()
		matches:add { left, "lua", "serve", right, STROKES }
	end
	local finished = 0
	local started = skynet.hpc()
	for _, answer in matches:select() do
		assert(answer and answer[1] == STROKES)
		finished = finished + 1
	end
	local seconds = (skynet.hpc() - started) / 1e9
	print(
		string.format(
			"%d of %d matches finished: %.0f messages a second",
			finished,
			count,
			finished * STROKES / seconds
		)
	)
end

skynet.start(function()
	play(1)
	play(4)
	print "pingpong is done"
	skynet.abort()
end)
