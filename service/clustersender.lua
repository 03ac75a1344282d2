-- Sends requests to one node of the cluster and brings back its answers.
--
-- A lost connection is reported and made again, with growing pauses. Requests that are on their way
-- when it breaks fail; later ones wait for the new connection (limit: option `__reconnect`).

local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local core = require "skynet.cluster.core"

local node, our_name, first_host, first_port = ...

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 1000 -- 1/100 s

-- What the node may have begun to answer and not ended. It writes its large answers one after another, so one is what
-- to expect.
local MAX_UNFINISHED <const> = 64

local unpack, sub = string.unpack, string.sub

local channel
local session = 1
local state = "new" -- "up", "lost": being connected again, "closed": by clusterd
local max_bytes = 1024 * 1024 * 1024 -- of unfinished answers, together
local patience      -- 1/100 s that a request waits for a lost connection; nil: no limit
local parked = {}   -- tasks of requests that wait for it, in order
local target        -- "host:port" for reports
local epoch = 0     -- grows with each change of the state: older attempts to connect give up

local command = {}

---------------------------------------------------------------- the connection

local function enter(new_state)
	state = new_state
	epoch = epoch + 1
end

local function release_parked()
	local tasks = parked
	parked = {}
	for _, task in ipairs(tasks) do
		skynet.wakeup(task)
	end
end

