--- The connection of a service clustersender to its node, of which there is one in the service: makes it, makes it again when it
--- is lost, and tells whether it can be used.
---
--- A lost connection is reported, and requests that are on their way when it breaks fail. Later ones have a try to connect made
--- at once and fail with it, as on the C core; with the option `__reconnect` they wait. It is made again in the background while
--- some wait, or when somebody wants to know whether the node lives (`__heartbeat`, discovery); not when nobody asks.
---
--- Another one is made before the old one ends when the node says that it ends (see skynet.internal.clusterhello), or has moved:
--- what is under way on the old one may still be answered.

local skynet = require "skynet"
local socket = require "skynet.socket"
local channels = require "skynet.internal.clusterchannel"
local backoff = require "skynet.internal.backoff"
local clusterhello = require "skynet.internal.clusterhello"
local defer = require "skynet.internal.defer"
local respawn = require "skynet.internal.respawn"
local nodeaddress = require "skynet.internal.nodeaddress"
local outflow = require "skynet.internal.outflow"
local parking = require "skynet.internal.parked"
local ratelimit = require "skynet.internal.ratelimit"

-- 1/100 s. A node that is back is noticed within LONGEST_PAUSE; the pauses vary, so that those who wait for the same node do
-- not come at the same moment.
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 20, 80
local REPORT_AGAIN <const> = 6000 -- of a node that stays away
local LINES <const>, LINES_TIME <const> = 20, 1000 -- about connections, in so many 1/100 s
local TRY_AGAIN <const> = 10 -- after a try that has failed, requests fail with its reason for so long
local TRY_PATIENCE <const> = 90 -- a request waits so long for a try; the other side may not even refuse
local CONNECT_TIMEOUT <const>, RECONNECT_TIMEOUT <const> = 1000, 200 -- for the first time, and again
local QUIET <const> = 30 -- a connection to a node that ends is left when nobody has asked anything for so long
local LINGER <const> = 1000 -- what is under way to where the node was has so long to be answered
local MEGABYTE <const> = 1024 * 1024

local MAX_WAITING <const> = 65536 -- requests that wait for the connection, or in it

local now = skynet.now

local M = {
	state = "new", -- "up", "lost": being connected again, "closed": by clusterd
	-- channel: the one that requests go to. Its fields: `answers`; `flying`: requests that are not answered yet; `batch`;
	-- `out`: its output, nil: that has its own limit; `peer`: what the node knows, see clusterhello; `leaving`: it ends
	latency = 0, -- seconds that the last heartbeat took
	reconnects = 0,
	flying = 0, -- requests that are not answered yet, on all channels
	on_peer = function() end, -- called when `peer` of the channel is another one
}

local limits = { most = 64, most_bytes = 1024 * MEGABYTE, whose = "" } -- of unfinished answers
local options = {} -- of clusterd
local node -- its name
local ask -- asks a channel for a name
local host, port -- where the node is
local target -- "host:port" for reports
local patience -- 1/100 s that a request waits for a lost connection; nil: it waits for one try
local max_waiting_bytes = 64 * MEGABYTE -- of the requests that wait for it
local output_limit -- bytes that may wait in the open connection, or it is closed; nil: see `outflow`
local keeps_up = false -- clusterd: the connection is made again also when nobody asks
local heartbeat -- 1/100 s of silence after which the node is asked whether it lives; nil: never
local idle_time -- 1/100 s without a request after which the connection is closed until it is needed; nil: it stays
local used = 0 -- when there was one
local resting = false -- it was closed so
local parked = parking(MAX_WAITING) -- requests that wait for the connection or for a try
local epoch = 0 -- grows with each change of the state: older attempts to connect give up

local function enter(new_state)
	M.state = new_state
	epoch = epoch + 1
end

local line = ratelimit(LINES, LINES_TIME)

-- A line about the connection.
local function report(text, ...)
	local more = line()
	if more then
		skynet.error(string.format("cluster node [%s] (%s)" .. text, node, target, ...) .. more)
	end
end

