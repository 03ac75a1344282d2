--- A client of Redis Cluster: sends each command to the node that has its key, and follows when keys move.
---
---     local db = cluster.new { { host = "127.0.0.1", port = 7000 }, { host = "127.0.0.1", port = 7001 } }
---     db:set("key", 1)
---
--- Every command is a method, as in skynet.db.redis; its first argument is the key. Keys with the same
--- {tag} are on the same node. They yield, and raise as there.

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local socketchannel = require "skynet.socketchannel"
local crc16 = require "skynet.db.redis.crc16"
local shared = require "skynet.internal.shared"

---@class skynet.db.redis.cluster
local M = {}
---@class skynet.db.redis.cluster.Cluster
local Cluster = {}

local SLOTS <const>, MAX_ATTEMPTS <const>, MAX_CONNECTIONS <const> = 16384, 16, 256
-- 1/100 s: before another attempt when nodes are lost or busy, and before a lost subscription is renewed.
local PAUSE <const>, WATCH_PAUSE <const> = 10, 100

---------------------------------------------------------------- nodes and slots

local function name_of(node)
	node.name = node.name or string.format("%s:%d", node.host, node.port)
	return node.name
end

local function node_of(entry)
	local node = { host = assert(entry[1]), port = assert(math.tointeger(tonumber(entry[2]))) }
	name_of(node)
	return node
end

local function is_slot(number)
	return math.type(number) == "integer" and number >= 0 and number < SLOTS
end

-- The nodes, and which of them has which slot. Raises when the reply makes no sense.
local function read_slots(ranges)
	local slots, nodes, left = {}, {}, SLOTS
	for _, range in ipairs(ranges) do
		if not is_slot(range[1]) or not is_slot(range[2]) then
			error("invalid reply of redis: CLUSTER SLOTS with a slot that cannot be", 0)
		end
		left = left - math.max(range[2] - range[1] + 1, 1)
		if left < 0 then
			error("invalid reply of redis: CLUSTER SLOTS with more slots than there are", 0)
		end
		local node = node_of(range[3])
		node.slaves = {}
		for i = 4, #range do
			table.insert(node.slaves, node_of(range[i]))
		end
		table.insert(nodes, node)
		for slot = range[1], range[2] do
			slots[slot] = node
		end
	end
	return slots, nodes
end

--- Asks the nodes it was created with which node has which slots. Yields.
function Cluster:initialize_slots_cache()
	for _, known in ipairs(self.startup_nodes) do
		local ok, slots, nodes = pcall(function()
			return read_slots(self:get_connection(known):cluster "slots")
		end)
		if ok then
			self.slots, self.nodes, self.stale = slots, nodes, false
			return
		end
	end
end

--- Forgets which node has which slots. Does not yield.
function Cluster:flush_slots_cache()
	self.slots = {}
end

--- The slot of a key. Does not yield.
---@param key any
---@return integer
function Cluster:keyslot(key)
	if type(key) ~= "string" then
		assert(key ~= nil, "the key is missing")
		key = tostring(key)
	end
	local tag = string.match(key, "^[^{]*{([^}]+)}")
	return crc16(tag or key) % SLOTS
end

local unroutable = { info = true, multi = true, exec = true, slaveof = true, config = true, shutdown = true }

-- The key that decides where a command goes; nil when there is none.
local function key_of(self, command, arguments)
	if unroutable[command] then
		return nil
	elseif command ~= "eval" and command ~= "evalsha" then
		return arguments[1]
	end
	local count = assert(tonumber(arguments[2]), "number of keys")
	for i = 4, 2 + count do
		if self:keyslot(arguments[i]) ~= self:keyslot(arguments[3]) then
			error(string.format("%s - all keys must map to the same key slot", command), 0)
		end
	end
	return arguments[3]
end

---------------------------------------------------------------- connections

local function settings(self, node)
	return {
		host = node.host,
		port = node.port,
		auth = self.opt.auth,
		username = self.opt.username,
		db = self.opt.db or 0,
		connect_timeout = self.opt.connect_timeout,
		request_timeout = self.opt.request_timeout,
		max_reply = self.opt.max_reply,
	}
