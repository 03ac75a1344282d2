-- A gate, `gate.lua` or the C service ("lua" or "c"), and its watchdog, which is the agent of all clients and sends their frames
-- back. Prints "BENCH ready 1" once it listens on the port of the config's bench_pairs; the client ends the process.
local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
require "skynet.manager"

local kind = ...
local gate

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function(msg, sz)
		return msg, sz
	end,
	dispatch = function(fd, _, msg, sz)
		skynet.ignoreret()
		driver.send(fd, netpack.pack(skynet.tostring(msg, sz)))
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
			local me = skynet.address(skynet.self())
			driver.nodelay(math.tointeger(tonumber(fd)))
			skynet.send(gate, "text", string.format("forward %s %s %s", fd, me, skynet.address(gate)))
			skynet.send(gate, "text", "start " .. fd)
		end
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function(_, _, _, event, fd)
		if event == "open" then
			skynet.send(gate, "lua", "forward", fd)
		end
	end)
	local port = tonumber(skynet.getenv "bench_pairs")
	if kind == "lua" then
		gate = skynet.newservice "gate"
		skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = port, nodelay = true })
	else
		gate =
			skynet.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, skynet.PTYPE_CLIENT, 1000)
	end
	io.stdout:write "\nBENCH ready 1\n"
	io.stdout:flush()
end)
