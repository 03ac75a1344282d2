-- Sends requests to one node of the cluster and brings back its answers.
--
-- A lost connection is reported and made again, with growing pauses. Requests that are on their way
-- when it breaks fail; later ones wait for the new connection (limit: option `__reconnect`).

local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local core = require "skynet.cluster.core"

local node, our_name, first_host, first_port = ...

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 1000 -- 1/100 s

local unpack, sub = string.unpack, string.sub

local channel
local session = 1
local state = "new" -- "up", "lost": being connected again, "closed": by clusterd
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

local function read_packet(sock)
	if sock ~= link then
		link, input, position = sock, "", 1
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

-- socketchannel: one answer -> session, ok, data, more to come.
local function read_response(sock)
	local ok, packet = pcall(read_packet, sock)
	if not ok then
		lost(type(packet) == "string" and packet or "closed")
		error(packet, 0)
	end
	return core.unpackresponse(packet)
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

--- changenode host, port: where the node is; false: close the connection. Fails when it does not
--- connect; a sender that was connected before keeps trying.
function command.changenode(host, port, seconds)
	patience = seconds and math.max(0, math.floor(seconds * 100))
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
