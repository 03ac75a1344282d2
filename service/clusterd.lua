-- Holds a node's place in a cluster: addresses of the other nodes, one clustersender for each of
-- them, one clusteragent for each connection to this node, and its names.
--
-- Config key `cluster`: a Lua file with `node = "host:port"` (false: known to be down) and options
-- `__nowaiting = true` (fail requests to unknown nodes instead of waiting until they are known),
-- `__reconnect = seconds` (how long a request waits for a lost connection; by default it fails with the next try),
-- `__heartbeat = seconds` (a node that is silent for so long is asked whether it lives; never by default),
-- `__idle = seconds` (a connection that is not used for so long is closed until it is needed; never by default),
-- `__waiting = megabytes` (what may wait for a connection, or in its output) and
-- `__unfinished = megabytes` (what the large requests, or answers, of a connection that are still coming in may have
-- together) and `__unfinished_count = number` (how many there may be), `__handshake = seconds` (how long a connection to this node may say nothing at first), and `__peraddress = count`
-- (connections of one address to one listener), `__unread = megabytes` (answers that all connections to this node have not read), and
-- those in docs/cluster.md.
--
-- With the config key `cluster_discovery` the service clusterdiscovery tells the addresses; those of the file hold, too.

local skynet = require "skynet"
require "skynet.manager"
local alive = require "skynet.internal.alive"
local drain = require "skynet.internal.clusterdrain"
local defer = require "skynet.internal.defer"
local nodeaddress = require "skynet.internal.nodeaddress"
local serve = require "skynet.internal.owner"
local report = require "skynet.internal.clusterreport"
local publicaddress = require "skynet.internal.publicaddress"

local HEARTBEAT <const> = 5 -- seconds; of nodes that discovery knows
local FIGURES_PATIENCE <const> = 50 -- 1/100 s
local UNFINISHED <const>, UNFINISHED_COUNT <const> = 1024, 64
local DRAIN <const> = 5 -- seconds, when the node ends and discovery is on
local discovery -- handle of clusterdiscovery

local options = {}
local own = {} -- set of the names and addresses that this node listens at
local command = {}

-- What comes in in parts on one connection: MiB of it, and how many at a time.
local function unfinished()
	return math.tointeger(options.unfinished) or UNFINISHED,
		math.tointeger(options.unfinished_count) or UNFINISHED_COUNT
end

-- What another node that knows it has under way here at most.
local function window()
	return {
		requests = math.tointeger(tonumber(options.window)),
		bytes = tonumber(options.window_bytes) and options.window_bytes * 1024 * 1024 // 1 | 0,
	}
end

---------------------------------------------------------------- other nodes

local nodes = require "skynet.internal.clusternodes"
local connections = require "skynet.internal.clusterconnections" -- of others to this node

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

local function configure(config)
	for name, value in pairs(config or read_config()) do
		local option = type(name) == "string" and string.match(name, "^__(.*)")
		if option then
			options[option] = value
			skynet.error(string.format("Config %s = %s", option, value))
		else
			nodes.set_address(name, value)
		end
	end
	if options.nowaiting then
		nodes.stop_waiting()
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
		nodes.set_address(name, address)
	end
	if is_all and nodes.searching then
		nodes.searching = problem
		if options.nowaiting == nil then
			nodes.stop_waiting()
		end
	end
end

--- forget node: it has left long ago
function command.forget(source, name)
	if source == discovery then
		nodes.forget(name)
	end
end

--- discovery -> handle of clusterdiscovery, nil: it is off
function command.discovery()
	skynet.retpack(discovery)
end

--- nodes -> node -> { address = }, by the file
function command.nodes()
	local list = {}
	for name, node in pairs(nodes.all) do
		if node.address then
			list[name] = { address = node.address, stale = false }
		end
	end
	skynet.retpack(list)
end

--- sender node -> handle of a connected clustersender
function command.sender(source, name)
	skynet.retpack(nodes.sender(name, source))
end

--- senders -> node -> handle
function command.senders()
	skynet.retpack(nodes.senders())
end

-- Node -> figures of the connections to it; and those of discovery.
local function collect_figures()
	local list = nodes.figures()
	local ok, well, of_discovery
	if discovery then
		ok, well, of_discovery = pcall(skynet.call_timeout, FIGURES_PATIENCE, discovery, "lua", "figures")
	end
	return list, ok and well and of_discovery or nil
end

--- figures -> node -> figures of the connections to it, figures of discovery, and whether this node drains, for the metrics
function command.figures()
	local figures, of_discovery = collect_figures()
	skynet.retpack(figures, of_discovery, drain.has_begun())
end

