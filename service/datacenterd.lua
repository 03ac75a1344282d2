-- DATACENTER: a tree of values that all nodes share, for skynet/datacenter.lua.

local skynet = require "skynet"

local root = {}
local waiting = {} -- the same tree: a path leads to { responses = { ... } }

local command = {}

--- QUERY key... -> value | nil
function command.QUERY(...)
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

local function each_response(node, action)
	for _, respond in ipairs(node.responses or {}) do
		action(respond)
	end
	for _, child in pairs(node.children or {}) do
		each_response(child, action)
	end
end

local function waiting_node(path, create)
	local node = waiting
	for i = 1, path.n do
		local children = node.children
		if not children then
			if not create then
				return nil
			end
			children = {}
			node.children = children
		end
		local child = children[path[i]]
		if not child then
			if not create then
				return nil
			end
			child = {}
			children[path[i]] = child
		end
		node = child
	end
	return node
end

local function wake(path, value)
	local node = waiting_node(path)
	if not node then
		return
	end
	local responses, children = node.responses, node.children
	node.responses, node.children = nil, nil
	for _, respond in ipairs(responses or {}) do
		respond(true, value)
	end
	-- Who waits for something below a value that is set now would wait for ever.
	each_response({ children = children }, function(respond) respond(false) end)
end

--- UPDATE key..., value -> previous value
function command.UPDATE(...)
	local path = table.pack(...)
	local value = path[path.n]
	path.n = path.n - 1
	local parent = descend(root, path, path.n - 1)
	local key = path[path.n]
	local previous = parent[key]
	parent[key] = value
	if previous == nil and value ~= nil then
		wake(path, value)
	end
	return previous
end

--- WAIT key... -> value, as soon as there is one
local function wait_for(...)
	local value = command.QUERY(...)
	if value ~= nil then
		return skynet.retpack(value)
	end
	local node = waiting_node(table.pack(...), true)
	node.responses = node.responses or {}
	table.insert(node.responses, skynet.response())
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
