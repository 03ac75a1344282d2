-- Holds a node's place in a cluster: addresses of the other nodes, one clustersender for each of
-- them, one clusteragent for each connection to us, and our names.
--
-- Config key `cluster`: a Lua file with `node = "host:port"` (false: known to be down) and options
-- `__nowaiting = true` (fail requests to unknown nodes instead of waiting until they are known),
-- `__reconnect = seconds` (how long a request waits for a lost connection; by default it fails with the next try),
-- `__heartbeat = seconds` (a node that is silent for so long is asked whether it lives; never by default),
-- `__waiting = megabytes` (what may wait for a connection, or in its output) and
-- `__unfinished = megabytes` (what the large requests, or answers, of a connection that are still coming in may have
-- together) and `__unfinished_count = number` (how many there may be), `__handshake = seconds` (how long a connection to us may say nothing at first), and `__peraddress = count`
-- (connections of one address to one listener).

local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local core = require "skynet.cluster.core"
local alive = require "skynet.internal.alive"
local admission = require "skynet.internal.admission"

local FIGURES_PATIENCE <const> = 50 -- 1/100 s
local MAX_CONNECTIONS <const> = 1024
local UNFINISHED <const>, UNFINISHED_COUNT <const> = 1024, 64
local HANDSHAKE <const> = 300 -- seconds; nodes of the C core's Lua layer connect again when they have something to say
local FEW <const> = 64 -- connections that one address may have in any case, if there is room
local MAX_UNHEARD <const> = 128 -- connections of one address that have said nothing yet

local our_name = core.nodename()

local options = {}
local nodes = {} -- name -> { address, sender, connected_to = address the sender was told, busy, unknown }
local command = {}

-- What comes in in parts on one connection: MiB of it, and how many at a time.
local function unfinished()
	return math.tointeger(options.unfinished) or UNFINISHED,
		math.tointeger(options.unfinished_count) or UNFINISHED_COUNT
end

---------------------------------------------------------------- other nodes

local function node_of(name)
	local node = nodes[name]
	if not node then
		node = { name = name }
		nodes[name] = node
	end
	return node
end

-- Tells the sender where its node is now. Raises when it cannot connect.
local function tell_sender(node, address)
	if not node.sender then
		if not address then
			return
		end
		node.sender = skynet.newservice("clustersender", node.name, our_name, address)
	end
	local its_options = {
		reconnect = options.reconnect,
		heartbeat = options.heartbeat,
		waiting = options.waiting,
	}
	its_options.unfinished, its_options.unfinished_count = unfinished()
	if not pcall(skynet.call, node.sender, "lua", "changenode", address, nil, its_options) then
		error(string.format("changenode [%s] (%s) failed", node.name, address))
	end
end

local function wait_until_known(node)
	skynet.error("Waiting for cluster node [" .. node.name .. "]")
	node.unknown = coroutine.running()
	skynet.wait(node.unknown)
	node.unknown = nil
end

-- Somebody has killed its sender: the next one connects anew.
local function forget_dead_sender(node)
	if node.sender and not alive(node.sender) then
		skynet.error(
			string.format(
				"cluster node [%s]: its sender %s is gone, another one is started",
				node.name,
				skynet.address(node.sender)
			)
		)
		node.sender, node.connected_to = nil, nil
	end
end

-- One try to bring the sender in line with the node's address.
local function settle_once(node)
	if node.address == nil and not options.nowaiting then
		wait_until_known(node)
	end
	local address = node.address
	if address == nil then
		error(string.format("cluster node [%s] is absent.", node.name))
	end
	node.connected_to = nil
	tell_sender(node, address)
	node.connected_to = address
end

-- One task at a time works on a node, the others wait for it. Both return why it failed, if it did.
local function work_on(node)
	local busy = {}
	node.busy = busy
	local ok, problem = pcall(settle_once, node)
	node.busy = nil
	busy.problem = not ok and problem or nil
	for _, task in ipairs(busy) do
		skynet.wakeup(task)
	end
	return busy.problem
end

local function wait_for(busy)
	local me = coroutine.running()
	table.insert(busy, me)
	skynet.wait(me)
	return busy.problem
end