local function reconnect()
	local mine, started, pause, tries = epoch, skynet.now(), FIRST_PAUSE, 0
	while epoch == mine do
		tries = tries + 1
		local ok, problem = pcall(channel.connect, channel, true)
		if epoch ~= mine then
			return
		elseif ok and problem ~= false then
			enter "up"
			skynet.error(string.format("cluster node [%s] (%s) is connected again after %.2f s, %d tries",
				node, target, (skynet.now() - started) / 100, tries))
			return release_parked()
		end
		if tries == 1 or pause == LONGEST_PAUSE then
			skynet.error(string.format("cluster node [%s] (%s) does not answer: %s", node, target, problem))
		end
		-- Not in step with the other nodes that wait for the same one.
		skynet.sleep(pause // 2 + math.random(pause // 2))
		pause = math.min(pause * 2, LONGEST_PAUSE)
	end
end

local function lost(problem)
	if state == "up" then
		skynet.error(string.format("cluster node [%s] (%s): the connection is lost: %s", node, target, problem))
		enter "lost"
		skynet.fork(reconnect)
	end
end

-- What the connection has sent and nobody has used yet: of `input`, from `position` on. Answers often come together.
local link, input, position

local announced, missing = {}, {} -- session -> bytes of an answer in parts; those of them that have not come
local refused = {}                -- session -> true: its call has failed, the rest of its answer is passed over
local unfinished_count, unfinished_bytes, refused_count = 0, 0, 0

local function read_packet(sock)
	if sock ~= link then
		link, input, position = sock, "", 1
		announced, missing, refused = {}, {}, {}
		unfinished_count, unfinished_bytes, refused_count = 0, 0, 0
	end
	while true do
		local rest = #input - position + 1
		if rest >= 2 then
			local size = unpack(">I2", input, position)
			if rest >= size + 2 then
				local from = position + 2
				position = from + size
				return sub(input, from, position - 1)
			end
		end
		local more = sock:read()
		input, position = rest > 0 and sub(input, position) .. more or more, 1
	end
end

local function forget_parts(session)
	if announced[session] then
		unfinished_count, unfinished_bytes = unfinished_count - 1, unfinished_bytes - announced[session]
		announced[session], missing[session] = nil, nil
	end
end

-- The answer of `size` bytes begins. Returns what is wrong with that, if anything.
local function begin_parts(session, size)
	if announced[session] then
		return "begins twice"
	elseif unfinished_count >= MAX_UNFINISHED or unfinished_bytes + size > max_bytes then
		return string.format("is too much: %d unfinished answers of %d bytes, allowed are %d of %d",
			unfinished_count + 1, unfinished_bytes + size, MAX_UNFINISHED, max_bytes)
	end
	announced[session], missing[session] = size, size
	unfinished_count, unfinished_bytes = unfinished_count + 1, unfinished_bytes + size
end

local function add_part(session, data, more)
	local rest = missing[session]
	if not rest then
		return "has a part before its beginning"
	elseif data == "" then
		return "has a part without bytes" -- any number of them would be within what was announced
	end
	rest = rest - #data
	missing[session] = rest
	if rest < 0 then
		return string.format("has more than the %d bytes that it announced", announced[session])
	elseif rest > 0 and not more then
		return string.format("ends %d bytes before the %d that it announced", rest, announced[session])
	end
end

-- A packet of an answer in parts; false: one to pass over. Whoever begins answers and does not end them, or sends more
-- than he has announced, would fill our memory: the call fails, and what else comes for it is not kept.
local function check_parts(session, ok, data, more)
	if refused[session] then
		if not more then
			refused[session] = nil
			refused_count = refused_count - 1
		end
		return false
	end
	local problem
	if ok and math.type(data) then
		problem = begin_parts(session, data)
	elseif ok then
		problem = add_part(session, data, more)
	end
	if problem or not more then
		forget_parts(session)
	end
	if not problem then
		return session, ok, data, more
	end
	if more then
		refused[session] = true
		refused_count = refused_count + 1
		if refused_count > MAX_UNFINISHED then
			error(string.format("%d answers were refused, and none of them ends", refused_count), 0)
		end
	end
	return session, false, string.format("cluster node [%s] (%s): its answer %s", node, target, problem)
end

-- The next answer, or part of one.
local function read_answer(sock)
	while true do
		local session, ok, data, more = core.unpackresponse(read_packet(sock))
		if not session then
			error("it sends what is no answer", 0)
		elseif not more and not announced[session] and not refused[session] then
			return session, ok, data -- most of them
		end
		session, ok, data, more = check_parts(session, ok, data, more)
		if session then
			return session, ok, data, more
		end
	end
end

-- socketchannel: one answer -> session, ok, data, more to come.
local function read_response(sock)
	local all_well, session, ok, data, more = pcall(read_answer, sock)
	if not all_well then
		lost(type(session) == "string" and session or "closed")
		error(session, 0)
	end
	return session, ok, data, more
end

local function park()
	local task = coroutine.running()
	table.insert(parked, task)
	if not patience then
		return skynet.wait(task)
	end
	if skynet.sleep(patience, task) ~= "BREAK" then
		for place, other in ipairs(parked) do
			if other == task then
				table.remove(parked, place)
				break
			end
		end
	end
end

local function wait_for_connection()
	if state == "lost" then
		park()
	end
	if state == "lost" or state == "closed" then
		error(string.format("cluster node [%s] (%s) is down", node, target), 0)
	end
end

--- changenode host, port, seconds, megabytes: where the node is; false: close the connection. `seconds`: how long
--- a request waits for a lost connection; `megabytes`: of unfinished answers. Fails when it does not connect; a sender
--- that was connected before keeps trying.
function command.changenode(host, port, seconds, megabytes)
	patience = seconds and math.max(0, math.floor(seconds * 100))
	max_bytes = megabytes and megabytes * 1024 * 1024 or max_bytes
	if not host then
		skynet.error("Close cluster sender", target)
		enter "closed"
		channel:close()
		release_parked()
		return skynet.retpack(nil)
	end
	target = port and host .. ":" .. port or host
	enter(state == "new" and "new" or "lost")
	channel:changehost(host, port)
	local mine = epoch
	local ok, problem = pcall(channel.connect, channel, true)
	if epoch == mine then
		if ok then
			enter "up"
			release_parked()
		elseif state == "lost" then
			skynet.fork(reconnect)
		end
	end
	if not ok then
		error(problem, 0)
	end
	skynet.retpack(nil)
end

--- status -> "up", "lost", "closed" or "new" (never connected)
function command.status()
	skynet.retpack(state)
end

---------------------------------------------------------------- requests

-- Sends the trace tag of the running task ahead of its request.
local function send_trace()
	local tag = skynet.tracetag()
	if not tag then
		return
	end
	if string.sub(tag, 1, 1) ~= "(" then -- the first node that it leaves
		local longer = string.format("(%s-%s-%d)%s", our_name, node, session, tag)
		skynet.tracelog(tag, "session " .. longer)
		tag = longer
	end
	skynet.tracelog(tag, "cluster " .. node)
	channel:request(core.packtrace(tag))
end

-- The message is a pointer, which packrequest frees.
local function request(address, msg, sz)
	local current = session
	local packet, following, parts = core.packrequest(address, current, msg, sz)
	session = following
	wait_for_connection()
	send_trace()
	return channel:request(packet, current, parts)
end

--- req address, msg, sz -> the answer as it came
function command.req(...)
	local ok, answer = pcall(request, ...)
	if not ok then
		skynet.error(answer)
		skynet.response()(false)
	elseif type(answer) == "table" then -- in parts
		skynet.ret(core.concat(answer))
	else
		skynet.ret(answer)
	end
end

--- push address, msg, sz
function command.push(address, msg, sz)
	local packet, following, parts = core.packpush(address, session, msg, sz)
	if parts then
		session = following
	end
	wait_for_connection()
	channel:request(packet, nil, parts)
end

skynet.start(function()
	channel = socketchannel.channel {
		host = first_host,
		port = tonumber(first_port),
		response = read_response,
		nodelay = true,
	}
	target = first_host
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
