-- Where the nodes of the cluster are, what they have to offer, and who may do what alone, by an engine that the config key
-- `cluster_discovery` names. Tells clusterd the addresses; everybody else asks by skynet.cluster.discovery, .names, .lock and
-- .values.
--
-- Config keys: cluster_discovery (see skynet.cluster.url), cluster_name (of this node), cluster_zone, cluster_lease (seconds until
-- a node that is silent is gone), cluster_discovery_ca, cluster_discovery_cert, cluster_discovery_key (files, for TLS).

local skynet = require "skynet"
local crypt = require "skynet.crypt"
local awake = require "skynet.internal.awake"
local json = require "skynet.internal.json"
local respawn = require "skynet.internal.respawn"
local keepers = require "skynet.cluster.keeper"
local publishing = require "skynet.cluster.publications"
local ratelimit = require "skynet.internal.ratelimit"
local registries = require "skynet.cluster.registry"
local tenures = require "skynet.cluster.tenure"
local topics = require "skynet.cluster.topics".new()
local url = require "skynet.cluster.url"

local clusterd = math.tointeger((...))

local LEASE <const>, LEAST_LEASE <const> = 10, 2 -- seconds
local FIRST_STATE <const> = 1000 -- 1/100 s that calls to nodes wait for the first state
local TICK <const> = 100
local POLL <const> = 6000 -- 1/100 s until who waits for news is answered that there are none
local DRAIN <const> = 50 -- 1/100 s between taking back names and leaving
local NODE_LINES <const> = 100 -- of the log, in ten seconds, of nodes that come, go and move
-- Nodes that have left are forgotten after so many 1/100 s; of more than so many, those that have left first after a shorter time. Each
-- has a service that sends to it, if it was called.
local FORGET <const>, MOST_LEFT <const>, FORGET_MANY <const> = 60000, 16, 3000

local our_name, our_zone = skynet.getenv "cluster_name", skynet.getenv "cluster_zone"
local boot = crypt.hexencode(crypt.randomkey())
local escape = registries.escape
local description = url.parse(skynet.getenv "cluster_discovery" or "file")
local lease = math.max(LEAST_LEASE, math.tointeger(tonumber(skynet.getenv "cluster_lease")) or LEASE)

local provider, keeper, tenure
local state, since, problem = "joining", skynet.now(), nil
local losses = 0 -- times that the engine was lost
local replaced = false -- another process has taken this node's name
local our_node -- key of this node's entry, once it has joined
local is_draining = false

local publications = publishing.new(clusterd, our_name, boot)

local function log(text, ...)
	skynet.error(string.format("cluster discovery (%s): ", description.shown) .. string.format(text, ...))
end

---------------------------------------------------------------- what is known

local changed = {} -- nodes that clusterd has not been told of
local telling = false
local left_at = {} -- node -> when it has left

local registry

local function tell_clusterd()
	if not telling then
		return
	end
	telling = false
	local list = {}
	for name in pairs(changed) do
		local record = registry.nodes[name]
		list[name] = record and record.address or false
	end
	changed = {}
	skynet.send(clusterd, "lua", "discovered", list, state ~= "joining")
end

local function tell_soon()
	if not telling then
		telling = true
		skynet.fork(tell_clusterd)
	end
end

local node_lines = ratelimit(NODE_LINES, 1000)

local function log_node(text, ...)
	local more = node_lines()
	if more then
		log("%s%s", string.format(text, ...), more)
	end
end

local function watch_own_node(former, record)
	-- What is there at first may be the process before this one.
	if former and former.boot == boot and record and record.boot ~= boot then
		replaced, publications.is_taken = true, true
		for key in pairs(keeper.entries) do
			keeper:disown(key)
		end
		log("node [%s] is now another process, at %s; this one keeps out of it", our_name, record.address)
	end
end

local function on_node(name, former, record)
	changed[name] = true
	tell_soon()
	if name == our_name and our_node and not replaced then
		watch_own_node(former, record)
	end
	left_at[name] = not record and skynet.now() or nil
	topics:change("nodes", true)
	if state == "joining" then
		return -- they all come at once
	elseif not record then
		log_node("node [%s] (%s) has left", name, former.address)
	elseif not former then
		log_node("node [%s] has joined at %s", name, record.address)
	elseif former.address ~= record.address then
		log_node("node [%s] has moved from %s to %s", name, former.address, record.address)
	elseif former.boot ~= record.boot then
		log_node("node [%s] (%s) is another process", name, record.address)
	end
end

registry = registries.new {
	node = on_node,
	name = function(name)
		topics:change("name:" .. name, registry.names[name] ~= nil)
	end,
	value = function(key, text)
		topics:change("value:" .. key, text ~= nil)
	end,
}

local function enter(new_state)
	state, since = new_state, skynet.now()
	topics:change("state", true)
