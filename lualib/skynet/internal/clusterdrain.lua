--- How this node is taken out of its cluster while it still serves, for clusterd: nobody chooses its services any more, its
--- listeners close, and its connections end when nothing is under way on them. What this node asks of others goes on.

local skynet = require "skynet"
local alive = require "skynet.internal.alive"
local connections = require "skynet.internal.clusterconnections"

local NEWS <const> = 50 -- 1/100 s until others have heard that names are withdrawn
local LOOK <const> = 2 -- 1/100 s between two looks at the hooks

local M = {}

local begun -- { time =, to =, limit = }
local result -- counts, when it is done
local running -- the drain that is under way: { tasks that wait for it ..., problem = }
local asking = {} -- handle of a service that wants to be told -> its response
local told, at_work = {}, {} -- services that were told of this drain; those that are at it

-- Tells who wants to know. Returns how many.
local function tell()
	local count = 0
	for source, respond in pairs(asking) do
		if not alive(source) then
			asking[source] = nil
		elseif not told[source] then
			count = count + 1
			asking[source], told[source], at_work[source] = nil, true, true
			respond(true, { time = begun.time, to = begun.to })
		end
	end
	return count
end

local function await_hooks()
	while next(at_work) and skynet.now() < begun.limit do
		for source in pairs(at_work) do
			at_work[source] = alive(source) or nil
		end
		skynet.sleep(LOOK)
	end
end

local function drain(discovery, time, to)
	begun = { time = time, to = to, limit = skynet.now() + time }
	skynet.error(string.format("cluster: this node drains, within %.2f s", time / 100))
	local counts = { hooks = tell(), names = 0 }
	if discovery then
		local ok, well, count = pcall(skynet.call, discovery, "lua", "withdraw_all")
		counts.names = ok and well and count or 0
		if counts.names > 0 then
			skynet.sleep(math.min(NEWS, time))
		end
	end
	connections.drain(math.max(begun.limit - skynet.now(), 0), counts)
	await_hooks()
	if discovery then
		pcall(skynet.call, discovery, "lua", "leave")
	end
	skynet.error(
		string.format(
			"cluster: this node has drained in %.2f s: %d connections, %d requests served meanwhile, %d without an answer",
			(skynet.now() - begun.limit + time) / 100,
			counts.connections,
			counts.served,
			counts.unfinished
		)
	)
	return counts
end

-- It has ended, or its task was killed: then one of those who wait for it does it.
local Running = {
	__close = function(this)
		running = nil
		for _, task in ipairs(this) do
			skynet.wakeup(task)
		end
	end,
}

--- Drains, or waits for the drain that is under way. Yields.
---@param discovery integer? handle of clusterdiscovery
---@param time integer 1/100 s that what is under way has
---@param to any for the hooks: where clients may go
---@return { names: integer, hooks: integer, connections: integer, served: integer, unfinished: integer } counts
function M.run(discovery, time, to)
	while running do
		local other, me = running, coroutine.running()
		table.insert(other, me)
		skynet.wait(me)
		if other.problem then
			error(other.problem, 0)
		end
	end
	if result then
		return result
	end
	local this <close> = setmetatable({}, Running)
	running = this
	local ok, counts = pcall(drain, discovery, math.floor(time), to)
	if not ok then
		this.problem = counts
		error(counts, 0)
	end
	result = counts
	return counts
end

--- Has the drain of this node begun, and has no listener been opened since? Does not yield.
---@return boolean
function M.has_begun()
	return begun ~= nil
end

--- A service wants to be told: the running task's request is answered then. Does not yield.
---@param source integer
function M.await(source)
	asking[source] = skynet.response()
	if begun then
		tell()
	end
end

--- What it does then is done. Does not yield.
---@param source integer
function M.hook_done(source)
	at_work[source] = nil
end

--- The node listens again. Does not yield.
function M.over()
	if result then
		begun, result, told, at_work = nil, nil, {}, {}
		connections.undrain()
	end
end

return M
