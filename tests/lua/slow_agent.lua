-- Watchdog and agent of a gate, which its clients are faster than: ("open", kind of the gate, port) -> port;
-- ("wait") -> packets that have come when the client is gone, whether they were 1, 2, 3..., and the most that waited.
local skynet = require "skynet"
require "skynet.manager"

local gate, done
local count, in_order, most = 0, true, 0

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function(msg, sz)
		return skynet.tostring(msg, sz)
	end,
	dispatch = function(_, _, text)
		skynet.ignoreret()
		count = count + 1
		in_order = in_order and string.unpack("<I4", text) == count
		most = math.max(most, skynet.mqlen())
		local sum = 0
		for i = 1, 200 do
			sum = sum + i
		end
	end,
}

local function ended()
	done = true
	skynet.wakeup(gate)
end

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
			skynet.send(gate, "text", string.format("forward %d %s %s", fd, me, me))
			skynet.send(gate, "text", "start " .. fd)
		elseif event == "close" then
			ended()
		end
	end,
}

local command = {}

function command.open(kind, port)
	if kind == "lua" then
		gate = skynet.newservice "gate"
		_, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0 })
	else
		gate = skynet.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, skynet.PTYPE_CLIENT, 16)
	end
	skynet.retpack(port)
end

function command.wait()
	if not done then
		skynet.wait(gate)
	end
	skynet.retpack(count, in_order, most)
end

function command.socket(event, fd)
	if event == "open" then
		skynet.send(gate, "lua", "forward", fd)
	elseif event == "close" then
		ended()
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