local pause, served = backoff(FIRST_PAUSE, LONGEST_PAUSE, true) -- before the next try in the background
local since = 0 -- when the connection was made, or lost
local tries = 0 -- since it was lost
local tried_at, trouble = -TRY_AGAIN, "the connection is lost" -- when the last try has failed, and why

local reconnect

local function lose(problem)
	report(": the connection is lost: %s", problem)
	if not served(since) and M.channel.answers.came then
		pause(true)
	end
	since, tries = now(), 0
	enter "lost"
end

---------------------------------------------------------------- channels

local function lost(channel, problem)
	if channel == M.channel and M.state == "up" then
		lose(problem)
		skynet.fork(reconnect)
	end
end

local function new_channel()
	return channels.new { host = host, port = port, node = node, limits = limits, ask = ask, lost = lost }
end

--- A request goes out on a channel. Does not yield.
---@param channel table
function M.launched(channel)
	M.flying, channel.flying = M.flying + 1, channel.flying + 1
end

--- It is answered, or has failed. Does not yield.
---@param channel table
function M.landed(channel)
	M.flying, channel.flying = M.flying - 1, channel.flying - 1
	if channel.flying == 0 and channel ~= M.channel then
		skynet.wakeup(channel)
	end
end

---------------------------------------------------------------- an open connection

-- Nobody has that name. How long the answer takes is how far away the node is.
local function measure()
	local asked, mine = skynet.hpc(), epoch
	pcall(ask, M.channel, "heartbeat")
	if epoch == mine then
		M.latency = (skynet.hpc() - asked) / 1e9
	end
end

-- A node that is frozen, or behind a cable that is cut, does not close its connections. Any node answers a request for a name.
local function watch_node(mine)
	local channel = M.channel
	while epoch == mine and heartbeat do
		skynet.sleep(heartbeat)
		local asked = now()
		if epoch == mine and heartbeat and asked - channel.answers.heard >= heartbeat then
			skynet.fork(measure)
			skynet.sleep(heartbeat)
			if epoch == mine and channel.answers.heard < asked then
				lose(string.format("it has said nothing for %.2f s", (now() - channel.answers.heard) / 100))
				skynet.fork(reconnect)
				return channel:changehost(host, port) -- closes the connection
			end
		end
	end
end

-- Balancers and firewalls forget connections on which nothing travels, and do not say so.
local function watch_use(mine)
	local channel = M.channel
	used = now()
	while epoch == mine and idle_time do
		local left = used + idle_time - now()
		if left <= 0 and (M.flying > 0 or channel.out and channel.out.waiting() > 0) then
			left = idle_time
		elseif left <= 0 then
			report ": the connection is not used, and closed until it is needed"
			since, tries = now(), 0
			pause(true)
			enter "lost"
			resting = true
			return channel:changehost(host, port) -- closes the connection
		end
		skynet.sleep(left)
	end
end

local follow_on

-- What the node knows beyond the C core's protocol, and when it ends. Yields.
local function greet()
	local channel, mine = M.channel, epoch
	local peer = clusterhello.ask(options, function(name)
		return ask(channel, name)
	end, function(time)
		if epoch == mine then
			respawn(follow_on, { channel = channel, time = time })
		end
	end)
	if peer and M.channel == channel and M.state == "up" then
		channel.peer = peer
		M.on_peer()
	end
end

local function connected()
	local channel = M.channel
	enter "up"
	since = now()
	local answers = channel.answers
	answers.heard, answers.came = since, false
	channel.out, channel.batch, channel.peer, channel.leaving = nil, nil, nil, nil
	if channel.link then
		local fd = channel.link[1]
		if output_limit then
			socket.write_limit(fd, output_limit)
		else
			channel.out = outflow.watch(fd, max_waiting_bytes, MAX_WAITING)
		end
		channels.open_output(channel, fd)
	end
	M.on_peer() -- nothing is agreed until it has been asked: it may be another process, which knows less
	if heartbeat then
		respawn(watch_node, epoch)
	end
	if idle_time then
		respawn(watch_use, epoch)
	end
	if options.keeps_up or clusterhello.is_wanted(options) then
		skynet.fork(greet)
	end
end

---------------------------------------------------------------- connecting