end

-- What the engine of discovery tells.
local sink = {
	put = function(key, text)
		registry:put(key, text)
	end,
}

function sink.delete(key)
	registry:delete(key)
	if keeper and not replaced then
		keeper:restore(key)
	end
end

function sink.snapshot(entries, lineage)
	local missing = registry:snapshot(entries, lineage, skynet.now() + 2 * lease * 100)
	if missing > 0 then
		log("the engine is another one, or empty; %d entries that it has not stay for %d s", missing, 2 * lease)
	end
	if keeper then
		for key in pairs(keeper.entries) do
			if not entries[key] then
				keeper:restore(key)
			end
		end
	end
end

-- The engine is not well: see skynet.cluster.registry.
function sink.doubt()
	registry:doubt(skynet.now() + 2 * lease * 100)
end

-- The engine has answered, or cannot be reached: until then nobody can tell which.
local function start_keeper()
	if keeper and not keeper.started then
		keeper.started = true
		respawn(keeper.run, keeper)
	end
end

-- All is known, as it is now.
function sink.fresh(where)
	start_keeper()
	if state == "fresh" then
		return
	end
	local former, time = state, skynet.now() - since
	if former == "stale" and not provider.tells_doubt then
		sink.doubt()
	end
	enter "fresh"
	problem = nil
	tell_soon()
	if former == "joining" then
		log("connected to %s, %d nodes are known", where, registry.node_count)
	else
		log("connected to %s again after %.2f s, %d nodes are known", where, time / 100, registry.node_count)
	end
end

function sink.lost(why)
	start_keeper()
	problem = why
	if state == "fresh" then
		losses = losses + 1
		enter "stale"
		log("lost: %s. What is known stays: %d nodes", why, registry.node_count)
	elseif state == "joining" and not sink.told then
		sink.told = true
		log("not reached yet: %s", why)
	end
end

function sink.lease_lost()
	if keeper:is_in_time() then
		sink.doubt()
	end
	log "our lease has ended, another one is taken"
	tenure:lose_all "the lease has ended"
end

---------------------------------------------------------------- what this node offers

local function needs_name(what)
	if not provider.writes then
		error(string.format("%s: discovery by %s only reads; use etcd:// or redis://", what, description.kind), 0)
	elseif not our_name then
		error(what .. ": this node has no name; set cluster_name in the config", 0)
	elseif is_draining and what == "cluster.publish" then
		error("cluster.publish: this node drains", 0)
	elseif replaced then
		error(string.format("%s: another process has taken the name [%s] of this node", what, our_name), 0)
	end
end

local command = {}

--- join address: this node listens there, and what it has published is known again. DNS has its own idea of that.
function command.join(_, address)
	is_draining = false
	if provider.writes then
		needs_name "cluster.open"
		our_node = "nodes/" .. escape(our_name)
		provider.needs_lease = true
		publications:put_back(keeper)
		return keeper:set(our_node, json.encode { address = address, boot = boot, zone = our_zone })
	else
		return true
	end
end

--- publish name, handle, tags, load -> id, stored, problem
function command.publish(source, name, handle, tags, load)
	needs_name "cluster.publish"
	provider.needs_lease = true
	return publications:add(keeper, name, handle or source, tags, load)
end

--- change id, tags, load: other tags, or another load -> stored, problem
function command.change(_, id, tags, load)
	return publications:change(keeper, id, tags, load)
end

--- withdraw id
function command.withdraw(_, id)
	return publications:withdraw(keeper, id)
end

---------------------------------------------------------------- what others ask

--- state -> table for skynet.cluster.discovery
function command.state()
	return {
		kind = description.kind,
		engine = description.shown,
		state = state,
		age = state == "fresh" and 0 or skynet.now() - since,
		problem = problem,
		name = our_name,
		nodes = registry.node_count,
		replaced = replaced or nil,
	}
end

local tellers = {
	name = function(name)
		return registry:instances(name)
	end,
	value = function(key)
		return registry:value(key)
	end,
	nodes = function()
		local list = {}
		for name, record in pairs(registry.nodes) do
			list[name] = {
				address = record.address,
				zone = record.zone,
				stale = state ~= "fresh" or registry.doubtful["nodes/" .. escape(name)] ~= nil,
			}
		end
		return list
	end,
}

--- watch kind, what, version -> version, what there is now, state; answers when the version is another one, or after a minute
function command.watch(_, kind, what, version)
	local topic = what and kind .. ":" .. what or kind
	if state == "joining" and not version then
		topics:wait("state", topics:version "state", FIRST_STATE)
	end
	if version then
		topics:wait(topic, version, POLL)
	end
	tell_clusterd() -- who hears of a node can call it
	return topics:version(topic), tellers[kind](what), state, our_name, boot
end

