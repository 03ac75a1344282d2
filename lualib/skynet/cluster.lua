--- Calls between the nodes of a cluster, by node name and address.
---
---     local cluster = require "skynet.cluster"
---     cluster.open "db"                               -- this node answers at the address of "db"
---     cluster.register "store"                        -- ... and knows this service as "@store"
---     cluster.call("db", "@store", "GET", key)        -- from another node
---
--- Nodes and their addresses stand in the file that the config key `cluster` names (`db =
--- "10.0.0.1:2528"`), are given to `reload`, or come from the engine that the config key `cluster_discovery` names; with one,
--- services have names that are not bound to a node (`publish`, `call_name`). An address on the other side is a handle, "@name"
--- (registered there) or ".name" (local there). The connections belong to the service `clusterd`.

local skynet = require "skynet"
local alive = require "skynet.internal.alive"
local given = require "skynet.internal.given"
local runtime = require "skynet.internal.kernel"
local check_yieldable = runtime.check_yieldable
-- Handle of a service that passes calls on -> whom it passes them to, for the texts of errors.
local gateways = runtime.gateways or {}
runtime.gateways = gateways

-- What may wait while the service that sends is being found.
local MAX_WAITING <const>, MAX_WAITING_BYTES <const> = 65536, 64 * 1024 * 1024

---@class skynet.cluster
local cluster = {}

local clusterd
local senders = {} -- node -> handle of the service that sends to it
local lines = {} -- node -> what waits, in order, while its sender is being found

-- False when the sender is gone.
local function push(sender, address, ...)
	local msg, sz = given.pack(...)
	if skynet.send(sender, "lua", "push", address, msg, sz) then
		return true
	end
	given.taken(sz)
	skynet.trash(msg, sz)
	return false
end

local function report_lost(node, count)
	if count > 0 then
		skynet.error(string.format("cluster: %d messages to [%s] are lost", count, node))
	end
end

-- Lets the line go on, up to the next task: that task sends its request and, by a fork, has the rest
-- go on after it. So the order of the requests is the order in which they were made.
local function advance(node, line)
	while line.first <= line.last do
		local item = line[line.first]
		line[line.first] = nil
		line.first = line.first + 1
		if type(item) == "string" then
			line.bytes = line.bytes - #item
			push(line.sender, skynet.unpack(item))
		elseif not item.is_gone then
			item.is_woken = true
			skynet.wakeup(item)
			return
		end
	end
	senders[node] = line.sender
	lines[node] = nil
	report_lost(node, line.dropped)
end

local function fail(node, line)
	lines[node] = nil
	local dropped = line.dropped
	for i = line.first, line.last do
		if type(line[i]) == "string" then
			dropped = dropped + 1
		else
			skynet.wakeup(line[i])
		end
	end
	skynet.error(line.problem)
	report_lost(node, dropped)
end

local function find_sender(node, line)
	local ok, result = pcall(skynet.call, clusterd, "lua", "sender", node)
	if ok and result then
		line.sender = result
		gateways[result] = string.format("cluster node [%s]", node)
		advance(node, line)
	else
		line.problem = string.format("cluster: no way to node [%s]: %s", node, result or "it is down")
		fail(node, line)
	end
end

-- Puts a task's place or a packed message behind what waits for the node already. False when it is one too many.
local function join(node, item, bytes)
	local line = lines[node]
	if not line then
		line = { first = 1, last = 0, bytes = 0, dropped = 0 }
		lines[node] = line
		skynet.fork(find_sender, node, line)
	end
	if line.last - line.first >= MAX_WAITING or line.bytes + bytes > MAX_WAITING_BYTES then
		return false, line
	end
	line.bytes = line.bytes + bytes
	line.last = line.last + 1
	line[line.last] = item
	return true, line
end

-- A task has its sender, or was killed: then those behind it go on.
local Place = {
	__close = function(place)
		local line = place.line
		if line and not place.has_passed then
			place.is_gone = true
			line.bytes = line.bytes - place.bytes
			if place.is_woken then
				skynet.fork(advance, place.node, line)
			end
		end
	end,
}

