-- Watchdog and agent of a gate in Lua: sends back what comes.

local skynet = require "skynet"
local socketdriver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"

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

skynet.start(function()
	skynet.dispatch("lua", function(_, _, command, event, fd)
		if command == "start" then
			gate = skynet.newservice "gate"
			local _, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, nodelay = true })
			skynet.retpack(port)
		elseif event == "open" then
			skynet.send(gate, "lua", "forward", fd)
		elseif event == "close" or event == "error" then
			skynet.send(gate, "lua", "kick", fd)
		end
	end)
end)