-- The node's sender, connected to the present address. Raises when that cannot be.
local function settle(node)
	forget_dead_sender(node)
	while node.address == nil or node.connected_to ~= node.address do
		local address = node.address
		local problem
		if node.busy then
			problem = wait_for(node.busy)
		else
			problem = work_on(node)
		end
		if problem and node.address == address then
			error(problem, 0)
		end
	end
	if not node.address then
		error(string.format("cluster node [%s] is down", node.name), 0)
	end
	return node.sender
end

local function read_config()
	local config = {}
	local file_name = skynet.getenv "cluster"
	if file_name then
		local file = assert(io.open(file_name))
		local source = file:read "a"
		file:close()
		assert(load(source, "@" .. file_name, "t", config))()
	end
	return config
end

local function set_address(name, address)
	assert(type(name) == "string", "the name of a cluster node must be a string")
	assert(address == false or type(address) == "string", "the address of a cluster node must be a string, or false")
	local node = node_of(name)
	if node.address == address then
		return
	end
	node.address = address
	if node.unknown then
		skynet.error(string.format("Cluster node [%s] resolved : %s", name, address))
		skynet.wakeup(node.unknown)
	elseif node.sender then
		skynet.fork(function()
			local ok, problem = pcall(settle, node)
			if not ok then
				skynet.error(problem)
			end
		end)
	end
end

local function configure(config)
	for name, value in pairs(config or read_config()) do
		local option = type(name) == "string" and string.match(name, "^__(.*)")
		if option then
			options[option] = value
			skynet.error(string.format("Config %s = %s", option, value))
		else
			set_address(name, value)
		end
	end
	if options.nowaiting then
		for _, node in pairs(nodes) do
			if node.unknown then
				skynet.wakeup(node.unknown)
			end
		end
	end
end

function command.reload(_, config)
	configure(config)
	-- Behind the tasks that tell the senders: what the caller asks for after this goes to the new address, or to none.
	skynet.fork(skynet.response(), true, nil)
end

--- sender node -> handle of the connected clustersender
function command.sender(_, name)
	skynet.retpack(settle(node_of(name)))
end

--- senders -> node -> handle
function command.senders()
	local list = {}
	for name, node in pairs(nodes) do
		list[name] = node.sender
	end
	skynet.retpack(list)
end

--- figures -> node -> figures of the connection to it, for the metrics
function command.figures()
	local batch, list = skynet.request(), {}
	for name, node in pairs(nodes) do
		if node.sender then
			batch:add { node.sender, "lua", "figures", node = name }
		end
	end
	for request, response in batch:select(FIGURES_PATIENCE) do
		list[request.node] = response and response[1] or nil
	end
	skynet.retpack(list)
end

local proxies = {}

--- proxy node, name -> handle
function command.proxy(_, node, name)
	if name == nil then
		local full = node
		if type(full) == "string" then
			node, name = string.match(full, "^([^@.]+)([@.].+)")
		end
		if not name then
			error("Invalid name " .. tostring(full))
		end
	end
	local key = node .. "." .. name
	if proxies[key] and not alive(proxies[key]) then
		proxies[key] = nil
	end
	if not proxies[key] then
		local started = skynet.newservice("clusterproxy", node, name)
		if proxies[key] then
			skynet.kill(started) -- somebody else was faster
		else
			proxies[key] = started
		end
	end
	skynet.retpack(proxies[key])
end

---------------------------------------------------------------- this node

-- Agents of connections: a handle, or false while one starts. Doors: of listeners, and of connections.
local agents, doors, door_of = {}, {}, {}
local begun = {} -- connections whose agent has asked for what it needs, while it starts

local function forget_agent(fd)
	if agents[fd] ~= nil then
		door_of[fd]:leave(fd)
		agents[fd], door_of[fd] = nil, nil
	end
end

-- A connection has to go.
local function hang_up(fd)
	local agent = agents[fd]
	agents[fd], door_of[fd] = nil, nil
	if not (agent and skynet.send(agent, "lua", "hangup")) then
		socket.close_fd(fd) -- nobody has it yet
	end
end

