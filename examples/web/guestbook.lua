-- The data. All workers ask this one service, so there is one order of events and nothing to lock.
local skynet = require "skynet"

local names = {}
local command = {}

function command.sign(name)
	names[#names + 1] = name
end

function command.list()
	return names
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, ...)
		skynet.retpack(command[what](...))
	end)
end)
