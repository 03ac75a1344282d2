-- Answers the requests that come in on one connection of another node. Owns the socket.
-- A little longer than other files: there is one such service for each connection, and each module costs its start.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local core = require "skynet.cluster.core"
local backlog = require "skynet.internal.backlog"
local clusternames = require "skynet.internal.clusternames"
local clustersecret = require "skynet.internal.clustersecret"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local unfinished = require "skynet.internal.unfinished"

local clusterd, _, fd = ... -- the second is the listener that the connection came in by
clusterd, fd = math.tointeger(clusterd), math.tointeger(fd)

local names = clusternames.new(clusterd)

-- When it asks faster than it is answered, nothing more is read from it for a while: the requests wait in the other node,
-- and not here. So it is when the service that it asks, or this one, is so many messages behind, when so many requests are
-- in work, or when it does not read its answers.
local MAX_BEHIND <const>, MAX_IN_WORK <const> = 1000, 65536
local LOOK_EACH <const> = 64 -- packets between two breaks, in which others have their turn
local BURST <const> = 256 -- packets that may come at once before nothing more is read until they are done
local ARRIVALS <const> = 8 -- pieces of the stream that may come in a break before nothing more is read
local RELIEF <const> = 1 -- 1/100 s between two looks while nothing is read
local MAX_TAG <const> = 1024 -- bytes of a trace tag

---------------------------------------------------------------- answers

local function answer(session, ok, msg, sz)
	local packet = core.packresponse(session, ok, msg, sz)
	if type(packet) == "table" then
		for _, part in ipairs(packet) do
			driver.lsend(fd, part)
		end
	else
		driver.send(fd, packet)
	end
end

-- A request to address 0 asks for a name.
local function answer_name(session, msg, sz)
	local ok, name = pcall(skynet.unpack, msg, sz)
	skynet.trash(msg, sz)
	if not ok or type(name) ~= "string" then
		return answer(session, false, "Invalid name")
	end
	local handle = names.handle_of("@" .. name)
	if handle then
		answer(session, true, skynet.packstring(handle))
	else
		answer(session, false, "name not found")
	end
end

local function call(tag, handle, msg, sz)
	if tag then
		return skynet.tracecall(tag, handle, "lua", msg, sz)
	end
	return skynet.rawcall(handle, "lua", msg, sz)
end

---------------------------------------------------------------- the connection

local closed = false
local stalled, reading = false, true -- what has come waits in the queue; whether more comes

-- The connection is at its end, and this service with it. `fault`: what the other side has done, for the log. Does not
-- return, unless another task ends the service already.
local function finish(fault)
	if not closed then
		closed = true
		driver.close(fd)
		skynet.send(clusterd, "lua", "socket", "close", fd, fault)
		skynet.exit()
	end
end

---------------------------------------------------------------- more than can be done

local in_work = 0 -- requests that are not answered yet
local asked_last -- address of the last request
local reader = backlog.reader(fd, finish)

-- The answers wait in our own mailbox.
local function is_too_much()
	return in_work >= MAX_IN_WORK
		or names.asking() > MAX_BEHIND
		or backlog.is_behind ""
		or asked_last and backlog.is_behind(skynet.address(asked_last))
		or reader.is_deaf()
end

---------------------------------------------------------------- requests

local partial = {} -- session -> a request of which parts are missing
local messages -- their sizes, and limits for them
local trace_tag -- for the request that comes next

local limit = ratelimit(1, 100)

-- A line about what the other side does wrong, but need not end the connection; one a second.
local function complain(text)
	local more = limit()
	if more then
		skynet.error("cluster: " .. text .. more)
	end
end

local function take_trace_tag()
	local tag = trace_tag
	trace_tag = nil
	return tag
end

local has_pointer = core.haspointer or function()
	return false
end -- the C project's module has none

-- Whom an address is of, and why nobody. Yields.
local function look_up(address)
	local prohibition = names.restricted and names.prohibition(address)
	if prohibition then
		return address, prohibition
	end
	local handle = core.isname(address) and names.handle_of(address) or address
	return handle, names.fault_of(handle)
end

local function pass_on(address, session, msg, sz, is_push, tag)
	local ok, handle, problem = pcall(look_up, address)
	if not ok then
		handle, problem = address, tostring(handle)
	end
	if not problem and has_pointer(msg, sz) then
		-- An address of memory of another process; services of this one would use it.
		problem = "a message of another node must have no light userdata"
	end
	if problem then
		skynet.trash(msg, sz)
		if is_push then
			return complain(string.format("a push to %s: %s", printable(handle), printable(problem)))
		end
		return answer(session, false, problem)
	end
	asked_last = handle
	if is_push then
		skynet.rawsend(handle, "lua", msg, sz)
	else
		answer(session, pcall(call, tag, handle, msg, sz))
	end
