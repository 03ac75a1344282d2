-- Watchdog of a gate, and agent of all of its clients: ("open", kind of the gate, port) -> port; who has sent that is told how many
-- packets have come so far, after they have, for a question would be a message that is handled when none has come, too;
-- ("limit", count, policy) limits its mailbox; ("busy", count) keeps so many messages of its own in it until ("idle");
-- ("refuse", count) handles nothing else until so many messages were refused; ("counts") -> connections of which it has heard, and those
-- of whose end; ("last") -> the last client, the gate; ("block", time in 1/100 s) handles nothing else meanwhile -> messages that wait then.
local skynet = require "skynet"
local core = require "skynet.core"
require "skynet.manager"
local either_gate = require "either_gate"

local owner, gate, last
local opened, closed = 0, 0
local handled, busy, telling = 0, false, false

local function tell()
	telling = false
	skynet.send(owner, "lua", handled)
end

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = function() end,
	dispatch = function()
		skynet.ignoreret()
		handled = handled + 1
		if not telling then
			telling = true
			skynet.timeout(1, tell)
		end
	end,
}

local command = {}

local function count_closed()
	closed = closed + 1
end

local function rejected()
	return tonumber(string.match(core.command "METRICS", "\nmessages_rejected (%d+)\n"))
end

function command.open(source, kind, port)
	owner = source
	gate, port = either_gate.open(kind, port, {
		open = function(fd)
			last, opened = fd, opened + 1
		end,
		close = count_closed,
		error = count_closed,
	})
	skynet.retpack(port)
end

function command.socket(_, event, fd)
	either_gate.event(event, fd)
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

-- Handles nothing else until so many messages were refused in this node.
function command.refuse(_, count)
	local last = rejected() + count
	while rejected() < last do
	end
end

function command.counts()
	skynet.retpack(opened, closed)
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
