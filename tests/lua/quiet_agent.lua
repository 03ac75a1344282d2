-- An agent that handles what its clients send, and gets nothing else but the question how much that was.
local skynet = require "skynet"

local handled = 0

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
	dispatch = function()
		skynet.ignoreret()
		handled = handled + 1
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function()
		skynet.retpack(handled)
	end)
end)