local trying = false

local function dial(channel, timeout)
	if not port or port > 65535 then
		error(string.format("Invalid %s %s.", port and "port in address" or "address", target), 0)
	end
	channel.connect_timeout = timeout
	return channel:connect(true)
end

-- One try to connect. Yields.
local function try()
	local mine = epoch
	trying, tries, resting = true, tries + 1, false
	local _ <close> = defer(function()
		trying = false
	end)
	local ok, problem = pcall(dial, M.channel, RECONNECT_TIMEOUT)
	if epoch ~= mine then
		return
	elseif ok and problem ~= false then
		report(" is connected again after %.2f s, %d tries", (now() - since) / 100, tries)
		connected()
		M.reconnects = M.reconnects + 1
	else
		tried_at, trouble = now(), channels.reason_of(problem)
	end
	if M.state == "up" or not patience then
		parked.release()
	end
end

-- The node of this channel ends in so many 1/100 s. What comes in its place may be there already, or comes there soon: it gets
-- what is asked from then on. Until then the old one still serves. Yields.
function follow_on(leaving)
	local mine, old, time = epoch, leaving.channel, leaving.time
	if old ~= M.channel then
		return -- another task was killed after it had done this
	end
	report(" ends, and serves for %.2f s at most", time / 100)
	old.leaving, used = true, now()
	while epoch == mine do
		local channel = new_channel()
		local ok, done = pcall(dial, channel, RECONNECT_TIMEOUT)
		if epoch ~= mine then
			return channel:close()
		elseif ok and done ~= false then
			report " has ended, another one is in its place"
			M.channel = channel
			connected()
			M.reconnects = M.reconnects + 1
			parked.release()
			return channels.linger(old, time + LINGER)
		end
		channel:close()
		if old.flying == 0 and now() - used >= QUIET then
			-- That side closes which may ask: so nothing is on its way then.
			lose "the node has ended"
			skynet.fork(reconnect)
			return old:changehost(host, port)
		end
		skynet.sleep(math.max(pause(), 5))
	end
end

local redialling = false

local function is_wanted()
	return M.state == "lost" and (keeps_up or heartbeat or patience and parked.count > 0)
end

-- Tries until there is a connection, or nobody wants one.
local function redial()
	local reported = now() - REPORT_AGAIN
	while is_wanted() do
		local time = pause()
		if time > 0 then
			skynet.sleep(time)
		end
		if is_wanted() and not trying then
			try()
		end
		if is_wanted() and now() - reported >= REPORT_AGAIN then
			reported = now()
			report(" does not answer: %s", trouble)
		end
	end
	redialling = false
end

function reconnect()
	if not redialling and is_wanted() then
		redialling = true
		respawn(redial)
	end
end

-- Waits for the connection, or for the end of a try. False: too much waits already.
local function park(bytes, limit)
	return parked.wait(bytes, max_waiting_bytes, limit, function()
		if not redialling then
			skynet.fork(reconnect)
		end
	end)
end

-- Requests wait for who takes the place of a node that ends.
local function is_left()
	return M.state == "up" and patience and M.channel.leaving
end

--- Whether requests need not wait for the connection. Does not yield.
---@return boolean
function M.is_ready()
	return M.state == "up" and not is_left()
end

--- Raises when there is no connection for a request of so many bytes. Yields.
---@param bytes integer
function M.await(bytes)
	local reason = trouble
	if M.state == "lost" or is_left() then
		local has_room = true
		if patience then
			has_room = park(bytes, patience)
		elseif trying or now() - tried_at >= TRY_AGAIN then
			if not trying then
				skynet.fork(try)
			end
			has_room = park(bytes, TRY_PATIENCE)
		end
		reason = has_room and trouble
			or string.format("%d requests of %d bytes wait for it, no more may", parked.count, parked.bytes)
	end
	if M.state == "lost" or M.state == "closed" or is_left() then
		reason = is_left() and "it ends" or reason
		error(
			string.format(
				"cluster node [%s] (%s) is down: %s",
				node,
				target,
				M.state == "closed" and "closed" or reason
			),
			0
		)
	end
