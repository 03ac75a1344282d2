-- Answers the requests that come in on one connection of another node. Owns the socket.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local core = require "skynet.cluster.core"

local clusterd, _, fd = ... -- the second is the listener that the connection came in by
clusterd, fd = math.tointeger(clusterd), math.tointeger(fd)
local from -- address of the other side

-- What one connection may have begun and not ended. A sender writes its large requests one after another, so one is
-- what to expect.
local MAX_UNFINISHED <const> = 64
local max_bytes

---------------------------------------------------------------- names

local handles = {} -- "@name" -> handle
local asked = {}   -- "@name" -> tasks that wait for clusterd's answer

-- The handle of a registered name, nil if there is none. Yields the first time.
local function handle_of(name)
	local handle = handles[name]
	if handle then
		return handle
	end
	if asked[name] then
		local question, me = asked[name], coroutine.running()
		table.insert(question, me)
		skynet.wait(me)
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
	local name = skynet.unpack(msg, sz)
	skynet.trash(msg, sz)
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

-- The connection is at its end, and this service with it.
local function finish()
	if not closed then
		closed = true
		driver.close(fd)
		skynet.send(clusterd, "lua", "socket", "close", fd)
		skynet.exit()
	end
end

---------------------------------------------------------------- requests

local partial = {} -- session -> a request of which parts are missing
local partial_count, partial_bytes = 0, 0
local trace_tag    -- for the request that comes next

local function take_trace_tag()
	local tag = trace_tag
	trace_tag = nil
	return tag
end

local function serve(address, session, msg, sz, is_push, tag)
	if address == 0 then
		return answer_name(session, msg, sz)
	end
	local handle = core.isname(address) and handle_of(address) or address
	if type(handle) == "string" and string.sub(handle, 1, 1) == "@" then
		skynet.trash(msg, sz)
		if is_push then
			skynet.error(string.format("cluster: a push to %s, which is no name", handle))
			return
		end
		return answer(session, false, "Invalid name")
	end
	if is_push then
		skynet.rawsend(handle, "lua", msg, sz)
	else
		answer(session, pcall(call, tag, handle, msg, sz))
	end
end

-- Whoever begins requests and does not end them would fill our memory. Does not return for one too many.
local function begin(address, session, sz, is_push)
	local bytes = partial_bytes + sz
	if partial_count >= MAX_UNFINISHED or bytes > max_bytes then
		skynet.error(string.format("cluster: the connection from %s is closed: %d unfinished requests of %d bytes, allowed are %d of %d",
			from, partial_count + 1, bytes, MAX_UNFINISHED, max_bytes))
		finish()
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
		trace_tag = address
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

local function take(msg, sz, ok, ...)
	skynet.trash(msg, sz)
	if not ok then
		error(..., 0)
	end
	return on_packet(...)
end

function on.data(_, msg, sz)
	return take(msg, sz, pcall(core.unpackrequest, msg, sz))
end

-- Several packets. When one of them has to wait for an answer, or fails, another task goes on with the next.
function on.more()
	local id, msg, sz = netpack.pop(queue)
	if not id then
		return
	end
	skynet.fork(on.more)
	repeat
		on.data(id, msg, sz)
		id, msg, sz = netpack.pop(queue)
	until not id
end

function on.warning(_, kilobytes)
	skynet.error(string.format("socket warning %d %d K", fd, kilobytes))
end

function on.error(_, text)
	skynet.error(string.format("cluster: the connection from %s: %s", from, text))
	finish()
end

on.close = finish

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

local command = setmetatable({}, { __gc = function() netpack.clear(queue) end }) -- only netpack frees what is in it

--- Ends the connection and this service; a caller gets an error.
command.exit = finish

--- Names have changed: ask again.
function command.namechange()
	handles = {}
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
	local megabytes
	from, megabytes = skynet.call(clusterd, "lua", "connection", fd)
	max_bytes = megabytes * 1024 * 1024
	driver.nodelay(fd) -- an answer in parts must not wait for the caller's system to acknowledge the first
	driver.start(fd)   -- from here on packets come
end)
