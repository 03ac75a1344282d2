--- The other nodes of the cluster, for clusterd: where they are, and the services that send to them: one for each connection, of
--- which there is one for a node, unless the option `__connections` wants more.
---
---     nodes.set_address("db", "10.0.0.1:2528") -- false: it is down
---     local sender = nodes.sender("db", source)

local skynet = require "skynet"
require "skynet.manager"
local core = require "skynet.cluster.core"
local alive = require "skynet.internal.alive"
local defer = require "skynet.internal.defer"

local MOST_CONNECTIONS <const> = 64 -- to a node
local FIGURES_PATIENCE <const> = 50 -- 1/100 s
local LATER <const> = 1000 -- 1/100 s until a node that is called just now may be forgotten

local our_name = core.nodename()

local M = {
	options = {},
	searching = nil, -- what to say of unknown nodes while discovery knows nothing yet: true, or why not; nil: it knows
	has_discovery = false,
	sender_options = nil, -- function -> options for clustersenders
}

-- Name -> { name, address, lanes }. A lane is a connection to it: { node, number, sender, connected_to = address the sender was
-- told, busy, unknown }.
local nodes = {}

M.all = nodes

local function node_of(name)
	local node = nodes[name]
	if not node then
		node = { name = name, lanes = {} }
		nodes[name] = node
	end
	return node
end

local function lane_of(node, number)
	local lane = node.lanes[number]
	if not lane then
		lane = { node = node, number = number }
		node.lanes[number] = lane
	end
	return lane
end

-- Tells the sender where its node is now. Raises when it cannot connect.
local function tell_sender(lane, address)
	local name = lane.node.name
	if not address then
		-- Nobody has to wait for this. So an address that comes right after it is told behind it, and what is asked after that
		-- one does not meet a sender that still has to close.
		if lane.sender then
			skynet.send(lane.sender, "lua", "changenode", false, nil, M.sender_options())
		end
		return
	end
	if not lane.sender then
		lane.sender = skynet.newservice("clustersender", name, our_name, address)
	end
	if not pcall(skynet.call, lane.sender, "lua", "changenode", address, nil, M.sender_options()) then
		error(string.format("changenode [%s] (%s) failed", name, address))
	end
end

local function forget_waiting(lane)
	lane.unknown = nil
end

local function wait_until_known(lane)
	skynet.error("Waiting for cluster node [" .. lane.node.name .. "]")
	lane.unknown = coroutine.running()
	local _ <close> = defer(forget_waiting, lane)
	skynet.wait(lane.unknown)
end

-- Its sender was killed: the next one connects anew.
local function forget_dead_sender(lane)
	if lane.sender and not alive(lane.sender) then
		skynet.error(
			string.format(
				"cluster node [%s]: its sender %s is gone, another one is started",
				lane.node.name,
				skynet.address(lane.sender)
			)
		)
		lane.sender, lane.connected_to = nil, nil
	end
end

-- One try to bring the sender in line with the node's address.
local function settle_once(lane)
	local node, nowaiting = lane.node, M.options.nowaiting
	local waits = not nowaiting
	if M.has_discovery then
		waits = M.searching == true or nowaiting == false
	end
	if node.address == nil and waits then
		wait_until_known(lane)
	end
	local address = node.address
	if address == nil then
		local why = M.searching
		local more = type(why) == "string" and " Discovery knows no node yet: " .. why or ""
		error(string.format("cluster node [%s] is absent.%s", node.name, more))
	end
	lane.connected_to = nil
	tell_sender(lane, address)
	lane.connected_to = address
end

-- The work on a connection has ended, well or not, or its task was killed: then another one does it.
local Busy = {
	__close = function(busy)
		busy.lane.busy = nil
		for _, task in ipairs(busy) do
			skynet.wakeup(task)
		end
	end,
}

-- One task at a time works on a connection, the others wait for it. Both return why it failed, if it did.
local function work_on(lane)
	local busy <close> = setmetatable({ lane = lane }, Busy)
	lane.busy = busy
	local ok, problem = pcall(settle_once, lane)
	busy.problem = not ok and problem or nil
	return busy.problem
end

local function wait_for(busy)
	local me = coroutine.running()
	table.insert(busy, me)
	skynet.wait(me)
	return busy.problem
