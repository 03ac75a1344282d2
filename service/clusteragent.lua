-- Answers the requests that come in on one connection of another node. Owns the socket.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"
local core = require "skynet.cluster.core"
local backlog = require "skynet.internal.backlog"
local callees = require "skynet.internal.clustercallees"
local farewell = require "skynet.internal.clusterfarewell"
local clusterhello = require "skynet.internal.clusterhello"
local clusterinflow = require "skynet.internal.clusterinflow"
local clusternames = require "skynet.internal.clusternames"
local clustersecret = require "skynet.internal.clustersecret"
local clustertakeover = require "skynet.internal.clustertakeover"
local clustertraces = require "skynet.internal.clustertraces"
local clustertransport = require "skynet.internal.clustertransport"
local compression = require "skynet.internal.clustercompression"
local defer = require "skynet.internal.defer"
local ending = require "skynet.internal.ending"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local unfinished = require "skynet.internal.unfinished"

local clusterd, listener, fd = ...
clusterd, listener, fd = math.tointeger(clusterd), math.tointeger(listener), math.tointeger(fd)

local names = clusternames.new(clusterd)

-- When it asks faster than it is answered, nothing more is read from it for a while: the requests wait in the other node,
-- and not here. So it is when the service that it asks, or this one, is so many messages behind, when so many requests are
-- in work, or when it does not read its answers.
local MAX_BEHIND <const>, MAX_IN_WORK <const> = 1000, 65536
local MAX_WHOLE <const> = 32 * 1024 -- bytes of an answer that goes in one packet

local LUA <const> = skynet.PTYPE_LUA
local send = require "skynet.core".send

local window, window_bytes -- what callers that know it keep to

---------------------------------------------------------------- answers

local transport -- what the connection is written to and read by
local reader -- whether the other side reads its answers
local compress_from -- bytes from which on the caller wants answers compressed

