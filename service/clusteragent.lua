-- Answers the requests that come in on one connection of another node. Owns the socket.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local core = require "skynet.cluster.core"
local backlog = require "skynet.internal.backlog"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"

local clusterd, _, fd = ... -- the second is the listener that the connection came in by
clusterd, fd = math.tointeger(clusterd), math.tointeger(fd)

-- What one connection may have begun and not ended. A sender writes its large requests one after another, so one is
-- what to expect.
local MAX_UNFINISHED <const> = 64
local max_bytes

-- When it asks faster than it is answered, nothing more is read from it for a while: the requests wait in the other node,
-- and not here. So it is when the service that it asks, or this one, is so many messages behind, when so many requests are
-- in work, or when it does not read its answers.
local MAX_BEHIND <const>, MAX_IN_WORK <const> = 1000, 65536
local LOOK_EACH <const> = 64 -- requests between two looks at the service
local BURST <const> = 256    -- packets that may come at once before nothing more is read until they are done
local RELIEF <const> = 1     -- 1/100 s between two looks while nothing is read
local MAX_TAG <const> = 1024 -- bytes of a trace tag

---------------------------------------------------------------- names

local NAME_PATIENCE <const> = 100 -- 1/100 s

local handles = {} -- "@name" -> handle
local unsigned = {} -- name that has to be written with "@" -> what to say about that
local asked = {}   -- "@name" -> tasks that wait for clusterd's answer
local asking = 0   -- such tasks

-- The handle of a registered name, nil if there is none. Yields the first time.
local function handle_of(name)
	local handle = handles[name]
	if handle then
		return handle
	end
	if asked[name] then
		local question, me = asked[name], coroutine.running()
		table.insert(question, me)
		asking = asking + 1
		skynet.wait(me)
		asking = asking - 1
		return question.answer
	end
	local question, known = {}, handles
	asked[name] = question
	handle = skynet.call(clusterd, "lua", "queryname", string.sub(name, 2))
	question.answer = handle
	known[name] = handle -- nobody's table any more when names have changed meanwhile
	asked[name] = nil
	for _, task in ipairs(question) do
		skynet.wakeup(task)
	end
	return handle
end

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
	local handle = handle_of("@" .. name)
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

local in_work, since_look = 0, 0 -- requests that are not answered yet; requests since the last look at a service
local asked_last                 -- address of the last request
local reader = backlog.reader(fd, finish)

-- The answers wait in our own mailbox.
local function is_too_much()
	return in_work >= MAX_IN_WORK or asking > MAX_BEHIND or backlog.is_behind ""
		or asked_last and backlog.is_behind(skynet.address(asked_last)) or reader.is_deaf()
end

---------------------------------------------------------------- requests

local partial = {} -- session -> a request of which parts are missing
local partial_count, partial_bytes = 0, 0
local trace_tag    -- for the request that comes next

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

-- A name without "@", "." and ":" is one of the network of harbors. If nobody has that, and the cluster has the same name
-- with its sign, the sign was forgotten: returns what to say about that.
local function missing_sign(name)
	if unsigned[name] or not handle_of("@" .. name) then
		return unsigned[name]
	end
	local known = pcall(skynet.call_timeout, NAME_PATIENCE, ".cslave", "lua", "QUERYNAME", name)
	if not known then
		unsigned[name] = string.format("'%s' is no name here; names of the cluster begin with @: '@%s'", name, name)
	end
	return unsigned[name]
end

-- Why a name leads nowhere; nil: it may lead somewhere.
local function wrong_name(handle)
	if type(handle) ~= "string" then
		return nil
	elseif string.sub(handle, 1, 1) == "@" then
		return "Invalid name"
	elseif not string.find(handle, "^[.:]") then
		return missing_sign(handle)
	end
end

local function pass_on(address, session, msg, sz, is_push, tag)
	local handle = core.isname(address) and handle_of(address) or address
	local problem = wrong_name(handle)
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

local function serve(address, session, msg, sz, is_push, tag)
	in_work, asked_last = in_work + 1, clusterd
	if address == 0 then
		answer_name(session, msg, sz)
	else
		pass_on(address, session, msg, sz, is_push, tag)
	end
	in_work = in_work - 1
end

