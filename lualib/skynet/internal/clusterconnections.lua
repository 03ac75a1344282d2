--- Connections of other nodes to this one, for clusterd: a clusteragent for each, and who is let in.
---
---     connections.open(listener, 1024, options)
---     connections.event(listener, "open", fd, from)

local skynet = require "skynet"
require "skynet.manager"
local driver = require "skynet.socketdriver"
local socket = require "skynet.socket"
local admission = require "skynet.internal.admission"
local defer = require "skynet.internal.defer"
local limitedlog = require "skynet.internal.limitedlog"
local unreads = require "skynet.internal.unread"

local MAX_CONNECTIONS <const> = 1024
local HANDSHAKE <const> = 300 -- seconds; nodes of the C core's Lua layer connect again when they have something to say
local FEW <const> = 64 -- connections that one address may have in any case, if there is room
local LAST <const> = 300 -- 1/100 s: agents end their connections within that after the time of a drain
local MAX_UNHEARD <const> = 128 -- connections of one address that have said nothing yet

local M = {}

local log = limitedlog()

-- Agents of connections: a handle, or false until there is one. Limiters: of listeners, and of connections.
local agents, limiters, limiter_of = {}, {}, {}
local listeners = {} -- of connections
local unfinished, unfinished_bytes = {}, 0 -- fd -> bytes of large requests that are still coming in, those of many MiB; all
local UNFINISHED <const> = 1024 -- MiB of them together, as those of one connection
local UNREAD <const> = 512 -- MiB of answers that are not read, of all of them together
local PACE <const> = 64 * 1024 -- bytes in a second: who takes less of them does not read
local settings = {} -- options of the cluster
local drained_at -- 1/100 s: until then what is under way may end; nil: nothing is ended
local starting = {} -- connections whose agent starts: false, or true when it has asked for what it needs

local function note_unfinished(fd, bytes)
	unfinished_bytes = unfinished_bytes + (bytes or 0) - (unfinished[fd] or 0)
	unfinished[fd] = bytes
end

local unread -- answers that the connections have not read

local function forget(fd)
	note_unfinished(fd, nil)
	unread.forget(fd)
	skynet.send(listeners[fd], "lua", "forget", fd) -- it may wait there for an agent
	agents[fd], limiter_of[fd], listeners[fd] = nil, nil, nil
end

local function forget_agent(fd)
	if agents[fd] ~= nil then
		limiter_of[fd]:leave(fd)
		forget(fd)
	end
end

-- A connection has to go.
local function hang_up(fd)
	local agent = agents[fd]
	forget(fd)
	if not (agent and skynet.send(agent, "lua", "hangup")) then
		socket.close_fd(fd) -- no agent has it yet
	end
end

