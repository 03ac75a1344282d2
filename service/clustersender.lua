-- Sends requests to one node of the cluster and brings back its answers.
--
-- A lost connection is reported, and requests that are on their way when it breaks fail. Later ones have a try to connect made
-- at once and fail with it, as on the C core; with the option `__reconnect` they wait. It is made again in the background while
-- some wait, or when somebody wants to know whether the node lives (`__heartbeat`, discovery); not when nobody asks.
-- What waits is bounded, also while the connection stands. What is lost is counted, and told once a second at most.

local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local core = require "skynet.cluster.core"
local answers = require "skynet.internal.clusteranswers"
local backoff = require "skynet.internal.backoff"
local clustersecret = require "skynet.internal.clustersecret"
local clustertrace = require "skynet.internal.clustertrace"
local lostsends = require "skynet.internal.lostsends"
local nodeaddress = require "skynet.internal.nodeaddress"
local outflow = require "skynet.internal.outflow"
local parking = require "skynet.internal.parked"
local ratelimit = require "skynet.internal.ratelimit"
local counter = require "skynet.internal.unanswered"

local node, our_name, first_host, first_port = ...

-- 1/100 s. A node that is back is noticed within LONGEST_PAUSE; the pauses vary, so that those who wait for the same node do
-- not come at the same moment.
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 20, 80
local REPORT_AGAIN <const> = 6000 -- of a node that stays away
local LINES <const>, LINES_TIME <const> = 20, 1000 -- about connections, in so many 1/100 s
local TRY_AGAIN <const> = 10 -- after a try that has failed, requests fail with its reason for so long
local TRY_PATIENCE <const> = 90 -- a request waits so long for a try; the other side may not even refuse
local CONNECT_TIMEOUT <const>, RECONNECT_TIMEOUT <const> = 1000, 200 -- for the first time, and again
local MEGABYTE <const> = 1024 * 1024

local MAX_WAITING <const> = 65536 -- requests that wait for the connection, or in it; and calls that wait for their answers

local now = skynet.now

local channel
local host, port -- where the node is, as the channel has them
local session = 1
local state = "new" -- "up", "lost": being connected again, "closed": by clusterd
local patience -- 1/100 s that a request waits for a lost connection; nil: it waits for one try
local max_waiting_bytes = 64 * 1024 * 1024 -- of the requests that wait for it
local output_limit -- bytes that may wait in the open connection, or it is closed; nil: see `outflow`
local out -- the output of the open connection; nil: it has its own limit
local unanswered = counter(MAX_WAITING) -- calls
local keeps_up = false -- clusterd: the connection is made again also when nobody asks
local heartbeat -- 1/100 s of silence after which the node is asked whether it lives; nil: never
local idle_time -- 1/100 s without a request after which the connection is closed until it is needed; nil: it stays
local used = 0 -- when there was one
local resting = false -- it was closed so
local parked = parking(MAX_WAITING) -- requests that wait for the connection or for a try
local target -- "host:port" for reports
local epoch = 0 -- grows with each change of the state: older attempts to connect give up

-- Figures for the metrics.
local figures = { failed = 0, dropped = 0, reconnects = 0 }

local command = {}

---------------------------------------------------------------- the connection

local function enter(new_state)
	state = new_state
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
	if not served(since) and answers.came then
		pause(true)
	end
	since, tries = now(), 0
	enter "lost"
end

-- Asks the other side for a name. Yields.
local function ask_name(name)
	local packet, following = core.packrequest(0, session, skynet.pack(name))
	local current = session
	session = following
	return skynet.unpack(channel:request(packet, current))
end

-- Nobody has that name. How long the answer takes is how far away the node is.
local function measure()
	local asked, mine = skynet.hpc(), epoch
	pcall(ask_name, "heartbeat")
	if epoch == mine then
		figures.latency = (skynet.hpc() - asked) / 1e9
	end
end

-- A node that is frozen, or behind a cable that is cut, does not close its connections. Any node answers a request for a name.
local function watch_node()
	local mine = epoch
	while epoch == mine and heartbeat do
		skynet.sleep(heartbeat)
		local asked = skynet.now()
		if epoch == mine and heartbeat and asked - answers.heard >= heartbeat then
			skynet.fork(measure)
			skynet.sleep(heartbeat)
			if epoch == mine and answers.heard < asked then
				lose(string.format("it has said nothing for %.2f s", (skynet.now() - answers.heard) / 100))
				skynet.fork(reconnect)
				return channel:changehost(host, port) -- closes the connection
			end
		end
	end
end

-- Balancers and firewalls forget connections on which nothing travels, and do not say so.
local function watch_use()
	local mine = epoch
	used = now()
	while epoch == mine and idle_time do
		local left = used + idle_time - now()
		if left <= 0 and (unanswered.count > 0 or out and out.waiting() > 0) then
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

