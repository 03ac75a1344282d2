-- Sends each message back, and tells .main when so many have come.
local skynet = require "skynet"

local left = tonumber((...))

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}
skynet.register_protocol { name = "go", id = 40, unpack = skynet.tostring }

skynet.start(function()
	skynet.dispatch("go", function(_, _, peer)
		skynet.send(tonumber(peer), "text", "0123456789abcdef")
	end)
	skynet.dispatch("text", function(_, source, text)
		left = left - 1
		if left == 0 then
			skynet.send(".main", "text", "end")
		else
			skynet.send(source, "text", text)
		end
	end)
end)
