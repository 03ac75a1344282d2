-- Sends requests to one node of the cluster and brings back its answers. The connection is skynet.internal.clusterconnection's.
--
-- What waits is bounded, also while the connection stands. What is lost is counted, and told once a second at most.

local skynet = require "skynet"
local core = require "skynet.cluster.core"
local calls = require "skynet.internal.clustercalls"
local clustertrace = require "skynet.internal.clustertrace"
local compression = require "skynet.internal.clustercompression"
local connection = require "skynet.internal.clusterconnection"
local defer = require "skynet.internal.defer"
local given = require "skynet.internal.given"
local lostsends = require "skynet.internal.lostsends"
local ratelimit = require "skynet.internal.ratelimit"
local windows = require "skynet.internal.clusterwindow"
local counter = require "skynet.internal.unanswered"

local node, our_name, first_host, first_port = ...

local MAX_WAITING <const> = 65536 -- calls that wait for their answers; requests that wait for room in the window
local MEGABYTE <const> = 1024 * 1024

local session = 1
local unanswered = counter(MAX_WAITING) -- calls
local options = {}
local figures = { failed = 0, dropped = 0 } -- for the metrics
local compress -- bytes from which on requests are compressed; nil: none are

local command = {}

---------------------------------------------------------------- the connection

-- Asks a channel for a name. Yields.
local function ask_name(channel, name)
	local packet, following = core.packrequest(0, session, skynet.pack(name))
	local current = session
	session = following
	if channel.batch then
		channel.batch:flush()
	end
	return skynet.unpack(channel:request(packet, current))
end

local window = windows.new(
	function()
		ask_name(connection.channel, "heartbeat")
	end,
	MAX_WAITING,
	function()
		return (options.waiting or 64) * MEGABYTE
	end
)

local function smaller(a, b)
	a, b = a and a > 0 and a or nil, b and b > 0 and b or nil
	return a and b and math.min(a, b) or a or b
end

-- What both sides have agreed on.
local function settle()
	local peer = connection.channel.peer or {}
	local megabytes = options.window_bytes and math.floor(options.window_bytes * MEGABYTE)
	window.limit(smaller(options.window, peer.window), smaller(megabytes, peer.window_bytes))
	compress = peer.lz4 and options.compress or nil
end

connection.on_peer = settle

--- changenode address, port, options: where the node is; false: close the connection. Options: see docs/cluster.md, without
--- `__`. Fails when it does not connect; a sender that was connected before keeps trying.
function command.changenode(address, its_port, new_options)
	options = new_options or {}
	connection.move(address, its_port, options)
	settle()
	skynet.retpack(nil)
end

--- status -> see clusterconnection
function command.status()
	skynet.retpack(connection.status())
end

---------------------------------------------------------------- requests

-- Raises when the open connection is full, and the other side takes nothing.
local function check_outflow()
	local out = connection.channel.out
	local why = out and out.refusal()
	if why then
		error(string.format("%s does not read: %s", connection.whose(), why), 0)
	end
end

-- Raises when too many calls are not answered, and the other side says nothing.
local function check_unanswered()
	local why = unanswered.count >= MAX_WAITING and unanswered.refusal(connection.channel.answers.heard)
	if why then
		error(string.format("%s does not answer: %s", connection.whose(), why), 0)
	end
end

-- Raises when there is no way for a request of so many bytes. May yield.
local function find_way(bytes)
	if connection.is_ready() then
		check_unanswered()
		check_outflow()
	else
		connection.await(bytes)
	end
	connection.use()
end

-- Room in the window. May yield.
local function find_room(bytes)
	if not window.enter(bytes) then
		local count, waiting = window.waiting()
		error(
			string.format(
				"%s is asked more than its window allows, and %d requests of %d bytes wait",
				connection.whose(),
				count,
				waiting
			),
			0
		)
	end
end

local limit = ratelimit(20, 100) -- lines about calls that have failed

local function complain(problem)
	figures.failed = figures.failed + 1
	local more = limit()
	if more then
		skynet.error(tostring(problem) .. more)
	end
end

-- A call is answered, or has failed after it was sent.
local function finished(channel, problem, bytes)
	connection.landed(channel)
	unanswered.finish()
	window.leave(bytes)
	if problem then
		complain(problem)
	end
end

local expect = calls.new(finished)

-- The task of a call was killed before the request was sent, or where it waits for the answer itself.
local function abandon(held)
	if held.channel then
		return finished(held.channel, "a task that waits for an answer was killed", held.bytes)
	end
	unanswered.finish()
	if held.in_window then
		window.leave(held.bytes)
	end