local function connected()
	enter "up"
	since = skynet.now()
	answers.heard, answers.came = since, false
	out = nil
	if channel.link then
		local fd = channel.link[1]
		if output_limit then
			socket.write_limit(fd, output_limit)
		else
			out = outflow.watch(fd, max_waiting_bytes, MAX_WAITING)
		end
	end
	if heartbeat then
		skynet.fork(watch_node)
	end
	if idle_time then
		skynet.fork(watch_use)
	end
end

local trying = false

local function reason_of(problem)
	return type(problem) == "table" and problem.reason or tostring(problem)
end

local function dial(timeout)
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
	local ok, problem = pcall(dial, RECONNECT_TIMEOUT)
	trying = false
	if epoch ~= mine then
		return
	elseif ok and problem ~= false then
		report(" is connected again after %.2f s, %d tries", (now() - since) / 100, tries)
		connected()
		figures.reconnects = figures.reconnects + 1
	else
		tried_at, trouble = skynet.now(), reason_of(problem)
	end
	if state == "up" or not patience then
		parked.release()
	end
end

local redialling = false

local function is_wanted()
	return state == "lost" and (keeps_up or heartbeat or patience and parked.count > 0)
end

-- Tries until there is a connection, or nobody wants one.
local function redial()
	local reported = skynet.now() - REPORT_AGAIN
	while is_wanted() do
		local time = pause()
		if time > 0 then
			skynet.sleep(time)
			if not is_wanted() then
				return
			end
		end
		if not trying then
			try()
		end
		if is_wanted() and skynet.now() - reported >= REPORT_AGAIN then
			reported = skynet.now()
			report(" does not answer: %s", trouble)
		end
	end
end

function reconnect()
	if not redialling and is_wanted() then
		redialling = true
		redial()
		redialling = false
	end
end

local function lost(problem)
	if state == "up" then
		lose(problem)
		skynet.fork(reconnect)
	end
end

-- socketchannel: one answer -> session, ok, data, more to come.
local function read_response(sock)
	local all_well, session, ok, data, more = pcall(answers.read, sock)
	if not all_well then
		lost(type(session) == "string" and session or "closed")
		error(session, 0)
	end
	return session, ok, data, more
end

-- Waits for the connection, or for the end of a try. False: too much waits already.
local function park(bytes, limit)
	return parked.wait(bytes, max_waiting_bytes, limit, function()
		if not redialling then
			skynet.fork(reconnect)
		end
	end)
end

-- Raises when the open connection is full, and the other side takes nothing.
local function check_outflow()
	local why = out and out.refusal()
	if why then
		error(string.format("cluster node [%s] (%s) does not read: %s", node, target, why), 0)
	end
end

-- Raises when too many calls are not answered, and the other side says nothing.
local function check_unanswered()
	local why = unanswered.count >= MAX_WAITING and unanswered.refusal(answers.heard)
	if why then
		error(string.format("cluster node [%s] (%s) does not answer: %s", node, target, why), 0)
	end
end

-- Raises when there is no connection for a request of so many bytes. Yields.
local function wait_for_connection(bytes)
	local reason = trouble
	if state == "lost" then
		local has_room = true
		if patience then
			has_room = park(bytes, patience)
		elseif trying or skynet.now() - tried_at >= TRY_AGAIN then
			if not trying then
				skynet.fork(try)
			end
			has_room = park(bytes, TRY_PATIENCE)
		end
		reason = has_room and trouble
			or string.format("%d requests of %d bytes wait for it, no more may", parked.count, parked.bytes)
	end
	if state == "lost" or state == "closed" then
		error(
			string.format("cluster node [%s] (%s) is down: %s", node, target, state == "closed" and "closed" or reason),
			0
		)
	end
end

local function locate(address, its_port)
	host, port, target = nodeaddress(address, its_port)
	answers.whose = string.format("cluster node [%s] (%s)", node, target)
end

-- Timers end at 31 bits: what is longer is about a year.
local function centiseconds(seconds)
	return seconds and math.floor(math.min(math.max(0, seconds * 100), 0x7fffffff))
end

local function configure(options)
	patience = centiseconds(options.reconnect)
	keeps_up = options.keeps_up or false
	heartbeat = options.heartbeat and options.heartbeat > 0 and math.max(1, centiseconds(options.heartbeat)) or nil
	idle_time = options.idle and options.idle > 0 and math.max(1, centiseconds(options.idle)) or nil
	answers.most_bytes = options.unfinished and math.floor(options.unfinished * MEGABYTE) or answers.most_bytes
	answers.most = options.unfinished_count or answers.most
	output_limit = options.waiting and math.floor(options.waiting * MEGABYTE)
	max_waiting_bytes = output_limit or max_waiting_bytes