end

--- Why a send fails at once, without a try; nil: it may not. Does not yield.
---@return string?
function M.is_hopeless()
	return M.state == "lost" and not patience and not trying and now() - tried_at < TRY_AGAIN and trouble or nil
end

--- There is a request. Does not yield.
function M.use()
	if idle_time or M.channel.leaving then
		used = now()
	end
end

---------------------------------------------------------------- where the node is

local function locate(address, its_port)
	host, port, target = nodeaddress(address, its_port)
	limits.whose = string.format("cluster node [%s] (%s)", node, target)
end

-- Timers end at 31 bits: what is longer is about a year.
local function centiseconds(seconds)
	return seconds and math.floor(math.min(math.max(0, seconds * 100), 0x7fffffff))
end

local function configure(new_options)
	options = new_options
	patience = centiseconds(options.reconnect)
	keeps_up = options.keeps_up or false
	heartbeat = options.heartbeat and options.heartbeat > 0 and math.max(1, centiseconds(options.heartbeat)) or nil
	idle_time = options.idle and options.idle > 0 and math.max(1, centiseconds(options.idle)) or nil
	limits.most_bytes = options.unfinished and math.floor(options.unfinished * MEGABYTE) or limits.most_bytes
	limits.most = options.unfinished_count or limits.most
	output_limit = options.waiting and math.floor(options.waiting * MEGABYTE)
	max_waiting_bytes = output_limit or max_waiting_bytes
end

-- What is under way has some time; other requests go another way.
local function set_aside()
	skynet.fork(channels.linger, M.channel, LINGER)
	M.channel = new_channel()
end

local function close()
	skynet.error("Close cluster sender", target)
	if M.state == "up" and M.channel.leaving and M.channel.flying > 0 then
		set_aside() -- a node that ends answers what it was asked
	end
	enter "closed"
	resting = false
	parked.release() -- before it yields: the node may be back meanwhile, and have requests that wait for the new connection
	M.channel:close()
end

-- The channel to the new place.
local function relocate()
	local old = M.channel
	if M.state == "up" and old.flying > 0 then
		set_aside()
	else
		old:changehost(host, port or 0) -- closes the connection to where it was
	end
	enter(M.state == "new" and "new" or "lost")
end

--- The node is there now; false: it is down. Options: see docs/cluster.md, without `__`. Raises when it does not connect; one that
--- was connected before keeps trying. Yields.
---@param address string|false
---@param its_port integer?
---@param new_options table
function M.move(address, its_port, new_options)
	configure(new_options)
	if not address then
		return close()
	end
	locate(address, its_port)
	pause(true)
	resting = false
	relocate()
	local mine = epoch
	local ok, problem = pcall(dial, M.channel, CONNECT_TIMEOUT)
	if epoch == mine then
		if ok then
			connected()
			parked.release()
		elseif M.state == "lost" then
			skynet.fork(reconnect)
		end
	end
	if not ok then
		trouble = channels.reason_of(problem)
		skynet.error("Connect failed", trouble, target)
		error(problem, 0)
	end
end

--- "up", "leaving" (the node ends), "lost", "idle" (closed until it is needed), "closed" or "new" (never connected). Does not yield.
---@return string
function M.status()
	return resting and "idle" or M.state == "up" and M.channel.leaving and "leaving" or M.state
end

--- Requests that wait, and their bytes, also in the open connection. Does not yield.
---@return integer requests, integer bytes
function M.waiting()
	local count, bytes = parked.count, parked.bytes
	if M.state == "up" and M.channel.out then
		local messages, their_bytes = M.channel.out.waiting()
		count, bytes = count + messages, bytes + their_bytes
	end
	return count, bytes
end

--- The node, for texts. Does not yield.
function M.whose()
	return limits.whose
end

--- Before all else. Does not yield.
---@param name string of the node
---@param address string
---@param its_port string?
---@param ask_name fun(channel: table, name: string): any asks the node for a name; yields
function M.start(name, address, its_port, ask_name)
	node, ask = name, ask_name
	locate(address, its_port)
	M.channel = new_channel()
end

return M