end

local Held = {
	__close = function(held)
		if not held.over then
			abandon(held)
		end
	end,
}

-- Packs a request, and waits until it may be sent. The message is a pointer, which packrequest frees. Raises when it may not.
local function prepare(address, msg, sz, held)
	local current = session
	local packet, following, parts = core.packrequest(address, current, msg, sz)
	session = following
	find_room(sz)
	held.in_window = true
	local ok, problem = pcall(find_way, sz)
	held.in_window = ok
	if not ok then
		window.leave(sz)
		error(problem, 0)
	end
	return current, packet, parts
end

local function write(channel, packet, parts)
	if compress then
		packet, parts = compression.packets(packet, parts, compress)
	end
	if not parts then
		return channel.batch:add(packet)
	end
	channel.batch:flush()
	channel.write_large(packet, parts)
end

-- By the channel alone: with a trace tag, or by another layer's channel.
local function request_in_task(channel, current, packet, parts, tag)
	if channel.batch then
		channel.batch:flush()
	end
	if tag then
		channel:request(core.packtrace(tag))
	end
	local msg, sz, problem = calls.answer_of(channel:request(packet, current, parts))
	if problem then
		error(problem, 0)
	end
	return msg, sz
end

local NOT_SENT <const> = require "skynet.internal.clusternotsent"

-- Nothing was sent. `tells`: who asks wants to know that.
local function refuse(problem, tells)
	unanswered.finish()
	if tells then
		return skynet.retpack(NOT_SENT)
	end
	complain(problem)
	skynet.response()(false)
end

--- req address, msg, sz, tells -> the answer as it came; with `tells`, NOT_SENT if nothing was sent, as when the node ends
function command.req(address, msg, sz, tells)
	given.taken(sz)
	unanswered.begin()
	if tells and connection.channel.leaving then
		skynet.trash(msg, sz)
		return refuse(nil, true)
	end
	local held <close> = setmetatable({ bytes = sz }, Held)
	local ok, current, packet, parts = pcall(prepare, address, msg, sz, held)
	if not ok then
		held.over = true
		return refuse(current, tells)
	end
	local channel = connection.channel
	connection.launched(channel)
	held.channel = channel
	local tag = clustertrace(our_name, node, session)
	if not tag and channel.batch then
		local their_session, caller = skynet.context()
		if expect(channel, current, caller, their_session, sz) then
			held.over = true
			skynet.ignoreret()
			return write(channel, packet, parts)
		end
	end
	local well, answer, size = pcall(request_in_task, channel, current, packet, parts, tag)
	held.over = true
	finished(channel, not well and answer or nil, sz)
	if well then
		return skynet.ret(answer, size)
	end
	skynet.response()(false)
end

local tell_of_lost = lostsends(connection.whose)

local function count_lost(problem)
	figures.dropped = figures.dropped + 1
	tell_of_lost(problem)
end

local function send(packet, parts, bytes)
	if connection.is_ready() then
		check_outflow()
	else
		connection.await(bytes)
	end
	connection.use()
	local channel = connection.channel
	if channel.batch and channel:is_ready() then
		write(channel, packet, parts)
	else
		channel:request(packet, nil, parts)
	end
end

-- Packs a message without an answer, and sends it when that may be.
local function push(address, msg, sz)
	local packet, following, parts = core.packpush(address, session, msg, sz)
	if parts then
		session = following
	end
	if window.is_on then
		find_room(sz)
		local _ <close> = defer(window.sent, sz) -- and when it is sent, or has failed
		send(packet, parts, sz)
	else
		send(packet, parts, sz)
	end
end

--- push address, msg, sz
function command.push(address, msg, sz)
	given.taken(sz)
	local hopeless = connection.is_hopeless()
	if hopeless then
		skynet.trash(msg, sz)
		return count_lost(hopeless)
	end
	local ok, problem = pcall(push, address, msg, sz)
	if not ok then
		count_lost(problem)
	end
end

--- figures -> table of figures of this connection, for the metrics
function command.figures()
	local status = connection.status()
	local waiting, bytes = connection.waiting()
	local held, held_bytes = window.waiting()
	skynet.retpack {
		up = status == "up" or status == "idle" or status == "leaving",
		waiting = waiting + held,
		waiting_bytes = bytes + held_bytes,
		failed = figures.failed,
		dropped = figures.dropped,
		reconnects = connection.reconnects,
		latency = connection.latency > 0 and connection.latency or nil,
	}
end

skynet.start(function()
	connection.start(node, first_host, first_port, ask_name)
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