local function answer(session, ok, msg, sz)
	if sz and sz > MAX_WHOLE and ok and not compress_from and transport.write_blocks then
		transport.batch:flush()
		transport.write_blocks(core.largeanswer(session, msg, sz))
		return reader.wrote(sz)
	end
	local packet = core.packresponse(session, ok, msg, sz)
	if type(packet) ~= "table" then
		if compress_from then
			packet = compression.packets(packet, nil, compress_from, true)
		end
		transport.batch:add(packet)
		return reader.wrote(#packet)
	end
	if compress_from then
		_, packet = compression.packets("", packet, compress_from, true)
	end
	transport.batch:flush()
	transport.write_large(packet)
	reader.wrote(sz or 0)
end

-- A request to address 0 asks for a name, or for what is in clusterhello.
local function answer_name(session, msg, sz)
	local ok, name = pcall(skynet.unpack, msg, sz)
	skynet.trash(msg, sz)
	if not ok or type(name) ~= "string" then
		return answer(session, false, "Invalid name")
	end
	local words = clusterhello.heard(name)
	if words then
		compress_from = compression.is_possible and math.tointeger(tonumber(words.lz4)) or nil
		return answer(session, true, skynet.packstring(clusterhello.answer(window, window_bytes)))
	elseif clusterhello.wants_notice(name) then
		return farewell.wants(session)
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
local in_work = 0 -- requests that are not answered yet

-- The connection is at its end, and this service with it. `fault`: what the other side has done, for the log. Does not
-- return, unless another task ends the service already. `is_deaf`: what waits would wait for ever.
local function finish(fault, is_deaf)
	if not closed then
		closed = true
		if is_deaf then
			driver.shutdown(fd)
		elseif transport then
			pcall(transport.batch.flush, transport.batch) -- it ends also when that cannot be written any more
		end
		driver.close(fd)
		farewell.ended(in_work)
		ending(clusterd, "socket", "close", fd, fault)
		skynet.exit()
	end
end

---------------------------------------------------------------- more than can be done

local asked_last -- address of the last request

reader = backlog.reader(fd, function(why)
	finish(why, true)
end, function()
	skynet.send(clusterd, "lua", "socket", "unread", fd)
end)

-- The answers wait in the agent's own mailbox.
local function is_too_much()
	return in_work >= MAX_IN_WORK
		or names.asking() > MAX_BEHIND
		or backlog.is_behind ""
		or asked_last and backlog.is_behind(skynet.address(asked_last))
		or reader.is_deaf(in_work)
end

---------------------------------------------------------------- requests

local partial = {} -- session -> a request of which parts are missing
local assemblies = {} -- session -> its message
local assembly = core.assembly -- the C project's module has none: then the parts are in `partial`
local messages -- their sizes, and limits for them
local trace_tag -- for the request that comes next

local limit = ratelimit(1, 100)

-- A line about what the other side does wrong, but need not end the connection; one a second. clusterd writes it, which has a
-- limit for all connections.
local function complain(text)
	local more = limit()
	if more then
		skynet.send(clusterd, "lua", "socket", "misbehaves", fd, text .. more)
	end
end

local traceable = clustertraces.new(complain)

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

-- A request that cannot be passed on.
local function reject(handle, session, msg, sz, is_push, problem)
	skynet.trash(msg, sz)
	if is_push then
		return complain(string.format("has pushed to %s: %s", printable(handle), printable(problem)))
	end
	return answer(session, false, problem)
end

local POINTERS <const> = "a message of another node must have no light userdata" -- of another process; services would use it

local function fail(session)
	answer(session, false, "the task that asks for it was killed")
end

local function pass_on(address, session, msg, sz, is_push, tag)
	local ok, handle, problem = pcall(look_up, address)
	if not ok then
		handle, problem = address, tostring(handle)
	end
	if not problem and has_pointer(msg, sz) then
		problem = POINTERS
	end
	if problem then
		return reject(handle, session, msg, sz, is_push, problem)
	end
	asked_last = handle
	if is_push then
		skynet.rawsend(handle, "lua", msg, sz)
	else
		local guard <close> = defer(fail, session)
		local called, result, size = pcall(call, tag, handle, msg, sz)
		guard.dismissed = true
		answer(session, called, result, size)
	end
end

-- Also when it raises, or its task is closed.
local one_less = setmetatable({}, {
	__close = function()
		in_work = in_work - 1
	end,
})

-- A request that has to wait for something before it is passed on.
local function serve_in_task(address, session, msg, sz, is_push, tag)
	local _ <close> = one_less
	if address == 0 then
		answer_name(session, msg, sz)
	else
		pass_on(address, session, msg, sz, is_push, tag)
	end
end

local calls = callees.new(function(session, ok, msg, sz)
	in_work = in_work - 1
	answer(session, ok, msg, sz)
end)

-- Passes a request on. Returns true when a task has to do that, which runs once the present one waits.
local function serve(address, session, msg, sz, is_push, tag)
	farewell.asked()
	local handle = not tag and names.known(address)
	if not handle then
		in_work, asked_last = in_work + 1, clusterd
		skynet.fork(serve_in_task, address, session, msg, sz, is_push, tag)
		return true
	end
	local problem = names.restricted and names.prohibition(address) or has_pointer(msg, sz) and POINTERS
	if problem then
		reject(handle, session, msg, sz, is_push, problem)
	else
		asked_last = handle
		if is_push then
			send(handle, LUA, 0, msg, sz)
		else
			in_work = in_work + 1
			calls.call(handle, session, msg, sz)
		end
	end
end

local guard -- until the other side has proved that it knows the secret; nil: there is none, or it has

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
	if assembly then
		assemblies[session] = assembly(size)
	else
		core.append(request, nil, size)
	end
end

-- A part. Returns the request with its message when that was the last one.
local function add_part(session, msg, sz, more)
	local fault = messages:add(session, sz, more)
	if fault then
		if msg then
			skynet.trash(msg, sz)
		end
		refuse("large request %d %s", session, fault)
	end
	local request, message = partial[session], assemblies[session]
	if not message then
		core.append(request, msg, sz)
	end
	if not more then
		partial[session], assemblies[session] = nil, nil
		if message then
			return request, core.finish(message)
		end
		return request, core.concat(request)
	end
end

local heard = false

-- More than a beginning has come.
local function hear()
	if not heard then
		heard = true
		ending(clusterd, "socket", "heard", fd) -- of its silence
	end
end

-- What cluster.core makes of a packet: a trace tag alone, or a request, or a part of one. Returns true when a task has to go on
-- with it.
local function on_packet(address, session, msg, sz, more, is_push)
	if session == nil then
		trace_tag = traceable(address)
	elseif address == "" then
		if msg then
			skynet.trash(msg, sz)
		end
		refuse "an empty name"
	elseif guard then
		local request = { address = address, session = session, msg = msg, sz = sz, more = more, is_push = is_push }
		if guard:take(request) then
			guard = nil
			hear()
		elseif guard.fault then
			finish(guard.fault)
		end
	elseif address and more then
		begin(address, session, sz, is_push)
	elseif address then
		hear()
		return serve(address, session, msg, sz, is_push, take_trace_tag())
	else
		local request
		request, msg, sz = add_part(session, msg, sz, more)
		hear()
		if request then
			return serve(request.address, session, msg, sz, request.is_push, request.tag)
		end
	end
end

---------------------------------------------------------------- packets

local function take(msg, sz, ok, ...)
	skynet.trash(msg, sz)
	if not ok then
		return refuse("%s", (...))
	end
	return on_packet(...)
end

local inflow = clusterinflow.new(fd, {
	take = function(msg, sz)
		return take(msg, sz, pcall(core.unpackrequest, msg, sz, assemblies))
	end,
	is_too_much = is_too_much,
	may_ask = reader.may_ask,
	ended = reader.ended,
	is_closed = function()
		return closed
	end,
	finish = finish,
})

local function on_socket(_, _, packets, event, id, value, ...)
	if event == "warning" then
		skynet.error(string.format("socket warning %d %d K", fd, value))
		reader.warning(value)
	elseif event == "error" then
		finish(value)
	else
		inflow.on(packets, event, id, value, ...)
	end
end

local note -- takes what comes until the connection is taken over

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = function(msg, sz)
		if note then
			return note(msg, sz)
		end
		return transport.unpack(inflow.queue(), msg, sz)
	end,
	dispatch = function() end,
}