-- Whoever begins requests and does not end them would fill our memory. Does not return for one too many.
local function begin(address, session, sz, is_push)
	local bytes = partial_bytes + sz
	if partial_count >= MAX_UNFINISHED or bytes > max_bytes then
		finish(string.format("%d unfinished requests of %d bytes, allowed are %d of %d",
			partial_count + 1, bytes, MAX_UNFINISHED, max_bytes))
	end
	partial_count, partial_bytes = partial_count + 1, bytes
	local request = { address = address, is_push = is_push, tag = take_trace_tag(), bytes = sz }
	partial[session] = request
	return request
end

local function take_partial(session)
	local request = partial[session]
	if request then
		partial[session] = nil
		partial_count, partial_bytes = partial_count - 1, partial_bytes - request.bytes
	end
	return request
end

-- What cluster.core makes of a packet: a trace tag alone, or a request, or a part of one.
local function on_packet(address, session, msg, sz, more, is_push)
	if session == nil then
		trace_tag = printable(address, MAX_TAG)
		return
	end
	if more then
		if address then
			take_partial(session) -- it begins anew
			core.append(begin(address, session, sz, is_push), nil, sz)
		elseif partial[session] then
			core.append(partial[session], msg, sz)
		else -- a part of none that has begun: nothing of it is kept, and its last part is answered
			skynet.trash(msg, sz)
			begin(false, session, 0)
		end
		return
	end
	local tag
	if address then
		tag = take_trace_tag()
	else
		local request = take_partial(session)
		if not request then -- the last part of a request that has not begun
			skynet.trash(msg, sz)
			return answer(session, false, "Invalid name")
		end
		core.append(request, msg, sz)
		msg, sz = core.concat(request)
		if not msg then
			return answer(session, false, "Invalid large req")
		end
		address, is_push, tag = request.address, request.is_push, request.tag
	end
	serve(address, session, msg, sz, is_push, tag)
end

---------------------------------------------------------------- packets

local queue -- of netpack: packets that came at once, and halves of packets
local on = {}
local heard = false
local stalled = false -- nothing is read, and what had been read before that waits in the queue
local ending = false  -- the connection has ended meanwhile
local burst, bursts = 0, 0 -- packets of the queue that have been taken since it was empty; long queues so far

-- The first packet that makes no sense ends the connection: what follows it cannot make sense either.
local function take(msg, sz, ok, ...)
	skynet.trash(msg, sz)
	if not ok then
		return finish("it sends what is no request: " .. tostring((...)))
	end
	if not heard then
		heard = true
		skynet.send(clusterd, "lua", "socket", "heard", fd)
	end
	return on_packet(...)
end

-- Reads again, unless more than enough has come since: what was read before the reading stopped is in our mailbox before this.
local function read_again(seen)
	if bursts == seen and not stalled and not closed then
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
			bursts = bursts + 1
			driver.pause(fd)
		end
		return msg, sz
	end
	if burst >= BURST then
		local seen = bursts
		skynet.timeout(0, function() read_again(seen) end)
	end
	burst = 0
end

local relief

local function handle(msg, sz)
	if closed then
		return skynet.trash(msg, sz)
	end
	since_look = since_look + 1
	if since_look >= LOOK_EACH and not stalled then
		since_look = 0
		if is_too_much() then
			stalled = true
			bursts = bursts + 1
			driver.pause(fd)
			skynet.timeout(RELIEF, relief)
		end
	end
	return take(msg, sz, pcall(core.unpackrequest, msg, sz))
end

function on.data(_, msg, sz)
	if stalled then
		hold(msg, sz)
	else
		handle(msg, sz)
	end
end

-- Several packets. When one of them has to wait for an answer, another task goes on with the next.
function on.more()
	if closed or stalled then
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
		if is_too_much() then
			return skynet.timeout(RELIEF, relief)
		end
		count = LOOK_EACH
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
	skynet.timeout(0, function() read_again(seen) end)
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
	unpack = function(msg, sz) return netpack.filter(queue, msg, sz) end,
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
	handles, unsigned = {}, {}
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
	local ok, from, megabytes = pcall(skynet.call, clusterd, "lua", "connection", fd)
	if not ok then
		driver.close(fd)
		error "clusterd.lua on luaservice is of another Lua layer than clusteragent.lua: the services of cluster belong together"
	end
	max_bytes = megabytes * 1024 * 1024
	driver.nodelay(fd) -- an answer in parts must not wait for the caller's system to acknowledge the first
	driver.start(fd)   -- from here on packets come
end)