local function new_door(maxclient)
	local most = (maxclient or MAX_CONNECTIONS) - 1 -- connections stay below it, as those of any gate
	local seconds = options.handshake or HANDSHAKE
	return admission.new {
		name = "cluster",
		most = most,
		most_address = math.tointeger(options.peraddress) or math.max(most // 2, FEW),
		most_unheard = MAX_UNHEARD,
		handshake = seconds > 0 and seconds or nil,
		close = hang_up,
	}
end

local function on_accept(listener, fd, from)
	local door = doors[listener]
	if not door:enter(fd, from) then
		return socket.close_fd(fd)
	end
	skynet.error(string.format("socket accept from %s", from))
	agents[fd], door_of[fd] = false, door
	local ok, agent = pcall(skynet.newservice, "clusteragent", skynet.self(), listener, fd)
	if agents[fd] == nil then -- it had to go meanwhile
		if ok then
			skynet.kill(agent)
		end
	elseif not ok then
		forget_agent(fd)
		socket.close_fd(fd)
		error(agent, 0)
	elseif not begun[fd] then
		skynet.kill(agent)
		forget_agent(fd)
		socket.close_fd(fd)
		error "clusteragent.lua on luaservice is of another Lua layer than clusterd.lua: the services of cluster belong together"
	else
		agents[fd] = agent
	end
	begun[fd] = nil
end

--- listen node | address, port -> address, port
function command.listen(_, address, port, maxclient)
	local host = address
	if port == nil then
		host = nodes[address] and nodes[address].address or error(address .. " is down")
	end
	local listener = skynet.newservice("clusterlistener", skynet.self())
	doors[listener] = new_door(maxclient)
	local real_address, real_port = skynet.call(listener, "lua", host, port)
	if not real_address then
		doors[listener] = nil
		error(real_port, 0)
	end
	if port == nil then
		real_address, real_port = address, nil
	end
	skynet.retpack(real_address, real_port)
end

--- socket "open", fd, from: a listener has a connection; socket "starved": it cannot accept one; an agent tells of its own:
--- socket "heard", fd: it has sent a request; socket "close", fd, why: it has ended, and why if that was the other side's fault
function command.socket(source, event, fd, from)
	if event == "open" then
		on_accept(source, fd, from)
	elseif event == "starved" then
		doors[source]:starved()
	elseif event == "heard" and door_of[fd] then
		door_of[fd]:heard(fd)
	elseif event == "close" then
		local door = door_of[fd]
		if from and door then
			door:report(door:from(fd), "is closed: " .. from)
		end
		forget_agent(fd)
	end
end

--- connection fd -> address of the other side, MiB of unfinished requests that it may have, and their number; for an agent
--- that starts
function command.connection(_, fd)
	local door = door_of[fd]
	begun[fd] = door and true
	skynet.retpack(door and door:from(fd), unfinished())
end

local handles, names = {}, {} -- name -> handle, handle -> name

local function forget_cached_names()
	for fd, agent in pairs(agents) do
		if agent and not skynet.send(agent, "lua", "namechange") then
			forget_agent(fd) -- somebody has killed it
		end
	end
end

function command.register(source, name, handle)
	assert(handles[name] == nil, "the name is taken")
	handle = handle or source
	local earlier = names[handle]
	if earlier then
		handles[earlier] = nil
		forget_cached_names()
	end
	names[handle], handles[name] = name, handle
	skynet.ret()
	skynet.error(string.format("Register [%s] :%08x", name, handle))
end

function command.unregister(_, name)
	local handle = handles[name]
	if handle then
		names[handle], handles[name] = nil, nil
		forget_cached_names()
		skynet.error(string.format("Unregister [%s] :%08x", name, handle))
	end
	skynet.ret()
end

--- queryname name -> handle | nil
function command.queryname(_, name)
	skynet.retpack(handles[name])
end

local function describe_node(node)
	local text = tostring(node.address)
	if not node.sender then
		return text
	end
	local ok, state = pcall(skynet.call, node.sender, "lua", "status")
	return string.format("%s %s %s", text, skynet.address(node.sender), ok and state or "gone")
end

skynet.start(function()
	configure()
	skynet.dispatch("lua", function(_, source, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		run(source, ...)
	end)
	skynet.info_func(function()
		local list = {}
		for name, node in pairs(nodes) do
			list[name] = describe_node(node)
		end
		return list
	end)
end)