end

-- The sender, connected to the node's present address. Raises when that cannot be.
local function settle(lane)
	local node = lane.node
	forget_dead_sender(lane)
	while node.address == nil or lane.connected_to ~= node.address do
		local address = node.address
		local problem
		if lane.busy then
			problem = wait_for(lane.busy)
		else
			problem = work_on(lane)
		end
		if problem and node.address == address then
			error(problem, 0)
		end
	end
	if not node.address then
		error(string.format("cluster node [%s] is down", node.name), 0)
	end
	return lane.sender
end

--- The handle of a connected clustersender; always the same one for a service that asks, so that its requests keep their order.
--- Yields. Raises when the node cannot be reached.
---@param name string
---@param source integer
---@return integer
function M.sender(name, source)
	local count = math.tointeger(tonumber(M.options.connections)) or 1
	count = math.max(1, math.min(count, MOST_CONNECTIONS))
	return settle(lane_of(node_of(name), source % count + 1))
end

--- Where a node is. Does not yield.
---@param name string
---@param address string|false false: it is down
function M.set_address(name, address)
	assert(type(name) == "string", "the name of a cluster node must be a string")
	assert(address == false or type(address) == "string", "the address of a cluster node must be a string, or false")
	local node = node_of(name)
	if node.address == address then
		return
	end
	node.address = address
	local is_told = false
	for _, lane in pairs(node.lanes) do
		if lane.unknown then
			if not is_told then
				skynet.error(string.format("Cluster node [%s] resolved : %s", name, address))
			end
			is_told = true
			skynet.wakeup(lane.unknown)
		elseif lane.sender then
			skynet.fork(function()
				local ok, problem = pcall(settle, lane)
				if not ok then
					skynet.error(problem)
				end
			end)
		end
	end
end

--- Those who wait for unknown nodes wait no longer. Does not yield.
function M.stop_waiting()
	for _, node in pairs(nodes) do
		for _, lane in pairs(node.lanes) do
			if lane.unknown then
				skynet.wakeup(lane.unknown)
			end
		end
	end
end

--- A node has left long ago. Does not yield.
---@param name string
function M.forget(name)
	local node = nodes[name]
	if not node or node.address then
		return
	end
	for _, lane in pairs(node.lanes) do
		if lane.busy then
			return skynet.timeout(LATER, function()
				M.forget(name)
			end)
		end
	end
	nodes[name] = nil
	for _, lane in pairs(node.lanes) do
		if lane.sender then
			skynet.kill(lane.sender)
		end
	end
end

--- Node -> handle of a sender. Does not yield.
---@return table<string, integer>
function M.senders()
	local list = {}
	for name, node in pairs(nodes) do
		local _, lane = next(node.lanes)
		list[name] = node.lanes[1] and node.lanes[1].sender or lane and lane.sender
	end
	return list
end

-- Figures of the connections to a node together: it is up while one of them is.
local function add_figures(sum, figures)
	if not sum then
		return figures
	end
	for name, value in pairs(figures) do
		if name == "up" then
			sum.up = sum.up or value
		elseif name == "latency" then
			sum.latency = math.max(sum.latency or 0, value)
		else
			sum[name] = sum[name] + value
		end
	end
	return sum
end

--- Node -> figures of the connections to it. Yields.
---@return table<string, table>
function M.figures()
	local batch, list, count = skynet.request(), {}, 0
	for name, node in pairs(nodes) do
		for _, lane in pairs(node.lanes) do
			if lane.sender then
				batch:add { lane.sender, "lua", "figures", node = name }
				count = count + 1
			end
		end
	end
	if count > 0 then
		for request, response in batch:select(FIGURES_PATIENCE) do
			if response and response[1] then
				list[request.node] = add_figures(list[request.node], response[1])
			end
		end
	end
	return list
end

--- A line about a node, for `info` of the debug console. Yields.
---@param node table
---@return string
function M.describe(node)
	local parts = { tostring(node.address) }
	for _, lane in pairs(node.lanes) do
		if lane.sender then
			local ok, state = pcall(skynet.call, lane.sender, "lua", "status")
			parts[#parts + 1] = string.format("%s %s", skynet.address(lane.sender), ok and state or "gone")
		end
	end
	return table.concat(parts, " ")
end

return M
