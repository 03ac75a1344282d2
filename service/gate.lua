-- A gate with a watchdog: tells it (who sent "open", or conf.watchdog) of connections by "lua" messages
-- ("socket", event, fd, ...), and passes packets to it, or to the agent that a connection is forwarded
-- to, as PTYPE_CLIENT messages whose session is the fd.
--
--     open conf             see snax.gateserver; -> address, port
--     forward fd, client, agent  packets of fd go to agent (the sender by default), from `client` (0)
--     accept fd             lets the packets of fd come, to the watchdog
--     kick fd               closes it

local skynet = require "skynet"
local gateserver = require "snax.gateserver"
local alive = require "skynet.internal.alive"
local backlog = require "skynet.internal.backlog"
local ending = require "skynet.internal.ending"
local limitedlog = require "skynet.internal.limitedlog"

local redirect, PTYPE_CLIENT <const> = require("skynet.core").redirect, skynet.PTYPE_CLIENT
local MAX_BEHIND <const> = 700 -- messages that may wait for an agent before its client is not read
local PATIENCE <const> = 50 -- 1/100 s after which a client has a turn although its agent is behind

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
}

local watchdog
-- fd -> { agent, client, flow = of whom it is counted for, turn = time of its last packet while its agent is behind, shared =
-- the packets of this turn are of those that the agent shares }
local connections = {}
local flows = {} -- agent -> see backlog.flow, and agent, clients = connections that are counted for it
local unknown = {} -- connections that the watchdog has never heard of
local handler = {}
local command = {}

local log = limitedlog()

local function tell_watchdog(event, fd, ...)
	return skynet.send(watchdog, "lua", "socket", event, fd, ...)
end

function handler.open(source, conf)
	watchdog = conf.watchdog or source
	return conf.address, conf.port
end

function handler.connect(fd, address)
	connections[fd] = {}
	if not tell_watchdog("open", fd, address) and alive(watchdog) then
		-- Its mailbox is full: nobody would ever close this one.
		unknown[fd] = true
		log(string.format("gate: the connection from %s is turned away: the watchdog is behind", address))
		gateserver.closeclient(fd)
	end
end

-- What waits for an agent is forgotten with the last of its clients, not with any.
local function leave_flow(connection)
	local flow = connection.flow
	connection.flow = nil
	if flow then
		flow.clients = flow.clients - 1
		if flow.clients <= 0 then
			flows[flow.agent] = nil
		end
	end
end

-- What is sent to who gets the packets of a connection.
local function flow_of(connection)
	local agent, flow = connection.agent or watchdog, connection.flow
	if flow and flow.agent == agent then
		return flow
	end
	leave_flow(connection)
	flow = flows[agent]
	if not flow then
		flow = backlog.flow(skynet.address(agent))
		flow.agent, flow.clients = agent, 0
		flows[agent] = flow
	end
	connection.flow, flow.clients = flow, flow.clients + 1
	return flow
end

function handler.message(fd, msg, sz)
	local connection = connections[fd]
	local flow, agent = flow_of(connection), connection.agent
	local sent
	if agent then
		sent = redirect(agent, connection.client, PTYPE_CLIENT, fd, msg, sz)
	else
		sent = tell_watchdog("data", fd, skynet.tostring(msg, sz))
		skynet.trash(msg, sz)
	end
	if not sent then
		return -- it was refused, and will never be handled
	end
	flow.sent = flow.sent + 1
	if connection.shared then
		flow.take_share(1)
	end
end

function handler.is_behind(fd, count)
	local connection = connections[fd]
	if not connection then
		return false
	end
	local flow, now = flow_of(connection), skynet.now()
	connection.shared = nil
	if count > 0 or not connection.turn then
		connection.turn = now
	end
	if flow.waiting() <= MAX_BEHIND then
		return false
	end
	local share = flow.share()
	if share == 0 or now - connection.turn < PATIENCE then
		return true
	end
	connection.shared = true
	return false, share
end

local function forget(fd)
	local connection = connections[fd]
	if connection then
		leave_flow(connection)
		connections[fd] = nil
	end
end

local function tell_end(event, fd, ...)
	forget(fd)
	if unknown[fd] then
		unknown[fd] = nil
	else
		ending(watchdog, "socket", event, fd, ...)
	end
end

function handler.disconnect(fd)
	tell_end("close", fd)
end

function handler.error(fd, text)
	tell_end("error", fd, text)
end

function handler.warning(fd, kilobytes)
	tell_watchdog("warning", fd, kilobytes)
end

local function take(fd, agent, client)
	local connection = assert(connections[fd], "the connection is closed")
	connection.agent, connection.client = agent, client
	gateserver.openclient(fd)
end

function command.forward(source, fd, client, agent)
	take(fd, agent or source, client or 0)
end

function command.accept(_, fd)
	take(fd, nil, nil)
end

function command.kick(_, fd)
	gateserver.closeclient(fd)
end

function handler.command(name, source, ...)
	local run = command[name]
	if not run then
		error("unknown command " .. tostring(name))
	end
	return run(source, ...)
end

gateserver.start(handler)