-- `bytes`: of the request that waits.
local function wait_for_sender(node, bytes)
	local place <close> = setmetatable({ node = node, bytes = bytes }, Place)
	local has_room, line = join(node, place, bytes)
	if not has_room then
		error(
			string.format(
				"cluster: no way to node [%s] yet, and %d requests of %d bytes wait for it already",
				node,
				line.last - line.first + 1,
				line.bytes
			),
			0
		)
	end
	place.line = line
	skynet.wait(place)
	place.has_passed = true
	if line.problem then
		error(line.problem, 0)
	end
	line.bytes = line.bytes - bytes
	skynet.fork(advance, node, line)
	return line.sender
end

-- The sender if it is known; one that was killed is not.
local function known_sender(node)
	local sender = senders[node]
	if sender and not alive(sender) then
		senders[node], sender = nil, nil
	end
	return sender
end

local function request(sender, address, ...)
	return skynet.call(sender, "lua", "req", address, given.pack(...))
end

--- The service that sends to a node; there is one for each node. Yields.
---@param node string
---@return integer handle. Raises when the node is unknown or cannot be reached
function cluster.get_sender(node)
	check_yieldable()
	return known_sender(node) or wait_for_sender(node, 0)
end

--- Calls a service of another node. Requests made by this service arrive in their order. Yields.
---@param node string
---@param address integer|string handle, "@name" or ".name" over there
---@param ... any the values of the request
---@return any ... the answer. Raises when the call fails there, or the connection is lost
function cluster.call(node, address, ...)
	check_yieldable()
	local sender = known_sender(node)
	if sender then
		return request(sender, address, ...)
	end
	local packed = skynet.packstring(address, ...) -- as the values are now
	return request(wait_for_sender(node, #packed), skynet.unpack(packed))
end

--- Sends a message to a service of another node; it is not told whether it arrives. Does not yield.
---@param node string
---@param address integer|string
---@param ... any the values of the message
function cluster.send(node, address, ...)
	local sender = senders[node]
	if sender and push(sender, address, ...) then
		return
	end
	senders[node] = nil
	local packed = skynet.packstring(address, ...)
	local has_room, line = join(node, packed, #packed)
	if not has_room then
		line.dropped = line.dropped + 1
	end
end

--- Accepts connections of other nodes. With discovery this node is then known to the others. Yields.
---@param port integer|string|nil a port of all addresses, or the name of a node in the configuration; nil: the address that the
--- config key `cluster_advertise` names
---@param maxclient integer? connections at a time, 1024 by default
---@return string address, integer? port that it listens on. Raises when it cannot
function cluster.open(port, maxclient)
	if type(port) ~= "number" then
		return skynet.call(clusterd, "lua", "listen", port, nil, maxclient)
	end
	return skynet.call(clusterd, "lua", "listen", "0.0.0.0", port, maxclient)
end

--- Reads the configuration again, or takes a new one; nodes that it does not name stay. Connections
--- to nodes with a new address are made anew. Yields.
---@param config table<string, string|false|boolean>? node -> "host:port", or false: the node is down.
--- Keys with `__` are options: `__nowaiting` fails calls to unknown nodes instead of waiting for them
function cluster.reload(config)
	skynet.call(clusterd, "lua", "reload", config)
end

--- A service of this node that passes what it gets on to a service of another node. Yields.
---@param node string the node, or both: "node@name" or "node.name"
---@param name string|integer? "@name", ".name" or handle over there
---@return integer handle
function cluster.proxy(node, name)
	return skynet.call(clusterd, "lua", "proxy", node, name)
end

--- A snax object of a service on another node. Yields.
---@param node string
---@param name string the snax service
---@param address integer|string? of a service started by `snax.newservice`; a unique one by default
---@return skynet.snax.Object object
function cluster.snax(node, name, address)
	local snax = require "skynet.snax"
	address = address or cluster.call(node, ".service", "QUERY", "snaxd", name)
	return snax.bind(cluster.proxy(node, address), name)
end

--- Gives a service the name that other nodes call it by, as "@name". Yields.
---@param name string raises when it is taken
---@param handle integer? this service by default; an earlier name of the service ends
function cluster.register(name, handle)
	assert(type(name) == "string", "the name must be a string")
	assert(handle == nil or type(handle) == "number", "the address must be a handle")
	skynet.call(clusterd, "lua", "register", name, handle)
end

--- Ends the name of a service. Yields.
---@param name string
function cluster.unregister(name)
	assert(type(name) == "string", "the name must be a string")
	skynet.call(clusterd, "lua", "unregister", name)
end

--- Asks another node for the handle of a name registered there. Yields.
---@param node string
---@param name string without "@"
---@return integer handle. Raises when there is none
function cluster.query(node, name)
	check_yieldable()
	return request(cluster.get_sender(node), 0, name)
end

---------------------------------------------------------------- leaving

--- Takes this node out of the cluster while it still serves: its names are withdrawn, its listeners close, those who call it are
--- told and go elsewhere, and what is under way is answered. What it asks of other nodes goes on. Happens by itself when the node
--- ends in order, with discovery or the config key `cluster_drain`. `cluster.open` ends it. Yields.
---@param options { limit: integer?, to: any }? limit: 1/100 s that what is under way has, 1000 by default; to: for those who have
--- asked to be told (`on_drain`): where clients may go
---@return { names: integer, hooks: integer, connections: integer, served: integer, unfinished: integer } counts names that were
--- withdrawn; services that were told; connections that were ended; requests that came meanwhile, and those without an answer
function cluster.drain(options)
	options = options or {}
	return skynet.call(clusterd, "lua", "drain", options.limit or 1000, options.to)
end

--- Has `func` called in a task of its own when this node drains: tell clients where to go. The drain waits for it, as long as its
--- time allows. Does not yield.
---@param func fun(drain: { time: integer, to: any }) time: 1/100 s that there are; to: as given to `drain`
function cluster.on_drain(func)
	require "skynet.cluster.drain".add(clusterd, func)
end

---------------------------------------------------------------- names that are not bound to a node

local names -- skynet.cluster.names, for those who use it

local function by_name()
	names = names or require "skynet.cluster.names"
	return names
end

--- Publishes a service under a name that other nodes find it by (`call_name`), beside others of that name, on this node or
--- others. Needs discovery, and `cluster.open`. It ends with the service. Yields.
---@param name string
---@param options { handle: integer?, tags: table<string, string>?, load: number? }? handle: this service by default; tags:
--- what callers may ask for; load: how busy it is, in whatever unit
---@return skynet.cluster.names.Publication publication `change { load = }`, `withdraw()`, and `problem`: why the engine does
--- not know it yet
function cluster.publish(name, options)
	return by_name().publish(name, options or {})
end

--- Calls one of the services of a name. Yields.
---
--- A table says which one: `{ "scores", by = "near", tags = { region = "eu" } }` with `by` = "near" (this node, then its zone,
--- then any; the default), "least" (the least loaded: its `load` and what this service waits for), "any", or
--- `{ "scores", key = player }`: always the same one for a key, as long as it is there. `{ "scores", time = 300 }` waits 3 s at
--- most, and raises "call timeout"; a later answer is dropped.
---@param name string|table
---@param ... any the values of the request
---@return any ... the answer. Raises when there is no such service, the call fails there, the connection is lost, or the time is
--- over
function cluster.call_name(name, ...)
	return by_name().call(name, ...)
end

--- Sends a message to one of the services of a name; nobody tells whether it arrives. Does not yield.
---@param name string|table as for `call_name`
---@param ... any the values of the message
function cluster.send_name(name, ...)
	by_name().send(name, ...)
end

--- All services of a name, as far as known. Yields the first time.
---@param name string|table with `tags`, those that have them
---@return skynet.cluster.names.Instance[] instances { node =, address =, tags =, load =, zone =, here = }: for `cluster.call`
function cluster.find_name(name)
	return by_name().find(name)
end

--- Has `func` called with the services of a name, now and whenever they change, in a task of its own. Does not yield.
---@param name string|table as for `find_name`
---@param func fun(instances: skynet.cluster.names.Instance[], state: string) state: "fresh", or "stale" while the engine is away
---@return fun() stop
function cluster.watch_name(name, func)
	return by_name().watch(name, func)
end

skynet.init(function()
	clusterd = skynet.uniqueservice "clusterd"
end)

return cluster
