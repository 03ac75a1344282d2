-- DATACENTER: a tree of values that all nodes share, for skynet/datacenter.lua.

local skynet = require "skynet"

local root = {}
local waiting = {} -- the root of the paths that services wait for

local command = {}

--- QUERY key... -> value | nil, no value when the first key leads nowhere
function command.QUERY(...)
	if root[(...)] == nil then
		return
	end
	local node = root
	for i = 1, select("#", ...) do
		local key = select(i, ...)
		if node == nil or key == nil then
			break
		end
		node = node[key]
	end
	return node
end

-- Walks down a path of keys, adding tables as it needs them.
local function descend(tree, path, depth)
	for i = 1, depth do
		local child = tree[path[i]]
		if child == nil then
			child = {}
			tree[path[i]] = child
		end
		tree = child
	end
	return tree
end

-- Who waits for a path: { responses = { ... }, children = { [key] = ... } }
local function wait_at(path)
	local node = waiting
	for i = 1, path.n do
		node.children = node.children or {}
		local child = node.children[path[i]] or {}
		node.children[path[i]] = child
		node = child
	end
	node.responses = node.responses or {}
	table.insert(node.responses, skynet.response())
end

local function answer(node, ...)
	local responses = node.responses
	node.responses = nil
	for _, respond in ipairs(responses or {}) do
		respond(...)
	end
end

-- `node`'s path has a value now: its waiters get it, and those below it if it is a branch.
local function deliver(node, value)
	answer(node, true, value)
	for key, child in pairs(node.children or {}) do
		if type(value) == "table" and value[key] ~= nil then
			deliver(child, value[key])
		end
	end
end

local function wake(path, value)
	local node = waiting
	for i = 1, path.n do
		node = node.children and node.children[path[i]]
		if not node then
			return
		elseif i < path.n then
			answer(node, false) -- a branch, not a value
		end
	end
	deliver(node, value)
end

--- UPDATE key..., value -> previous value, no value when a new one is set. A key alone removes its value.
function command.UPDATE(...)
	local path = table.pack(...)
	local value
	if path.n > 1 then
		value = path[path.n]
		path.n = path.n - 1
	end
	assert(path[path.n] ~= nil, "a path of keys and a value")
	local parent = descend(root, path, path.n - 1)
	local key = path[path.n]
	local previous = parent[key]
	parent[key] = value
	if previous ~= nil or value == nil then
		return previous
	end
	wake(path, value)
end

--- WAIT key... -> value, as soon as there is one
local function wait_for(...)
	local value = command.QUERY(...)
	if value ~= nil then
		return skynet.retpack(value)
	end
	assert(... ~= nil, "a path of keys")
	wait_at(table.pack(...))
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		if name == "WAIT" then
			return wait_for(...)
		end
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		skynet.retpack(run(...))
	end)
end)
