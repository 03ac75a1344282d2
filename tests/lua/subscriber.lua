-- Subscribes to one channel and keeps what it gets.
local skynet = require "skynet"
local multicast = require "skynet.multicast"

local channel
local got = {}
local command = {}

function command.subscribe(number)
	channel = multicast.new {
		channel = number,
		dispatch = function(_, source, ...)
			got[#got + 1] = table.pack(source, ...)
		end,
	}
	channel:subscribe()
end

function command.unsubscribe()
	channel:unsubscribe()
end

function command.got()
	return got
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(command[name](...))
	end)
end)
