--- What `cluster.publish` and `cluster.call_name` return and take: services that are found by names which are not bound to a node.

local NOT_SENT <const> = require "skynet.internal.clusternotsent"
local skynet = require "skynet"
local cluster = require "skynet.cluster" -- which asks for this module when it needs it
local choice = require "skynet.cluster.choice"
local given = require "skynet.internal.given"
local respawn = require "skynet.internal.respawn"
local ratelimit = require "skynet.internal.ratelimit"
local subscription = require "skynet.cluster.subscription"

-- What may wait while a name is looked up for the first time.
local MAX_WAITING <const> = 65536
local MANY_NAMES <const> = 1024 -- beyond which those are forgotten that nobody uses
-- When nothing was sent, as to a node that ends: so often, and no longer to the same one, as nobody answers where a cable is cut; 1/100 s.
local MOST_TRIES <const>, PAUSE <const>, LONGEST_OF_ONE <const> = 20, 10, 200
local TRIES <const> = 3 -- services that are tried when there is no way to the first one
local LOOK_AGAIN <const> = 50 -- 1/100 s after which a node that was down is asked for its state again
local LONGEST_OUT <const> = 6000 -- 1/100 s after which it is tried again in any case

local limit = ratelimit(10, 100) -- lines about messages that are lost

---@class skynet.cluster.names.Instance
---@field node string
---@field address string|integer for `cluster.call`
---@field tags table<string, string>?
---@field load number?
---@field zone string? of its node
---@field here boolean whether it is on this node
---@class skynet.cluster.names.Publication
---@field problem string? why the engine does not know it yet
---@field id integer
local Publication = {}
Publication.__index = Publication

local M = {}

local function tell(publication, stored, problem)
	publication.problem = not stored and problem or nil
	return stored
end

--- Changes the tags, or the load. Yields.
---@param what { tags: table<string, string>?, load: number? }
---@return boolean stored false: the engine is away, and gets it when it is back
function Publication:change(what)
	return tell(self, subscription.ask("cluster.publish", "change", self.id, what.tags, what.load))
end

--- Ends it. Yields.
function Publication:withdraw()
	subscription.ask("cluster.publish", "withdraw", self.id)
end

-- What is known of where this node and its peers are: what waits for each service, and nodes that do not answer.
local here = { waiting = {}, zone = skynet.getenv "cluster_zone" }
local down = {} -- node -> when its state was asked for

function here.is_down(node)
	return down[node] ~= nil
end

local function is_up(node)
	local ok, sender = pcall(cluster.get_sender, node)
	if not ok then
		return false
	end
	local found, status = pcall(skynet.call, sender, "lua", "status")
	return found and (status == "up" or status == "idle")
end

-- Leaves a node out until its connection stands again, or so long that it is tried again.
local function leave_out(node)
	repeat
		skynet.sleep(LOOK_AGAIN)
	until skynet.now() - down[node] > LONGEST_OUT or is_up(node)
	down[node] = nil
end

-- A request to a node has failed: is it the node that is away? Yields.
local function suspect(node)
	if not down[node] and not is_up(node) and not down[node] then
		down[node] = skynet.now()
		skynet.fork(leave_out, node)
	end
end

local function no_service(wanted, instances)
	local tags = wanted.tags and next(wanted.tags) and " with these tags" or ""
	local known = #instances > 0 and string.format("; there are %d without them", #instances) or ""
	return string.format("no service of the cluster has the name %q%s%s", wanted.name, tags, known)
end

local known, known_count = {}, 0 -- name -> subscription

local function convert(list, former, _, our_boot)
	choice.follow(list, former)
	for _, instance in ipairs(list) do
		-- The handle means something in this process only, which the address names.
		instance.here = string.find(instance.address, "@~" .. our_boot .. ".", 1, true) == 1
	end
	return list
end

-- Makes room: names that nobody has asked for in a while.
local function forget_unused()
	for name, entry in pairs(known) do
		if not subscription.is_used(entry) and not entry.line then
			known[name] = nil
			known_count = known_count - 1
		end
	end
end

local function topic(name)
	local entry = known[name]
	if not entry then
		if known_count >= MANY_NAMES then
			forget_unused()
		end
		entry = subscription.new("cluster.call_name", "name", name, convert)
		known[name], known_count = entry, known_count + 1
	end
	return entry
end

-- Those of a name that have the tags; lists are kept, for the rings in them.
local function instances_of(wanted)
	local all = subscription.value(topic(wanted.name))
	return choice.tagged(all, wanted.tags), all
end

local function choose(wanted)
	local list, all = instances_of(wanted)
	local instance = choice.choose(list, wanted, here)
	if not instance then
		error(no_service(wanted, all), 0)
	end
	return instance
end

local function waits_for(instance, by)
	local count = (here.waiting[instance.key] or 0) + by
	here.waiting[instance.key] = count > 0 and count or nil
end

