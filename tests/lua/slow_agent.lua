-- Watchdog and agent of a gate, which its clients are faster than: ("open", kind of the gate, port) -> port;
-- ("wait") -> packets that have come when the client is gone, whether they were 1, 2, 3..., and the most that waited.
local skynet = require "skynet"
local either_gate = require "either_gate"

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

local command = {}

function command.open(kind, port)
	gate, port = either_gate.open(kind, port, { close = ended })
	skynet.retpack(port)
end

function command.wait()
	if not done then
		skynet.wait(gate)
	end
	skynet.retpack(count, in_order, most)
end

command.socket = either_gate.event

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
