--- Which nodes a cluster has, and how that is known: by a file, or by an engine that the config key `cluster_discovery` names.
---
---     local discovery = require "skynet.cluster.discovery"
---     for name, node in pairs(discovery.nodes()) do print(name, node.address, node.stale) end

local skynet = require "skynet"
local subscription = require "skynet.cluster.subscription"

---@class skynet.cluster.discovery
local M = {}

local clusterd

local function ask(...)
	clusterd = clusterd or skynet.uniqueservice "clusterd"
	if skynet.call(clusterd, "lua", "discovery") then
		return true, subscription.ask("discovery", ...)
	end
	return false
end

--- The nodes. Yields; at first until the engine has answered, ten seconds at most.
---@return table<string, { address: string, zone: string?, stale: boolean }> nodes stale: as it was when the engine was there
function M.nodes()
	local found, _, nodes = ask("watch", "nodes", nil, nil)
	return found and nodes or skynet.call(clusterd, "lua", "nodes")
end

--- What discovery is doing. Yields.
---@return { kind: string, engine: string, state: string, age: integer, problem: string?, name: string?, nodes: integer } state
--- `state`: "joining" (nothing is known yet), "fresh", or "stale" (the engine is away, what it said last holds); `age`: for how
--- long it has not been fresh, in 1/100 s; `problem`: why; `name`: of this node
function M.state()
	local found, state = ask "state"
	if found then
		return state
	end
	local count = 0
	for _ in pairs(skynet.call(clusterd, "lua", "nodes")) do
		count = count + 1
	end
	return { kind = "file", engine = "file", state = "fresh", age = 0, nodes = count }
end

local nodes -- subscription

--- Has `func` called with the nodes, now and whenever they change, in a task of its own. Does not yield. Needs an engine.
---@param func fun(nodes: table<string, table>, state: string)
---@return fun() stop
function M.watch(func)
	nodes = nodes or subscription.new("discovery.watch", "nodes")
	return subscription.watch(nodes, func)
end

--- Takes this node out of the cluster at once: its names, its locks and its address end, and calls to it fail when the others
--- have heard. What it asks of others goes on. It happens by itself when the node ends in order. `cluster.open` puts it back, with
--- its names. Yields.
function M.leave()
	ask "leave"
end

return M