--- set_value key, text
function command.set_value(_, key, text)
	if not provider.writes then
		error(string.format("values: discovery by %s only reads; use etcd:// or redis://", description.kind), 0)
	end
	if text then
		provider:store_for_good("config/" .. key, text)
	else
		provider:erase("config/" .. key)
	end
	return true
end

local function needs_agreement()
	if not provider.agrees then
		error(
			string.format(
				"skynet.cluster.lock: locks and elections need servers that agree, which %s has not; use etcd://",
				description.kind
			),
			0
		)
	end
end

--- can_agree: fails when there are no locks
function command.can_agree()
	needs_agreement()
	return true
end

--- acquire name, time -> id, fencing number; or nil, why not
function command.acquire(source, name, time)
	needs_agreement()
	provider.needs_lease = true
	local holder = string.format("%s %s", our_name or "a node without a name", skynet.address(source))
	local ready, why = keeper:await_lease()
	if not ready then
		return nil, why
	end
	local key, number = provider:acquire(escape(name), holder, skynet.now() + time)
	if not key then
		return nil, number
	end
	return tenure:begin(source, name, key, number)
end

--- holds id -> whether that is certain at this moment
function command.holds(_, id)
	return tenure:holds(id)
end

--- lost id -> why; answers when it is lost or released
function command.lost(_, id)
	return tenure:wait(id)
end

--- release id
function command.release(_, id)
	return tenure:finish(id)
end

--- figures -> for the metrics
function command.figures()
	local names = 0
	for _ in pairs(registry.names) do
		names = names + 1
	end
	return {
		fresh = state == "fresh" and 1 or 0,
		stale_seconds = state == "fresh" and 0 or (skynet.now() - since) / 100,
		nodes = registry.node_count,
		names = names,
		losses = losses,
		locks = tenure.count,
	}
end

--- leave: what this node has told ends
function command.leave()
	if keeper then
		publications:left()
		local keys = {}
		for key in pairs(keeper.entries) do
			keys[#keys + 1] = key
		end
		our_node, keeper.entries, keeper.gone = nil, {}, {}
		tenure:lose_all "the node leaves"
		provider:leave(keys)
	end
	return true
end

---------------------------------------------------------------- the whole

local function forget_nodes()
	local names, now = {}, skynet.now()
	for name in pairs(left_at) do
		names[#names + 1] = name
	end
	table.sort(names, function(a, b)
		return left_at[a] > left_at[b] -- the last one that has left is the first
	end)
	for place, name in ipairs(names) do
		if now - left_at[name] >= (place > MOST_LEFT and FORGET_MANY or FORGET) then
			left_at[name] = nil
			skynet.send(clusterd, "lua", "forget", name)
		end
	end
end

local function sweep()
	publications:sweep(keeper)
	tenure:sweep()
	registry:settle(skynet.now())
	forget_nodes()
end

--- withdraw_all -> how many: nobody chooses the services here any more; until this node listens again
function command.withdraw_all()
	is_draining = true
	return publications:take_out(keeper)
end

-- The node ends in order: first nobody chooses its services any more, and what they were asked is answered; then it leaves.
local function retire()
	local ok, has_drained = pcall(skynet.call, clusterd, "lua", "ending")
	if not (ok and has_drained) and next(publications.entries) ~= nil then
		command.withdraw_all()
		skynet.sleep(DRAIN)
	end
	command.leave()
end

-- Whether it went well, and the values; or why not: in the words that the caller raises.
local function run(source, name, ...)
	local func = command[name]
	if not func then
		return false, "unknown command " .. tostring(name)
	end
	return pcall(func, source, ...)
end

local function start()
	local kinds = require("skynet.cluster.provider." .. description.kind)
	provider = kinds.new(description, {
		lease = lease,
		sink = sink,
		files = {
			ca = skynet.getenv "cluster_discovery_ca",
			cert = skynet.getenv "cluster_discovery_cert",
			key = skynet.getenv "cluster_discovery_key",
		},
	})
	keeper = provider.writes and keepers.new(provider) or nil
	provider.keeper = keeper
	tenure = tenures.new(keeper)
	respawn(awake.run)
	respawn(provider.run, provider)
	if keeper then
		skynet.on_shutdown(retire)
	end
	respawn(function()
		while true do
			skynet.sleep(TICK)
			sweep()
		end
	end)
	skynet.timeout(FIRST_STATE, function()
		if state == "joining" then
			skynet.send(clusterd, "lua", "discovered", {}, true, problem or "it has not answered")
		end
	end)
end

skynet.start(function()
	start()
	skynet.dispatch("lua", function(_, source, name, ...)
		skynet.retpack(run(source, name, ...))
	end)
	skynet.info_func(function()
		return { state = state, engine = description.shown, problem = problem, nodes = registry.node_count }
	end)
end)
