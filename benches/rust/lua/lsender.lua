-- Sends to one receiver, a window ahead of its acknowledgements.
local skynet = require "skynet"

local WINDOW <const> = 32

local function same(text)
	return text
end

skynet.register_protocol { name = "text", id = skynet.PTYPE_TEXT, pack = same, unpack = skynet.tostring }
skynet.register_protocol { name = "go", id = 40, unpack = skynet.tostring }
skynet.register_protocol { name = "ask", id = 41, pack = same }
skynet.register_protocol { name = "ack", id = 42, unpack = skynet.tostring }

local receiver

local function burst()
	for _ = 1, WINDOW - 1 do
		skynet.send(receiver, "text", "0123456789abcdef")
	end
	skynet.send(receiver, "ask", "0123456789abcdef")
end

skynet.start(function()
	skynet.dispatch("go", function(_, _, peer)
		receiver = tonumber(peer)
		burst()
		burst()
	end)
	skynet.dispatch("ack", burst)
end)