local function finish(instance, ok, ...)
	waits_for(instance, -1)
	if ok then
		return ...
	end
	if not instance.here then
		skynet.fork(suspect, instance.node)
	end
	error((...), 0)
end

-- One to which there is a way. Nothing has been sent yet, so another one is no repetition.
local function reachable(wanted)
	local problem
	for _ = 1, TRIES do
		local instance = choose(wanted)
		if instance.here then
			return instance
		end
		local ok, why = pcall(cluster.get_sender, instance.node)
		if ok then
			return instance
		end
		problem = why
		suspect(instance.node)
		if wanted.by == "key" then
			break -- no other one will do
		end
	end
	error(problem, 0)
end

-- Asks a service of another node. Returns the values of the answer, or NOT_SENT alone.
local function ask(instance, ...)
	local sender = cluster.get_sender(instance.node)
	local msg, sz = given.pack(...)
	return skynet.call(sender, "lua", "req", instance.address, msg, sz, true)
end

local function call(wanted, ...)
	local former, since
	for _ = 1, MOST_TRIES do
		local instance = reachable(wanted)
		waits_for(instance, 1)
		if instance.here then
			return finish(instance, pcall(skynet.call, instance.handle, "lua", ...))
		end
		local result = table.pack(finish(instance, pcall(ask, instance, ...)))
		if result[1] ~= NOT_SENT then
			return table.unpack(result, 1, result.n)
		end
		-- Its node ends, or there is no way to it any more: another one, or the same when the news has come who takes its place.
		suspect(instance.node)
		if former ~= instance.node then
			former, since = instance.node, skynet.now()
		elseif skynet.now() - since >= LONGEST_OF_ONE then
			break
		else
			skynet.sleep(PAUSE)
		end
	end
	error(
		string.format(
			"no node takes what is asked of %q: the last one, [%s], ends or cannot be reached",
			wanted.name,
			former
		),
		0
	)
end

-- In a task of its own: whatever it waits for, a lookup, a connection or the answer, the caller does not wait longer.
local function call_within(wanted, ...)
	local result
	local arguments, token = table.pack(...), {}
	skynet.fork(function()
		result = table.pack(pcall(call, wanted, table.unpack(arguments, 1, arguments.n)))
		skynet.wakeup(token)
	end)
	skynet.sleep(wanted.time, token)
	if not result then
		error(string.format("call timeout: %q has not answered in %.2f s", wanted.name, wanted.time / 100), 0)
	elseif not result[1] then
		error(result[2], 0)
	end
	return table.unpack(result, 2, result.n)
end

function M.call(name, ...)
	local wanted = choice.wanted(name)
	return (wanted.time and call_within or call)(wanted, ...)
end

local function send_to(instance, ...)
	if instance.here then
		skynet.send(instance.handle, "lua", ...)
	else
		cluster.send(instance.node, instance.address, ...)
	end
end

-- Sends what has waited for the name, in order.
local function send_waiting(entry)
	local ok, problem = pcall(subscription.value, entry)
	local list, lost = entry.line, entry.line.dropped
	entry.line = nil
	for _, item in ipairs(list) do
		local instance = ok and choice.choose(choice.tagged(entry.value, item.wanted.tags), item.wanted, here)
		if instance then
			send_to(instance, skynet.unpack(item.packed))
		else
			lost = lost + 1
		end
	end
	local more = lost > 0 and limit()
	if more then
		local why = ok and "nobody has it" or problem
		skynet.error(string.format("cluster: %d messages to the name %q are lost: %s%s", lost, entry.topic, why, more))
	end
end

function M.send(name, ...)
	local wanted = choice.wanted(name)
	local entry = topic(wanted.name)
	if entry.version and not entry.line then
		entry.used = skynet.now()
		local instance = choice.choose(choice.tagged(entry.value, wanted.tags), wanted, here)
		if instance then
			return send_to(instance, ...)
		end
	end
	if not entry.line then
		entry.line = { dropped = 0 }
		respawn(send_waiting, entry)
	end
	if #entry.line < MAX_WAITING then
		table.insert(entry.line, { wanted = wanted, packed = skynet.packstring(...) })
	else
		entry.line.dropped = entry.line.dropped + 1
	end
end

function M.find(name)
	return (instances_of(choice.wanted(name)))
end

function M.watch(name, func)
	local wanted = choice.wanted(name)
	return subscription.watch(topic(wanted.name), function(list, state)
		func(choice.tagged(list, wanted.tags), state)
	end)
end

local function check_publication(name, tags, load)
	assert(type(name) == "string" and name ~= "", "a service is published under a name")
	assert(tags == nil or type(tags) == "table", "tags are a table")
	assert(load == nil or type(load) == "number", "the load is a number")
end

--- See `cluster.publish`.
function M.publish(name, options)
	check_publication(name, options.tags, options.load)
	local id, stored, problem =
		subscription.ask("cluster.publish", "publish", name, options.handle, options.tags, options.load)
	local publication = setmetatable({ id = id }, Publication)
	tell(publication, stored, problem)
	return publication
end

return M
