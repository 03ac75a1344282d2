-- Answers with what it was asked.

local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, ...)
		skynet.retpack(...)
	end)
	skynet.register_protocol {
		name = "client",
		id = skynet.PTYPE_CLIENT,
		pack = function(text)
			return text
		end,
		unpack = skynet.tostring,
		dispatch = function(_, _, text)
			skynet.ret(text)
		end,
	}
end)