--- overview -> figures of the connections to other nodes, those of discovery, node -> address of all that are known, and fd ->
--- address of those that have connected to this one, and the names of this node; for the dashboard and the command snapshot of the console
function command.overview()
	local figures, of_discovery = collect_figures()
	local addresses, names_of_ours = {}, {}
	for name, node in pairs(nodes.all) do
		addresses[name] = node.address or false
		if own[name] or own[node.address] or discovery and name == skynet.getenv "cluster_name" then
			names_of_ours[#names_of_ours + 1] = name
		end
	end
	skynet.retpack(figures, of_discovery, addresses, connections.callers(), names_of_ours)
end

--- drains -> boolean, for the metrics
function command.drains()
	skynet.retpack(drain.has_begun())
end

--- report -> node -> a line, for the debug console
function command.report()
	local figures, of_discovery = collect_figures()
	skynet.retpack(report(nodes.all, figures, of_discovery))
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

-- What the others get to know: with the port that there really is where the config says none, or 0.
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

-- One that nobody will be told of: the port is free again.
local function drop_listener(listener)
	connections.close(listener)
	skynet.kill(listener)
end

--- listen node | address, port -> address, port; without any of them at the advertised address
function command.listen(_, address, port, maxclient)
	local advertised = discovery and skynet.getenv "cluster_advertise"
	if address == nil and port == nil then
		address, port = advertised_place()
	end
	local host = address
	if port == nil then
		local node = nodes.all[address]
		host = node and node.address or error(address .. " is down")
	end
	drain.over()
	local listener = skynet.newservice("clusterlistener", skynet.self())
	local guard <close> = defer(drop_listener, listener) -- and when this raises
	connections.open(listener, maxclient, options)
	local real_address, real_port = skynet.call(listener, "lua", "open", host, port)
	if not real_address then
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
	local everywhere = real_address == "0.0.0.0" or real_address == "::"
	own[string.format("%s:%s", everywhere and "127.0.0.1" or real_address, real_port)] = true
	if port == nil then
		own[address] = true
		real_address, real_port = address, nil
	end
	guard.dismissed = true
	skynet.retpack(real_address, real_port)
end

--- socket event, fd, from: of a listener or an agent
function command.socket(source, event, fd, from)
	connections.event(source, event, fd, from)
end

--- connection fd -> address of the other side, MiB of unfinished requests that it may have, their number, and the window of its
--- requests; for an agent that starts
function command.connection(_, fd)
	local megabytes, count = unfinished()
	skynet.retpack(connections.begin(fd), megabytes, count, window())
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

---------------------------------------------------------------- leaving the cluster

-- Seconds for the drain when the node ends; nil: there is none.
local function drain_time()
	local text = skynet.getenv "cluster_drain"
	if text == nil then
		return discovery and DRAIN or nil
	end
	local seconds = tonumber(text)
	return seconds and seconds > 0 and seconds or nil
end

--- drain time, to -> counts; see skynet.internal.clusterdrain
function command.drain(_, time, to)
	skynet.retpack(drain.run(discovery, time, to))
end

--- ending: the node ends in order, and its connections first; answers when that is done
function command.ending()
	local seconds = drain_time()
	if seconds then
		drain.run(discovery, seconds * 100)
	end
	skynet.retpack(seconds ~= nil)
end

--- await_drain -> { time =, to = } once there is one; `drain_hook_done` tells that what the asking service does then is done
function command.await_drain(source)
	drain.await(source)
end

function command.drain_hook_done(source)
	drain.hook_done(source)
end

local function start_discovery()
	local text = skynet.getenv "cluster_discovery"
	if text and text ~= "file" and not string.find(text, "^file://") then
		nodes.searching, nodes.has_discovery = true, true
		discovery = skynet.newservice("clusterdiscovery", skynet.self())
	end
	if drain_time() then
		skynet.on_shutdown(function()
			drain.run(discovery, drain_time() * 100)
		end)
	end
end

nodes.options = options

function nodes.sender_options()
	local megabytes, count = unfinished()
	return {
		reconnect = options.reconnect,
		heartbeat = options.heartbeat or discovery and HEARTBEAT or nil,
		waiting = options.waiting,
		idle = options.idle,
		window = tonumber(options.window),
		window_bytes = tonumber(options.window_bytes),
		compress = tonumber(options.compress),
		keeps_up = discovery ~= nil, -- it leaves out nodes whose connection does not stand
		unfinished = megabytes,
		unfinished_count = count,
	}
end

skynet.start(function()
	configure()
	serve(command, function()
		local list = {}
		for name, node in pairs(nodes.all) do
			list[name] = nodes.describe(node)
		end
		return list
	end)
	start_discovery()
end)
