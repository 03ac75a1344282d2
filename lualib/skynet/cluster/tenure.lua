-- Locks that services of this node have: until they are released, their service ends, or the lease was not renewed in time.
-- The last is seen by this node's own clock, which began before the engine's: whoever gets the lock next gets it later.

local skynet = require "skynet"
local alive = require "skynet.internal.alive"
local respawn = require "skynet.internal.respawn"

local M = {}
---@class skynet.cluster.tenure.Tenure
local Tenure = {}
Tenure.__index = Tenure

--- Makes one. Does not yield.
---@param keeper table? skynet.cluster.keeper; nil where there are no locks
---@return skynet.cluster.tenure.Tenure
function M.new(keeper)
	return setmetatable({ keeper = keeper, held = {}, count = 0, last_id = 0 }, Tenure)
end

local function lose(self, id, why)
	local lock = self.held[id]
	if lock then
		self.held[id] = nil
		self.count = self.count - 1
		lock.lost = why
		for _, task in ipairs(lock) do
			skynet.wakeup(task)
		end
		return lock
	end
end

-- Looks when the lease will be over, as long as there are locks.
local function guard(self)
	while self.count > 0 do
		local left = self.keeper.deadline - skynet.now()
		if left <= 0 then
			self:lose_all "the lease was not renewed in time"
		else
			skynet.sleep(left)
		end
	end
	self.guarded = false
end

--- A service has got a lock. Does not yield.
---@param holder integer
---@param name string
---@param key string of the engine
---@param number integer fencing number
---@return integer id, integer number
function Tenure:begin(holder, name, key, number)
	self.last_id = self.last_id + 1
	self.held[self.last_id] = { holder = holder, name = name, key = key }
	self.count = self.count + 1
	if not self.guarded then
		self.guarded = true
		respawn(guard, self)
	end
	return self.last_id, number
end

--- Whether the lock is held for certain. Does not yield.
---@param id integer
---@return boolean
function Tenure:holds(id)
	return self.held[id] ~= nil and skynet.now() < self.keeper.deadline
end

--- Waits until it is held no more. Yields.
---@param id integer
---@return string why
function Tenure:wait(id)
	local lock = self.held[id]
	if not lock then
		return "it is not held"
	end
	local task = coroutine.running()
	table.insert(lock, task)
	skynet.wait(task)
	return lock.lost
end

--- Gives a lock back. Yields.
---@param id integer
---@return boolean whether it was held until now
function Tenure:finish(id)
	local held = self:holds(id)
	local lock = lose(self, id, "released")
	if lock then
		self.keeper:drop(lock.key)
	end
	return held
end

--- All locks are lost. Does not yield.
---@param why string
function Tenure:lose_all(why)
	for id in pairs(self.held) do
		local lock = lose(self, id, why)
		skynet.error(string.format("cluster: the lock [%s] is lost: %s", lock.name, why))
		skynet.fork(self.keeper.drop, self.keeper, lock.key)
	end
end

--- Services that have ended give back what they had. Does not yield.
function Tenure:sweep()
	for id, lock in pairs(self.held) do
		if not alive(lock.holder) then
			skynet.fork(self.finish, self, id)
		end
	end
end

return M
