-- Watchdog and agent of a C gate: sends back what comes.

local skynet = require "skynet"
require "skynet.manager"
local socketdriver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"

local port = ...
local gate

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function(msg, sz)
		return msg, sz
	end,
	dispatch = function(fd, _, msg, sz)
		skynet.ignoreret()
		socketdriver.send(fd, netpack.pack(msg, sz))
	end,
}

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(_, _, text)
		local fd, event = string.match(text, "^(%d+) (%a+)")
		if event == "open" then
			skynet.send(
				gate,
				"text",
				string.format("forward %d %s %s", fd, skynet.address(skynet.self()), skynet.address(gate))
			)
			skynet.send(gate, "text", "start " .. fd)
		end
	end,
}

skynet.start(function()
	gate = skynet.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, skynet.PTYPE_CLIENT, 1024)
	assert(gate, "no gate")
end)
