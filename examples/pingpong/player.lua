-- Plays the ball back with a `send` until the match is over. Who served tells the referee.
local skynet = require "skynet"

local command = {}
local finish -- answers the referee's call, later

-- The referee calls this. The answer is given when the ball has gone to and fro often enough.
function command.serve(_, partner, strokes)
	finish = skynet.response()
	skynet.send(partner, "lua", "ball", 1, strokes)
end

function command.ball(from, stroke, strokes)
	if stroke < strokes then
		skynet.send(from, "lua", "ball", stroke + 1, strokes)
	elseif finish then
		finish(true, stroke)
	else
		skynet.send(from, "lua", "ball", stroke, strokes) -- the partner is the one to tell
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, from, what, ...)
		command[what](from, ...)
	end)
end)
