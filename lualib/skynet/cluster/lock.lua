--- What only one service of a cluster may do at a time: locks and elections, by etcd. Each holder gets a fencing number that is
--- larger than those of all before: give it to what you protect, and have that refuse smaller ones, for a holder that stood still
--- for long may not know yet that it is none.
---
---     local lock = require "skynet.cluster.lock"
---     local held = lock.acquire("daily-report", 500)
---     if held then
---         write_report(held.number)
---         held:release()
---     end

local skynet = require "skynet"
local subscription = require "skynet.cluster.subscription"
local backoff = require "skynet.internal.backoff"

local WHAT <const> = "skynet.cluster.lock"
local CAMPAIGN <const> = 6000 -- 1/100 s of one try of a candidate
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 500

---@class skynet.cluster.lock
local M = {}

---@class skynet.cluster.lock.Lock
---@field number integer the fencing number
---@field name string
---@field id integer
local Lock = {}
Lock.__index = Lock

local function ask(...)
	return subscription.ask(WHAT, ...)
end

--- Whether this node has the lock for certain at this moment. False when the engine has not confirmed it in the time of the lease. Yields.
---@return boolean
function Lock:holds()
	return ask("holds", self.id)
end

--- Waits until this node has the lock no more. Yields.
---@return string why
function Lock:wait()
	return ask("lost", self.id)
end

--- Gives the lock back. It ends by itself with the service, and with the node. Yields.
---@return boolean whether this node had it until now
function Lock:release()
	return ask("release", self.id)
end

function Lock:__close()
	self:release()
end

--- Waits for a lock. Yields. Raises where the engine of discovery is not etcd.
---@param name string
---@param time integer? 1/100 s; 0, the default: only if nobody has it
---@return skynet.cluster.lock.Lock? lock nil: somebody else has it, or the engine is away
---@return string? why
function M.acquire(name, time)
	assert(type(name) == "string" and name ~= "", "a lock has a name")
	local id, number = ask("acquire", name, time or 0)
	if not id then
		return nil, number
	end
	return setmetatable({ name = name, id = id, number = number }, Lock)
end

local function run_candidate(name, candidate, on_elected)
	local pause = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	while not candidate.stopped do
		local ok, held, why = pcall(M.acquire, name, CAMPAIGN)
		if candidate.stopped then
			return ok and held and held:release()
		elseif ok and held then
			pause(true)
			candidate.held = held
			skynet.error(string.format("cluster: elected for [%s], number %d", name, held.number))
			skynet.fork(on_elected, held)
			why = held:wait()
			candidate.held = nil
			if not candidate.stopped then
				skynet.error(string.format("cluster: no longer elected for [%s]: %s", name, why))
			end
		else
			skynet.sleep(pause())
		end
	end
end

--- Stands as a candidate until `stop`: `on_elected` is called in a task of its own whenever this service is elected, and has to
--- end its work when `held:wait()` returns, or `held:holds()` is false. Another candidate is elected only after that time. Yields.
--- Raises where the engine of discovery is not etcd.
---@param name string
---@param on_elected fun(held: skynet.cluster.lock.Lock)
---@return fun() stop
function M.elect(name, on_elected)
	assert(type(name) == "string" and name ~= "", "an election has a name")
	ask "can_agree"
	local candidate = { stopped = false }
	skynet.fork(run_candidate, name, candidate, on_elected)
	return function()
		candidate.stopped = true
		if candidate.held then
			candidate.held:release()
		end
	end
end

return M
