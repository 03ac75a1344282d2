-- Holds a node's place in a cluster: addresses of the other nodes, one clustersender for each of
-- them, one clusteragent for each connection to us, and our names.
--
-- Config key `cluster`: a Lua file with `node = "host:port"` (false: known to be down) and options
-- `__nowaiting = true` (fail requests to unknown nodes instead of waiting until they are known),
-- `__reconnect = seconds` (how long a request waits for a lost connection; by default it fails with the next try),
-- `__heartbeat = seconds` (a node that is silent for so long is asked whether it lives; never by default),
-- `__idle = seconds` (a connection that is not used for so long is closed until it is needed; never by default),
-- `__waiting = megabytes` (what may wait for a connection, or in its output) and
-- `__unfinished = megabytes` (what the large requests, or answers, of a connection that are still coming in may have
-- together) and `__unfinished_count = number` (how many there may be), `__handshake = seconds` (how long a connection to us may say nothing at first), and `__peraddress = count`
-- (connections of one address to one listener).
--
-- With the config key `cluster_discovery` the service clusterdiscovery tells the addresses; those of the file hold, too.

local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.cluster.core"
local alive = require "skynet.internal.alive"
local nodeaddress = require "skynet.internal.nodeaddress"
local report = require "skynet.internal.clusterreport"
local publicaddress = require "skynet.internal.publicaddress"

local FIGURES_PATIENCE <const> = 50 -- 1/100 s
local HEARTBEAT <const> = 5 -- seconds; of nodes that discovery knows
local UNFINISHED <const>, UNFINISHED_COUNT <const> = 1024, 64

local our_name = core.nodename()

local discovery -- handle of clusterdiscovery
local searching -- what to say of unknown nodes while discovery knows nothing yet: true, or why not; nil: it knows

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
		heartbeat = options.heartbeat or discovery and HEARTBEAT or nil,
		waiting = options.waiting,
		idle = options.idle,
		keeps_up = discovery ~= nil, -- it leaves out nodes whose connection does not stand
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

-- Its sender was killed: the next one connects anew.
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
	local waits = not options.nowaiting
	if discovery then
		waits = searching == true or options.nowaiting == false
	end
	if node.address == nil and waits then
		wait_until_known(node)
	end
	local address = node.address
	if address == nil then
		local more = type(searching) == "string" and " Discovery knows no node yet: " .. searching or ""
		error(string.format("cluster node [%s] is absent.%s", node.name, more))
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
	local file_name = string.match(skynet.getenv "cluster_discovery" or "", "^file://(.+)$") or skynet.getenv "cluster"
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

-- Those who wait for unknown nodes wait no longer.
local function stop_waiting()
	for _, node in pairs(nodes) do
		if node.unknown then
			skynet.wakeup(node.unknown)
		end
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
		stop_waiting()
	end
end

function command.reload(_, config)
	configure(config)
	-- Behind the tasks that tell the senders: what the caller asks for after this goes to the new address, or to none.
	skynet.fork(skynet.response(), true, nil)
end

--- discovered node -> address or false, whether that is all, why there is nothing; from clusterdiscovery
function command.discovered(source, list, is_all, problem)
	if source ~= (discovery or source) then -- the first may come while it starts
		error "clusterdiscovery alone discovers nodes"
	end
	for name, address in pairs(list) do
		set_address(name, address)
	end
	if is_all and searching then
		searching = problem
		if options.nowaiting == nil then
			stop_waiting()
		end
	end
end

--- forget node: it has left long ago
function command.forget(source, name)
	local node = nodes[name]
	if source == discovery and node and not node.address and not node.busy then
		nodes[name] = nil
		if node.sender then
			skynet.kill(node.sender)
		end
	end
end

--- discovery -> handle of clusterdiscovery, nil: it is off
function command.discovery()
	skynet.retpack(discovery)
end

--- nodes -> node -> { address = }, by the file
function command.nodes()
	local list = {}
	for name, node in pairs(nodes) do
		if node.address then
			list[name] = { address = node.address, stale = false }
		end
	end
	skynet.retpack(list)
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

-- Node -> figures of the connection to it; and those of discovery.
local function collect_figures()
	local batch, list = skynet.request(), {}
	for name, node in pairs(nodes) do
		if node.sender then
			batch:add { node.sender, "lua", "figures", node = name }
		end
	end
	for request, response in batch:select(FIGURES_PATIENCE) do
		list[request.node] = response and response[1] or nil
	end
	local ok, well, of_discovery
	if discovery then
		ok, well, of_discovery = pcall(skynet.call_timeout, FIGURES_PATIENCE, discovery, "lua", "figures")
	end
	return list, ok and well and of_discovery or nil
end

