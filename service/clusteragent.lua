-- Answers the requests that come in on one connection of another node. The gate forwards its packets
-- here as PTYPE_CLIENT messages; answers are written to the socket directly.

local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.cluster.core"

local clusterd, gate, fd = ...
clusterd, gate, fd = math.tointeger(clusterd), math.tointeger(gate), math.tointeger(fd)

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
			socket.lwrite(fd, part)
		end
	else
		socket.write(fd, packet)
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

---------------------------------------------------------------- requests

local partial = {} -- session -> a request of which parts are missing
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

-- What cluster.core makes of a packet: a trace tag alone, or a request, or a part of one.
local function on_packet(_, _, address, session, msg, sz, more, is_push)
	skynet.ignoreret() -- the session of the message is the socket
	if session == nil then
		trace_tag = address
		return
	end
	local request = partial[session]
	if more then
		if not request then
			request = { address = address, is_push = is_push, tag = take_trace_tag() }
			partial[session] = request
		end
		core.append(request, msg, sz)
		return
	end
	if request then
		partial[session] = nil
		core.append(request, msg, sz)
		msg, sz = core.concat(request)
		address, is_push, trace_tag = request.address, request.is_push, request.tag
	end
	local tag = take_trace_tag()
	if not msg then
		return answer(session, false, "Invalid large req")
	end
	if not address then -- the last part of a request that has not begun
		skynet.trash(msg, sz)
		return answer(session, false, "Invalid name")
	end
	serve(address, session, msg, sz, is_push, tag)
end

local command = {}

function command.exit()
	socket.close_fd(fd)
	skynet.exit()
end

--- Names have changed: ask again.
function command.namechange()
	handles = {}
end

skynet.start(function()
	skynet.register_protocol {
		name = "client",
		id = skynet.PTYPE_CLIENT,
		unpack = core.unpackrequest,
		dispatch = on_packet,
	}
	-- From here on packets come. The connection may be closed already.
	pcall(skynet.call, gate, "lua", "forward", fd)

	skynet.dispatch("lua", function(_, source, name)
		local run = command[name]
		if run then
			run()
		else
			skynet.error(string.format("Invalid command %s from %s", name, skynet.address(source)))
		end
	end)
end)