-- The connection is this service's, and this has come so far.
local function on_taken(bytes, is_proved, end_reason)
	note = nil
	skynet.dispatch("socket", on_socket)
	if not bytes then
		return finish()
	end
	if is_proved then
		guard = nil
		hear()
	end
	if bytes ~= "" then
		on_socket(nil, nil, transport.feed(inflow.queue(), bytes))
	end
	if end_reason == true then
		inflow.on(inflow.queue(), "close")
	elseif end_reason then
		finish(end_reason)
	end
end

local command = setmetatable({}, {
	__gc = function()
		netpack.clear(inflow.queue()) -- only netpack frees what is in it
		if not closed then -- killed: the other side learns of it at once
			driver.close(fd)
			ending(clusterd, "socket", "close", fd)
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

--- drain time -> requests that were served in it, and those that were not answered when the connection ended: which is when the
--- caller has ended it, or nothing is asked any more, or after so many 1/100 s
function command.drain(time)
	farewell.begin(time, {
		tell = function(session)
			answer(session, true, skynet.packstring(clusterhello.notice(time)))
		end,
		in_work = function()
			return note and in_work + 1 or in_work -- what has come is not known yet
		end,
		stop_reading = inflow.read_no_more,
		finish = finish,
	})
end

local invalid = ratelimit(1, 100)

skynet.start(function()
	skynet.dispatch("lua", function(session, source, name, ...)
		local run = command[name]
		if run then
			run(...)
		else
			local more = invalid() -- the other side may send this, too
			if more then
				skynet.error(
					string.format("Invalid command %s from %s%s", printable(name), skynet.address(source), more)
				)
			end
			if session ~= 0 then
				skynet.response()(false)
			end
		end
	end)
	local ok, from, megabytes, count, its_window = pcall(skynet.call, clusterd, "lua", "connection", fd)
	if not ok then
		driver.close(fd)
		error "clusterd.lua on luaservice is of another Lua layer than clusteragent.lua: the services of cluster belong together"
	end
	local made
	made, transport = pcall(clustertransport.new, fd, finish)
	if not made then
		local problem = transport
		transport = nil
		return skynet.fork(finish, problem)
	end
	local secret = clustersecret.secret()
	guard = secret and clustersecret.guard(secret, answer)
	window, window_bytes = its_window.requests, its_window.bytes
	messages = unfinished.new(count, megabytes * 1024 * 1024)
	messages:watch {
		tell = function(bytes)
			skynet.send(clusterd, "lua", "socket", "unfinished", fd, bytes)
		end,
		is_held_up = inflow.is_held_up,
		give_up = refuse,
	}
	driver.nodelay(fd) -- an answer in parts must not wait for the caller's system to acknowledge the first
	note = clustertakeover.begin(fd, listener, on_taken)
end)