local function new_limiter(maxclient, options)
	local most = (maxclient or MAX_CONNECTIONS) - 1 -- connections stay below it, as those of any gate
	local seconds = options.handshake or HANDSHAKE
	return admission.new {
		name = "cluster",
		most = most,
		most_address = math.tointeger(options.peraddress) or math.max(most // 2, FEW),
		most_unheard = MAX_UNHEARD,
		handshake = seconds > 0 and seconds or nil,
		close = hang_up,
	}
end

-- Each connection may leave large requests unfinished, but not all of them together without limit.
local function on_unfinished(fd, bytes)
	note_unfinished(fd, bytes > 0 and bytes or nil)
	local most = (math.tointeger(settings.unfinished) or UNFINISHED) * 1024 * 1024
	while unfinished_bytes > most do
		local largest
		for each, held in pairs(unfinished) do
			if not largest or held > unfinished[largest] then
				largest = each
			end
		end
		local limiter = limiter_of[largest]
		limiter:report(
			limiter:from(largest),
			string.format(
				"is closed: %d bytes of its large requests are unfinished, and %d of all",
				unfinished[largest],
				unfinished_bytes
			)
		)
		limiter:leave(largest)
		hang_up(largest)
	end
end

unread = unreads.new {
	pace = PACE,
	most = function()
		return (tonumber(settings.unread) or UNREAD) * 1024 * 1024 // 1 | 0
	end,
	close = function(fd, why)
		local limiter = limiter_of[fd]
		limiter:report(limiter:from(fd), "is closed: " .. why .. " (option __unread)")
		limiter:leave(fd)
		driver.shutdown(fd) -- nothing of it is sent any more
		hang_up(fd)
	end,
}

local function on_accept(listener, fd, from)
	local limiter = limiters[listener]
	if not (limiter and limiter:enter(fd, from)) then
		return socket.close_fd(fd)
	end
	log(string.format("socket accept from %s", from))
	agents[fd], limiter_of[fd], listeners[fd] = false, limiter, listener
end

-- Nobody takes this connection.
local function refuse(fd)
	forget_agent(fd)
	socket.close_fd(fd)
end

-- The task that starts an agent was killed. An agent that there is nevertheless is told that the connection is gone.
local function abandon(fd)
	starting[fd] = nil
	if agents[fd] ~= nil then
		refuse(fd)
	end
end

-- It has sent what a node sends.
local function on_begun(listener, fd)
	if agents[fd] == nil then -- it had to go before the listener knew
		return skynet.send(listener, "lua", "forget", fd)
	end
	starting[fd] = false
	local guard <close> = defer(abandon, fd)
	local ok, agent = pcall(skynet.newservice, "clusteragent", skynet.self(), listener, fd)
	local has_asked = starting[fd]
	starting[fd], guard.dismissed = nil, true
	if agents[fd] == nil then -- it had to go meanwhile
		if ok then
			skynet.kill(agent)
		end
	elseif not ok then
		refuse(fd)
		error(agent, 0)
	elseif not has_asked then
		skynet.kill(agent)
		refuse(fd)
		error "clusteragent.lua on luaservice is of another Lua layer than clusterd.lua: the services of cluster belong together"
	else
		agents[fd] = agent
		if drained_at then
			skynet.fork(pcall, skynet.call, agent, "lua", "drain", math.max(drained_at - skynet.now(), 0))
		end
	end
end

--- Closes the listeners, and has the connections ended: see skynet.internal.clusterfarewell. Yields.
---@param time integer 1/100 s that what is under way has
---@param counts table gets `connections`, `served` (requests meanwhile) and `unfinished` (those without an answer)
function M.drain(time, counts)
	drained_at = skynet.now() + time
	local open = {} -- another may begin while one is closed
	for listener in pairs(limiters) do
		open[#open + 1] = listener
	end
	for _, listener in ipairs(open) do
		pcall(skynet.call, listener, "lua", "close")
		limiters[listener] = nil
	end
	counts.connections, counts.served, counts.unfinished = 0, 0, 0
	local batch, count = skynet.request(), 0
	for _, agent in pairs(agents) do
		if agent then
			batch:add { agent, "lua", "drain", time }
			count = count + 1
		end
	end
	if count == 0 then
		return
	end
	counts.connections = count
	for _, response in batch:select(time + LAST) do
		if response then
			counts.served, counts.unfinished = counts.served + response[1], counts.unfinished + response[2]
		end
	end
end

--- Connections may come again. Does not yield.
function M.undrain()
	drained_at = nil
end

--- A listener begins. Does not yield.
---@param listener integer
---@param maxclient integer?
---@param options { handshake: integer?, peraddress: integer? } of the cluster
function M.open(listener, maxclient, options)
	settings = options
	limiters[listener] = new_limiter(maxclient, options)
end

--- A listener could not begin. Does not yield.
---@param listener integer
function M.close(listener)
	limiters[listener] = nil
end

--- An agent starts. Does not yield.
---@param fd integer
---@return string? address of the other side; nil: the connection is gone
function M.begin(fd)
	local limiter = limiter_of[fd]
	starting[fd] = limiter and true
	return limiter and limiter:from(fd)
end

--- "open": a listener has a connection; "begun": that has sent what a node sends; "starved": it cannot accept one; an agent tells of its own: "heard": it has sent a
--- request; "unfinished": so many bytes of large requests are; "unread": more answers than before wait to be read; "misbehaves": what it does, for the log; "close", also of a listener's: it has ended, and why if that
--- was the other side's fault; "unlisten": a listener was killed. May yield.
---@param source integer
---@param event string
---@param fd integer?
---@param from string|integer|nil address, or bytes, or why, or what
function M.event(source, event, fd, from)
	if event == "open" then
		on_accept(source, fd, from)
	elseif event == "begun" then
		on_begun(source, fd)
	elseif event == "unlisten" then
		limiters[source] = nil
	elseif event == "starved" and limiters[source] then
		limiters[source]:starved()
	elseif event == "heard" and limiter_of[fd] then
		limiter_of[fd]:heard(fd)
	elseif event == "unfinished" and limiter_of[fd] then
		on_unfinished(fd, from)
	elseif event == "misbehaves" and limiter_of[fd] then
		limiter_of[fd]:report(limiter_of[fd]:from(fd), from)
	elseif event == "unread" and limiter_of[fd] then
		unread.note(fd, limiter_of[fd]:host(fd))
	elseif event == "close" then
		local limiter = limiter_of[fd]
		if from and limiter then
			limiter:report(limiter:from(fd), "is closed: " .. from)
		end
		forget_agent(fd)
	end
end

--- Who is connected to this node: those whose first request has come. Does not yield.
---@return table<integer, string> fd -> address
function M.callers()
	local list = {}
	for fd, agent in pairs(agents) do
		list[fd] = agent and limiter_of[fd]:from(fd) or nil
	end
	return list
end

--- Names have changed: agents ask again. Does not yield.
function M.forget_names()
	for fd, agent in pairs(agents) do
		if agent and not skynet.send(agent, "lua", "namechange") then
			forget_agent(fd) -- somebody has killed it
		end
	end
end

return M
