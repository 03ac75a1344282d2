-- Watchdog of a gate, and agent of all of its clients: ("open", kind of the gate, port) -> port; who has sent that is told how many
-- packets have come so far, with each of them, for a question would be a message that is handled, too;
-- ("limit", count, policy) limits its mailbox; ("busy", count) keeps so many messages of its own in it until ("idle");
-- ("last") -> the last client, the gate; ("block", time in 1/100 s) handles nothing else meanwhile -> messages that wait then.
local skynet = require "skynet"
require "skynet.manager"

local owner, gate, last
local handled, busy = 0, false

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function() end,
	dispatch = function()
		skynet.ignoreret()
		handled = handled + 1
		skynet.send(owner, "lua", handled)
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
			last = math.tointeger(fd)
			skynet.send(gate, "text", string.format("forward %d %s %s", fd, me, me))
			skynet.send(gate, "text", "start " .. fd)
		end
	end,
}

local command = {}

function command.open(source, kind, port)
	owner = source
	if kind == "lua" then
		gate = skynet.newservice "gate"
		_, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0 })
	else
		gate = skynet.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, skynet.PTYPE_CLIENT, 100)
	end
	skynet.retpack(port)
end

function command.socket(_, event, fd)
	if event == "open" then
		last = fd
		skynet.send(gate, "lua", "forward", fd)
	end
end

function command.last()
	skynet.retpack(last, gate)
end

function command.limit(_, count, policy)
	skynet.mailbox_limit(count, policy)
	skynet.retpack()
end

function command.busy(_, count)
	busy = true
	for _ = 1, count do
		skynet.send(skynet.self(), "lua", "more")
	end
	skynet.retpack()
end

function command.more()
	if busy then
		skynet.send(skynet.self(), "lua", "more")
	end
end

function command.idle()
	busy = false
	skynet.retpack()
end

function command.block(_, time)
	local till = skynet.hpc() + time * 10000000
	while skynet.hpc() < till do
	end
	skynet.retpack(skynet.mqlen())
end

function command.stop()
	skynet.retpack()
	skynet.kill(gate)
	skynet.exit()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, source, name, ...)
		command[name](source, ...)
	end)
end)
