-- Counts, and tells .main when so many have come; from then on it is silent.
local skynet = require "skynet"

local left = tonumber((...))

local function same(text)
	return text
end

skynet.register_protocol { name = "text", id = skynet.PTYPE_TEXT, pack = same, unpack = skynet.tostring }
skynet.register_protocol { name = "ask", id = 41, unpack = skynet.tostring }
skynet.register_protocol { name = "ack", id = 42, pack = same }

local function count()
	left = left - 1
	if left == 0 then
		skynet.send(".main", "text", "end")
	end
end

skynet.start(function()
	skynet.dispatch("text", count)
	skynet.dispatch("ask", function(_, source)
		count()
		if left > 0 then
			skynet.send(source, "ack", "")
		end
	end)
end)