--- figures -> node -> figures of the connection to it, and figures of discovery, for the metrics
function command.figures()
	skynet.retpack(collect_figures())
end

--- report -> node -> a line, for the debug console
function command.report()
	local figures, of_discovery = collect_figures()
	skynet.retpack(report(nodes, figures, of_discovery))
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
			skynet.kill(started) -- another request was faster
		else
			proxies[key] = started
		end
	end
	skynet.retpack(proxies[key])
end

---------------------------------------------------------------- this node

local connections = require "skynet.internal.clusterconnections"

-- What the others get to know: with the port that we really have where the config says none, or 0.
local function advertise(advertised, real_port)
	local host, port = nodeaddress(advertised)
	if not port or port == 0 then
		host = string.find(host, ":", 1, true) and "[" .. host .. "]" or host
		advertised = string.format("%s:%d", host, real_port)
	end
	local ok, stored, problem = skynet.call(discovery, "lua", "join", advertised)
	if not ok then
		error(stored, 0)
	elseif not stored then
		skynet.error(string.format("cluster: %s is told to others later: %s", advertised, problem))
	end
	return advertised
end

-- Where `cluster.open()` listens.
local function advertised_place()
	local advertised = skynet.getenv "cluster_advertise"
	if not discovery then
		error("cluster.open without a port or a node's name needs discovery: set cluster_discovery in the config", 0)
	elseif not advertised then
		error(
			"cluster.open without a port listens at the address that cluster_advertise names: set it in the config",
			0
		)
	end
	local host, port = nodeaddress(advertised)
	return host, port or 0
end

--- listen node | address, port -> address, port; without any of them at the advertised address
function command.listen(_, address, port, maxclient)
	local advertised = discovery and skynet.getenv "cluster_advertise"
	if address == nil and port == nil then
		address, port = advertised_place()
	end
	local host = address
	if port == nil then
		host = nodes[address] and nodes[address].address or error(address .. " is down")
	end
	local listener = skynet.newservice("clusterlistener", skynet.self())
	connections.open(listener, maxclient, options)
	local real_address, real_port = skynet.call(listener, "lua", host, port)
	if not real_address then
		connections.close(listener)
		error(real_port, 0)
	end
	if publicaddress(real_address) and not skynet.getenv "cluster_secret" then
		skynet.error(
			string.format(
				"cluster: %s is a public address, and there is no cluster_secret: whoever reaches it can call every service of this node",
				real_address
			)
		)
	end
	if advertised then
		advertise(advertised, math.tointeger(real_port) or select(2, nodeaddress(host)))
	end
	if port == nil then
		real_address, real_port = address, nil
	end
	skynet.retpack(real_address, real_port)
end

--- socket event, fd, from: of a listener or an agent
function command.socket(source, event, fd, from)
	connections.event(source, event, fd, from)
end

--- connection fd -> address of the other side, MiB of unfinished requests that it may have, and their number; for an agent
--- that starts
function command.connection(_, fd)
	skynet.retpack(connections.begin(fd), unfinished())
end

local handles, names = {}, {} -- name -> handle, handle -> name

local aliases = {} -- names of published services, as clusterdiscovery makes them

function command.register(source, name, handle)
	assert(handles[name] == nil, "the name is taken")
	handle = handle or source
	local earlier = names[handle]
	if earlier then
		handles[earlier] = nil
		connections.forget_names()
	end
	names[handle], handles[name] = name, handle
	skynet.ret()
	skynet.error(string.format("Register [%s] :%08x", name, handle))
end

function command.unregister(_, name)
	local handle = handles[name]
	if handle then
		names[handle], handles[name] = nil, nil
		connections.forget_names()
		skynet.error(string.format("Unregister [%s] :%08x", name, handle))
	end
	skynet.ret()
end

--- queryname name -> handle | nil
function command.queryname(_, name)
	skynet.retpack(handles[name] or aliases[name])
end

--- alias name, handle | nil: a published service, beside the name that it may have; from clusterdiscovery
function command.alias(source, name, handle)
	if source ~= discovery then
		error "clusterdiscovery alone publishes services"
	end
	aliases[name] = handle
	if handle == nil then
		connections.forget_names()
	end
	skynet.ret()
end

local function describe_node(node)
	local text = tostring(node.address)
	if not node.sender then
		return text
	end
	local ok, state = pcall(skynet.call, node.sender, "lua", "status")
	return string.format("%s %s %s", text, skynet.address(node.sender), ok and state or "gone")
end

local function start_discovery()
	local text = skynet.getenv "cluster_discovery"
	if text and text ~= "file" and not string.find(text, "^file://") then
		searching = true
		discovery = skynet.newservice("clusterdiscovery", skynet.self())
	end
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
	start_discovery()
end)