end

-- Also when it raises, or its task is closed.
local one_less = setmetatable({}, {
	__close = function()
		in_work = in_work - 1
	end,
})

local function serve(address, session, msg, sz, is_push, tag)
	in_work, asked_last = in_work + 1, clusterd
	local _ <close> = one_less
	if address == 0 then
		answer_name(session, msg, sz)
	else
		pass_on(address, session, msg, sz, is_push, tag)
	end
end

local guard -- until the other side has proved that it knows our secret; nil: there is none, or it has

-- What no node sends ends the connection: what follows it cannot make sense either. Does not return.
local function refuse(why, ...)
	finish("it sends what is no request: " .. string.format(why, ...))
end

-- A request of `size` bytes begins.
local function begin(address, session, size, is_push)
	local fault = messages:begin(session, size)
	if fault then
		refuse("large request %d %s", session, fault)
	end
	local request = { address = address, is_push = is_push, tag = take_trace_tag() }
	partial[session] = request
	core.append(request, nil, size)
end

-- A part. Returns the request with its message when that was the last one.
local function add_part(session, msg, sz, more)
	local fault = messages:add(session, sz, more)
	if fault then
		skynet.trash(msg, sz)
		refuse("large request %d %s", session, fault)
	end
	local request = partial[session]
	core.append(request, msg, sz)
	if not more then
		partial[session] = nil
		return request, core.concat(request)
	end
end

local heard = false

-- More than a beginning has come.
local function hear()
	if not heard then
		heard = true
		skynet.send(clusterd, "lua", "socket", "heard", fd)
	end
end

-- What cluster.core makes of a packet: a trace tag alone, or a request, or a part of one.
local function on_packet(address, session, msg, sz, more, is_push)
	if session == nil then
		trace_tag = printable(address, MAX_TAG)
	elseif address == "" then
		if msg then
			skynet.trash(msg, sz)
		end
		refuse "an empty name"
	elseif guard then
		if guard:take(session, msg, sz, address == 0 and not more, is_push) then
			guard = nil
			hear()
		end
	elseif address and more then
		begin(address, session, sz, is_push)
	elseif address then
		hear()
		serve(address, session, msg, sz, is_push, take_trace_tag())
	else
		local request
		request, msg, sz = add_part(session, msg, sz, more)
		hear()
		if request then
			serve(request.address, session, msg, sz, request.is_push, request.tag)
		end
	end
end

---------------------------------------------------------------- packets

local queue -- of netpack: packets that came at once, and halves of packets
local on = {}
local arrivals = 0 -- pieces of the stream that have come while stalled
local since_break = 0 -- packets
local ending = false -- the connection has ended meanwhile
local burst, bursts = 0, 0 -- packets of the queue that have been taken since it was empty; long queues so far

local function take(msg, sz, ok, ...)
	skynet.trash(msg, sz)
	if not ok then
		return refuse("%s", (...))
	end
	return on_packet(...)
end

local function stop_reading()
	bursts = bursts + 1
	if reading then
		reading = false
		driver.pause(fd)
	end
end

-- Reads again, unless more than enough has come since: what was read before the reading stopped is in our mailbox before this.
local function read_again(seen)
	if bursts == seen and not reading and not stalled and not closed then
		reading = true
		driver.start(fd)
	end
end

-- A single packet that has come while others wait; all of them then, in order. Pairs of block and size.
local held, held_first, held_last

local function hold(msg, sz)
	if not held then
		held, held_first, held_last = {}, 1, 0
		local _, earlier, size = netpack.pop(queue)
		while earlier do
			hold(earlier, size)
			_, earlier, size = netpack.pop(queue)
		end
	end
	held[held_last + 1], held[held_last + 2] = msg, sz
	held_last = held_last + 2
end

local function next_held()
	local msg, sz = held[held_first], held[held_first + 1]
	held[held_first], held[held_first + 1] = nil, nil
	held_first = held_first + 2
	if held_first > held_last then
		held = nil
	end
	return msg, sz
end

-- The next packet. A long queue stops the reading until it is empty: what comes meanwhile would only wait in our mailbox.
local function pop()
	if held then
		return next_held()
	end
	local _, msg, sz = netpack.pop(queue)
	if msg then
		burst = burst + 1
		if burst == BURST then
			stop_reading()
		end
		return msg, sz
	end
	if burst >= BURST then
		local seen = bursts
		skynet.timeout(0, function()
			read_again(seen)
		end)
	end
	burst = 0
