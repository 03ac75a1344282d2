-- Owns the gate, and decides what happens to connections: each gets an agent.
--
-- The gate (a service that every node has) accepts connections and cuts the stream into packets: 2 bytes of size, then so many
-- bytes. It tells this service of connections, and hands packets directly to the agents.
local skynet = require "skynet"

local world = tonumber((...))
local gate
local agents = {} -- fd -> agent

local on = {} -- events of the gate

function on.open(fd, from)
	skynet.error("connection", fd, "from", from)
	local agent = skynet.newservice("agent", fd, world, skynet.self())
	agents[fd] = agent
	-- From here on packets of this connection go to the agent. Raises if the client has gone meanwhile.
	if not pcall(skynet.call, gate, "lua", "forward", fd, 0, agent) then
		on.close(fd)
	end
end

-- The client sends no more.
function on.close(fd)
	local agent = agents[fd]
	agents[fd] = nil
	if agent then
		skynet.send(agent, "lua", "disconnected")
	end
	skynet.call(gate, "lua", "kick", fd)
end

function on.error(fd, problem)
	skynet.error("connection", fd, "failed:", problem)
	on.close(fd)
end

function on.warning(fd, kilobytes)
	skynet.error("connection", fd, "reads too slowly:", kilobytes, "KiB wait")
end

local command = {}

function command.listen(conf)
	conf.watchdog = skynet.self()
	return skynet.call(gate, "lua", "open", conf)
end

-- An agent wants its client to go.
function command.kick(fd)
	on.close(fd)
end

skynet.start(function()
	gate = skynet.newservice "gate"
	skynet.dispatch("lua", function(session, _, what, event, ...)
		if what == "socket" then
			return on[event](...)
		end
		local address, port = command[what](event, ...)
		if session ~= 0 then -- 0: a send, which expects no answer
			skynet.retpack(address, port)
		end
	end)
end)