end

local function make_room(self)
	local count = 0
	for _ in pairs(self.connections) do
		count = count + 1
	end
	if count >= (self.opt.max_connections or MAX_CONNECTIONS) then
		local name, connection = next(self.connections)
		self.connections[name] = nil
		pcall(connection.disconnect, connection)
	end
end

--- The connection to a node, opened if there is none. Yields. Raises when it fails.
---@param node { host: string, port: integer }
---@return skynet.db.redis.Connection connection
function Cluster:get_connection(node)
	local name = name_of(node)
	return self.connections[name]
		or shared(self.opening, name, function()
			make_room(self)
			local connection = redis.connect(settings(self, node))
			self.connections[name] = connection
			return connection
		end)
end

--- A connection to any node that answers. Yields. Raises when there is none.
---@return skynet.db.redis.Connection connection
function Cluster:get_random_connection()
	local nodes = table.move(self.nodes, 1, #self.nodes, 1, {})
	for i = 1, #nodes do
		local other = math.random(i, #nodes)
		nodes[i], nodes[other] = nodes[other], nodes[i]
		local ok, connection = pcall(self.get_connection, self, nodes[i])
		if ok then
			local alive, reply = pcall(connection.ping, connection)
			if alive and reply == "PONG" then
				return connection
			end
			self.connections[nodes[i].name] = nil
			pcall(connection.disconnect, connection)
		end
	end
	error("Can't reach a single startup node.", 0)
end

local function replica_connection(self, node)
	if self.opt.read_slave and node.slaves and #node.slaves > 0 then
		local ok, connection = pcall(self.get_connection, self, node.slaves[math.random(#node.slaves)])
		if ok then
			connection:readonly()
			return connection
		end
	end
end

--- The connection to the node that has a slot; another one when it cannot be reached. Yields. Raises
--- when no node can be reached.
---@param slot integer
---@return skynet.db.redis.Connection connection
function Cluster:get_connection_by_slot(slot)
	local node = self.slots[slot]
	if node then
		local ok, connection = pcall(self.get_connection, self, node)
		connection = ok and connection or replica_connection(self, node)
		if connection then
			return connection
		end
	end
	return self:get_random_connection()
end

--- Closes all connections; they are opened again when needed. Yields.
function Cluster:close_all_connection()
	local connections = self.connections
	self.connections = {}
	for _, connection in pairs(connections) do
		pcall(connection.disconnect, connection)
	end
end

--- Closes all connections and ends the subscriptions. Yields.
function Cluster:close()
	self.closed = true
	self:close_all_connection()
	local watches = self.watches
	self.watches = {}
	for _, watch in pairs(watches) do
		pcall(watch.disconnect, watch)
	end
end

---------------------------------------------------------------- commands

-- Learns from an error reply. Returns the node to ask once, for "ASK"; true to try again; nil to give up.
local function follow(self, problem)
	local kind, slot, host, port = string.match(problem, "^(%u+) (%d+) (%S*):(%d+)$")
	if kind == "MOVED" or kind == "ASK" then
		slot = math.tointeger(tonumber(slot))
		if not is_slot(slot) then
			return nil
		end
		local node = { host = host, port = math.tointeger(tonumber(port)) }
		if kind == "ASK" then
			return node
		end
		node.slaves = self.slots[slot] and self.slots[slot].slaves
		name_of(node)
		self.slots[slot] = node
		self.stale = true
		return true
	elseif string.find(problem, "^TRYAGAIN") or string.find(problem, "^LOADING") then
		skynet.sleep(PAUSE)
		return true
	end
end

--- Sends a command. Yields.
---@param command string
---@param key any
---@param ... any more arguments
---@return any reply
function Cluster:call(command, key, ...)
	local arguments = type(key) == "table" and key or table.pack(key, ...)
	local method = string.lower(command)
	local deciding = key_of(self, method, arguments)
	if deciding == nil then
		error("No way to dispatch this command to Redis Cluster: " .. tostring(command), 0)
	end
	local slot = self:keyslot(deciding)
	if string.find(method, "subscribe$") then
		local watch = self:get_watch_connection_by_slot(slot)
		return watch[method](watch, table.unpack(arguments, 1, arguments.n))
	end
	if self.stale then
		self:initialize_slots_cache()
	end
	local asked, any_node, problem -- where the attempt before has pointed to, and why
	for attempt = 1, MAX_ATTEMPTS do
		local ok, reply = pcall(function()
			if asked then
				-- In one go, for nothing else may come between.
				local commands = { { "asking" }, { method, table.unpack(arguments, 1, arguments.n) } }
				return self:get_connection(asked):pipeline(commands)
			end
			local connection = any_node and self:get_random_connection() or self:get_connection_by_slot(slot)
			if arguments == key then
				return connection[method](connection, key)
			end
			return connection[method](connection, table.unpack(arguments, 1, arguments.n))
		end)
		if ok then
			return reply
		end
		asked, any_node, problem = nil, false, reply
		if reply == socketchannel.error then
			any_node = true
			self.stale = true
			if attempt > MAX_ATTEMPTS / 2 then
				skynet.sleep(PAUSE)
			end
		else
			local way = type(reply) == "string" and follow(self, reply)
			if not way then
				error(reply, 0)
			end
			asked = way ~= true and way or nil
		end
	end
	error(
		string.format("Too many Cluster redirections?,maybe node is disconnected (last error: %q)", tostring(problem)),
		0
	)
end

---------------------------------------------------------------- subscriptions

local function deliver(self, watch)
	while not self.closed do
		local ok, data, channel, pattern = pcall(watch.message, watch)
		if not ok then
			skynet.sleep(WATCH_PAUSE)
		elseif self.onmessage then
			local handled, problem = pcall(self.onmessage, data, channel, pattern)
			if not handled then
				skynet.error(problem)
			end
		end
	end
end

--- The connection that receives messages from a node. Yields. Raises when it fails.
---@param node { host: string, port: integer }
---@return skynet.db.redis.watch.Watch watch see skynet.db.redis.watch
function Cluster:get_watch_connection(node)
	local name = name_of(node)
	return self.watches[name]
		or shared(self.opening, "watch " .. name, function()
			local watch = redis.watch(settings(self, node))
			self.watches[name] = watch
			skynet.fork(deliver, self, watch)
			return watch
		end)
end

--- `get_watch_connection` of the node that has a slot. Yields.
---@param slot integer
---@return skynet.db.redis.watch.Watch watch see skynet.db.redis.watch
function Cluster:get_watch_connection_by_slot(slot)
	if not self.slots[slot] then
		self:initialize_slots_cache()
	end
	return self:get_watch_connection(assert(self.slots[slot], "no node has this slot"))
end

---------------------------------------------------------------- the module

-- What is not a method is a command.
local metatable = {
	__index = function(_, name)
		local method = Cluster[name]
		if not method then
			method = function(self, ...)
				return self:call(name, ...)
			end
			Cluster[name] = method
		end
		return method
	end,
}

--- Connects. Yields.
---
--- Fields of `opt`: auth, username, db, connect_timeout, request_timeout, max_reply (as for skynet.db.redis),
--- max_connections (256), read_slave: read from a replica when the node of a key cannot be reached.
---@param startup_nodes table[] some of the nodes, each { host =, port = }; or one
---@param opt table?
---@param onmessage? fun(data: string, channel: string, pattern: string?) for `subscribe` and `psubscribe`
---@return skynet.db.redis.cluster.Cluster cluster
function M.new(startup_nodes, opt, onmessage)
	assert(opt == nil or type(opt) == "table", "options of a cluster must be a table")
	if #startup_nodes == 0 then
		startup_nodes = { startup_nodes }
	end
	local self = setmetatable({
		startup_nodes = startup_nodes,
		opt = opt or {},
		connections = {}, -- by the name of the node
		opening = {},
		slots = {}, -- slot -> node
		nodes = {},
		stale = false, -- the slots have to be asked for again
		watches = {}, -- by the name of the node
		onmessage = onmessage or false,
		closed = false,
	}, metatable)
	self:initialize_slots_cache()
	return self
end

return M