end

local relief

-- Lets others have their turn, and what is in our mailbox: the answers, before more is asked. When there is too much, that
-- takes longer, and nothing is read meanwhile.
local function take_a_break()
	if is_too_much() then
		stop_reading()
		skynet.timeout(RELIEF, relief)
	else
		skynet.timeout(0, relief)
	end
end

local function handle(msg, sz)
	if closed then
		return skynet.trash(msg, sz)
	end
	since_break = since_break + 1
	if since_break >= LOOK_EACH and not stalled then
		since_break, arrivals = 0, 0
		stalled = true
		take_a_break()
	end
	return take(msg, sz, pcall(core.unpackrequest, msg, sz))
end

-- Something has come while what came before it waits.
local function arrive()
	arrivals = arrivals + 1
	if arrivals == ARRIVALS then
		stop_reading()
	end
end

function on.data(_, msg, sz)
	if stalled then
		arrive()
		hold(msg, sz)
	else
		handle(msg, sz)
	end
end

-- Several packets. When one of them has to wait for an answer, another task goes on with the next.
function on.more()
	if closed or stalled then
		arrive()
		if held then
			local _, msg, sz = netpack.pop(queue)
			while msg do
				hold(msg, sz)
				_, msg, sz = netpack.pop(queue)
			end
		end
		return
	end
	local msg, sz = pop()
	if not msg then
		return
	end
	skynet.fork(on.more)
	repeat
		handle(msg, sz)
		if stalled or closed then
			return
		end
		msg, sz = pop()
	until not msg
end

-- Goes on with what waits, so many packets of it at a time, and reads again when that is done.
local function go_on(count)
	if closed then
		return
	elseif count == 0 then
		return take_a_break()
	end
	local msg, sz = pop()
	if msg then
		skynet.fork(go_on, count - 1) -- runs when this request waits, or has been sent on
		return handle(msg, sz)
	end
	stalled = false
	if ending then
		return finish()
	end
	local seen = bursts
	skynet.timeout(0, function()
		read_again(seen)
	end)
end

-- Even a service that is always behind is asked something.
function relief()
	go_on(is_too_much() and 1 or LOOK_EACH)
end

function on.warning(_, kilobytes)
	skynet.error(string.format("socket warning %d %d K", fd, kilobytes))
	reader.warning(kilobytes)
end

function on.error(_, text)
	finish(text)
end

-- What had come before is still done.
function on.close()
	if stalled then
		ending = true
	else
		finish()
	end
end

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = function(msg, sz)
		return netpack.filter(queue, msg, sz)
	end,
	dispatch = function(_, _, packets, event, ...)
		queue = packets
		local run = event and on[event]
		if run then
			run(...)
		end
	end,
}

local command = setmetatable({}, {
	__gc = function()
		netpack.clear(queue) -- only netpack frees what is in it
		if not closed then -- killed: the other side learns of it at once
			driver.close(fd)
			skynet.send(clusterd, "lua", "socket", "close", fd)
		end
	end,
})

--- From clusterd, and from operators: the connection has to end. A caller gets an error.
function command.hangup()
	finish()
end

command.exit = command.hangup

--- Names have changed: ask again.
function command.namechange()
	names.forget()
end

skynet.start(function()
	skynet.dispatch("lua", function(session, source, name)
		local run = command[name]
		if run then
			run()
		else
			skynet.error(string.format("Invalid command %s from %s", name, skynet.address(source)))
			if session ~= 0 then
				skynet.response()(false)
			end
		end
	end)
	local ok, from, megabytes, count = pcall(skynet.call, clusterd, "lua", "connection", fd)
	if not ok then
		driver.close(fd)
		error "clusterd.lua on luaservice is of another Lua layer than clusteragent.lua: the services of cluster belong together"
	end
	local secret = clustersecret.secret()
	guard = secret and clustersecret.guard(secret, answer, finish)
	messages = unfinished.new(count, megabytes * 1024 * 1024)
	messages:watch {
		tell = function(bytes)
			skynet.send(clusterd, "lua", "socket", "unfinished", fd, bytes)
		end,
		is_held_up = function()
			return stalled or not reading
		end,
		give_up = refuse,
	}
	driver.nodelay(fd) -- an answer in parts must not wait for the caller's system to acknowledge the first
	driver.start(fd) -- from here on packets come
end)
