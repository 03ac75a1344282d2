-- Hears of services that end, and answers whether it has heard of one.
local skynet = require "skynet"

local ended = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function() end,
	dispatch = function(_, address)
		skynet.ignoreret()
		ended[address] = true
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function(_, _, address)
		skynet.retpack(ended[address])
	end)
end)