end

--- changenode address, port, options: where the node is; false: close the connection. Options: see docs/cluster.md, without
--- `__`. Fails when it does not connect; a sender that was connected before keeps trying.
function command.changenode(address, its_port, options)
	configure(options or {})
	if not address then
		skynet.error("Close cluster sender", target)
		enter "closed"
		resting = false
		channel:close()
		parked.release()
		return skynet.retpack(nil)
	end
	locate(address, its_port)
	pause(true)
	enter(state == "new" and "new" or "lost")
	resting = false
	channel:changehost(host, port or 0) -- closes the connection to where it was
	local mine = epoch
	local ok, problem = pcall(dial, CONNECT_TIMEOUT)
	if epoch == mine then
		if ok then
			connected()
			parked.release()
		elseif state == "lost" then
			skynet.fork(reconnect)
		end
	end
	if not ok then
		trouble = reason_of(problem)
		skynet.error("Connect failed", trouble, target)
		error(problem, 0)
	end
	skynet.retpack(nil)
end

--- status -> "up", "lost", "idle" (closed until it is needed), "closed" or "new" (never connected)
function command.status()
	skynet.retpack(resting and "idle" or state)
end

---------------------------------------------------------------- requests

-- The message is a pointer, which packrequest frees.
local function request(address, msg, sz)
	local current = session
	local packet, following, parts = core.packrequest(address, current, msg, sz)
	session = following
	if idle_time then
		used = now()
	end
	if state ~= "up" then
		wait_for_connection(sz)
	else
		check_unanswered()
		check_outflow()
	end
	local tag = clustertrace(our_name, node, session)
	if tag then
		channel:request(core.packtrace(tag))
	end
	return channel:request(packet, current, parts)
end

local limit = ratelimit(20, 100) -- lines about calls that have failed

-- Addresses of memory of another process; the C project's module does not look for them.
local has_pointer = core.haspointer or function()
	return false
end

--- req address, msg, sz -> the answer as it came
function command.req(...)
	unanswered.begin()
	local ok, answer = pcall(request, ...)
	unanswered.finish()
	local msg, sz = answer, nil
	if ok and type(answer) == "table" then -- in parts
		msg, sz = core.concat(answer)
	end
	if ok and msg and has_pointer(msg, sz) then
		if sz then
			skynet.trash(msg, sz)
		end
		ok, answer = false, "an answer of another node must have no light userdata"
	end
	if ok then
		return skynet.ret(msg, sz)
	end
	figures.failed = figures.failed + 1
	local more = limit()
	if more then
		skynet.error(tostring(answer) .. more)
	end
	skynet.response()(false)
end

local tell_of_lost = lostsends(function()
	return string.format("cluster node [%s] (%s)", node, target)
end)

local function count_lost(problem)
	figures.dropped = figures.dropped + 1
	tell_of_lost(problem)
end

--- push address, msg, sz
function command.push(address, msg, sz)
	if state == "lost" and not patience and not trying and now() - tried_at < TRY_AGAIN then
		skynet.trash(msg, sz)
		return count_lost(trouble)
	end
	local packet, following, parts = core.packpush(address, session, msg, sz)
	if parts then
		session = following
	end
	if idle_time then
		used = now()
	end
	local ok, problem = true, nil
	if state ~= "up" then
		ok, problem = pcall(wait_for_connection, sz)
	elseif out then
		ok, problem = pcall(check_outflow)
	end
	if ok then
		ok, problem = pcall(channel.request, channel, packet, nil, parts)
	end
	if not ok then
		count_lost(problem)
	end
end

--- figures -> table of figures of this connection, for the metrics
function command.figures()
	local all = { up = state == "up" or resting, waiting = parked.count, waiting_bytes = parked.bytes }
	for name, value in pairs(figures) do
		all[name] = value
	end
	if state == "up" and out then
		local messages, bytes = out.waiting()
		all.waiting, all.waiting_bytes = all.waiting + messages, all.waiting_bytes + bytes
	end
	skynet.retpack(all)
end

skynet.start(function()
	locate(first_host, first_port)
	local secret = clustersecret.secret()
	local ok
	ok, channel = pcall(socketchannel.channel, {
		host = host,
		port = port or 0, -- `dial` says what is wrong with the address
		response = read_response,
		auth = secret and function()
			clustersecret.greet(secret, ask_name)
		end,
		quiet = true, -- there are better lines here
		nodelay = true,
	})
	if not ok then
		local file = package.searchpath("skynet.socketchannel", package.path) or "skynet/socketchannel.lua"
		error(
			string.format(
				"%s is of another Lua layer than clustersender.lua, which cannot work with it: %s",
				file,
				channel
			)
		)
	end
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
