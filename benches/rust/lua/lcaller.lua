-- Asks another one of its kind, one request after another.
local skynet = require "skynet"

local commands = {}

function commands.go(peer, number)
	for _ = 1, number do
		skynet.call(peer, "lua", "echo", 1)
	end
	return number
end

function commands.echo(number)
	return number
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(commands[name](...))
	end)
end)
