-- Keeps the channels of a node. The low byte of a channel's number is the harbor id of the node that
-- made it; that node, the owner, gets everything that is published on it, and sends it to its own
-- subscribers and to the nodes that have some.
--
-- Messages: on this node a pointer to one shared package, with a count of those that will close it;
-- between nodes the plain bytes (PTYPE_MULTICAST, the session is the channel's number).

local skynet = require "skynet"
local core = require "skynet.multicast.core"
local datacenter = require "skynet.datacenter"

local this_node = skynet.harbor(skynet.self())

-- number -> { members = { [service] = true }, count = of members, nodes = { [harbor id] = true } | nil }
local channels = {}
local next_number = this_node
local managers = {} -- harbor id -> its multicastd
local command = {}
local NO_ANSWER = {}

local function owner_of(number)
	return number % 256
end

local function manager_of(node)
	managers[node] = managers[node] or assert(datacenter.get("multicast", node))
	return managers[node]
end

local function new_channel()
	return { members = {}, count = 0 }
end

--- NEW -> number
function command.NEW()
	while channels[next_number] do
		next_number = core.nextid(next_number)
	end
	local number = next_number
	channels[number] = new_channel()
	next_number = core.nextid(number)
	return number
end

--- From the owner: the channel is gone.
function command.DELR(_, number)
	channels[number] = nil
	return NO_ANSWER
end

function command.DEL(_, number)
	local owner = owner_of(number)
	if owner ~= this_node then
		skynet.send(manager_of(owner), "lua", "DEL", number)
		return NO_ANSWER
	end
	local channel = channels[number]
	channels[number] = nil
	for node in pairs(channel and channel.nodes or {}) do
		skynet.send(manager_of(node), "lua", "DELR", number)
	end
	return NO_ANSWER
end

local function remove_member(number, service)
	local channel = channels[number]
	if not channel or not channel.members[service] then
		return
	end
	channel.members[service] = nil
	channel.count = channel.count - 1
	local owner = owner_of(number)
	if channel.count == 0 and owner ~= this_node then
		channels[number] = nil
		skynet.send(manager_of(owner), "lua", "USUBR", number)
	end
end

-- Sends a package to the subscribers of this node. Consumes it.
local function deliver(number, channel, source, package, size)
	local count = channel and channel.count or 0
	if count == 0 then
		core.close(core.bind(package, 1))
		return
	end
	local message = skynet.tostring(package, size)
	local shared = core.bind(package, count)
	local dead
	for service in pairs(channel.members) do
		if skynet.redirect(service, source, "multicast", number, message) == nil then
			core.close(shared)
			dead = dead or {}
			table.insert(dead, service)
		end
	end
	for _, service in ipairs(dead or {}) do
		remove_member(number, service)
	end
end

local function publish(number, source, package, size)
	local channel = channels[number]
	if channel and channel.nodes then
		local _, msg, sz = core.unpack(package, size)
		local bytes = skynet.tostring(msg, sz)
		for node in pairs(channel.nodes) do
			skynet.redirect(manager_of(node), source, "multicast", number, bytes)
		end
	end
	deliver(number, channel, source, package, size)
end

--- PUB number, package, size: from a service of this node.
function command.PUB(source, number, package, size)
	assert(skynet.harbor(source) == this_node)
	local owner = owner_of(number)
	if owner == this_node then
		publish(number, source, package, size)
	else
		skynet.redirect(manager_of(owner), source, "multicast", number, core.remote(package))
	end
end

--- From another node, which has subscribers of a channel of this node. -> true when there is no such channel
function command.SUBR(source, number)
	local channel = channels[number]
	if not channel then
		return true
	end
	local node = skynet.harbor(source)
	assert(node ~= this_node and owner_of(number) == this_node)
	channel.nodes = channel.nodes or {}
	channel.nodes[node] = true
end

--- SUB number: the sender subscribes.
function command.SUB(source, number)
	local owner = owner_of(number)
	if owner ~= this_node and not channels[number] then
		if skynet.call(manager_of(owner), "lua", "SUBR", number) then
			return -- no such channel
		end
		channels[number] = channels[number] or new_channel()
	end
	local channel = channels[number]
	if channel and not channel.members[source] then
		channel.members[source] = true
		channel.count = channel.count + 1
	end
end

--- From another node, which has no subscribers any more.
function command.USUBR(source, number)
	local node = skynet.harbor(source)
	assert(node ~= this_node)
	local channel = channels[number]
	if channel and channel.nodes then
		channel.nodes[node] = nil
	end
	return NO_ANSWER
end

--- USUB number: the sender's subscription ends.
function command.USUB(source, number)
	assert(channels[number], "no such channel")
	remove_member(number, source)
	return NO_ANSWER
end

-- From another node: published there on a channel of this node, or by the owner of a channel for the subscribers here.
skynet.register_protocol {
	name = "multicast",
	id = skynet.PTYPE_MULTICAST,
	unpack = core.packremote,
	dispatch = function(number, source, package, size)
		skynet.ignoreret()
		publish(number, source, package, size)
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function(_, source, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		local result = run(source, ...)
		if result ~= NO_ANSWER then
			skynet.retpack(result)
		end
	end)
	assert(datacenter.set("multicast", this_node, skynet.self()) == nil)
end)
