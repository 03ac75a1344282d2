-- Keeps the entries of this node in an engine: writes them, renews their lease, and writes them again when the engine has lost
-- them. While the engine is away they wait.
--
-- The engine is a table with these functions, which yield, and raise when it is away:
--   renew() -> seconds that the lease holds, true when it is another lease than before: all entries are written again
--   store(key, value), erase(key)
--   ready() -> whether there is a lease to store with; does not yield
--   suspect(problem, stood_still): it has not answered; whether this process stood still meanwhile

local skynet = require "skynet"
local awake = require "skynet.internal.awake"
local backoff = require "skynet.internal.backoff"

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 10, 200 -- 1/100 s
local PATIENCE <const> = 300 -- 1/100 s that who sets an entry waits for a lease
local STOOD_STILL <const> = 100 -- 1/100 s that this process may have lost for other reasons

local M = {}
---@class skynet.cluster.keeper.Keeper
local Keeper = {}
Keeper.__index = Keeper

--- Makes one; nothing runs yet. Does not yield.
---@param engine table
---@return skynet.cluster.keeper.Keeper keeper `deadline`: until when (skynet.now) the lease certainly holds
function M.new(engine)
	return setmetatable({
		engine = engine,
		entries = {}, -- key -> { value =, stored = the value that the engine has }
		gone = {}, -- keys to erase
		deadline = 0,
		asked = 0, -- when the last renewal has begun
		lost = awake.lost(), -- and what this process had lost then
		closed = false,
		failing = false,
		waiting = {}, -- tasks that wait for the end of a round
	}, Keeper)
end

-- A task writes no more: the others may.
local Flushing = {
	__close = function(flushing)
		flushing.keeper.flushing = nil
		for _, task in ipairs(flushing) do
			skynet.wakeup(task)
		end
	end,
}

-- Writes what the engine has not. One task at a time, so that the last value is the last one that is written.
local function flush(self)
	while self.flushing do
		local me = coroutine.running()
		table.insert(self.flushing, me)
		skynet.wait(me)
	end
	local flushing <close> = setmetatable({ keeper = self }, Flushing)
	self.flushing = flushing
	for _, key in ipairs(self:unwritten()) do
		local entry = self.entries[key]
		if entry then
			local value = entry.value
			self.engine:store(key, value)
			entry.stored = value
		else
			self.engine:erase(key)
			self.gone[key] = nil
		end
	end
end

--- Keys that the engine does not have as they are. Does not yield.
---@return string[]
function Keeper:unwritten()
	local keys = {}
	for key, entry in pairs(self.entries) do
		if entry.stored ~= entry.value then
			keys[#keys + 1] = key
		end
	end
	for key in pairs(self.gone) do
		keys[#keys + 1] = key
	end
	table.sort(keys) -- "names/" before "nodes/": who sees the node sees its names
	return keys
end

local function round(self)
	local asked = skynet.now()
	self.asked, self.lost = asked, awake.lost()
	local seconds, is_new = self.engine:renew()
	if is_new then
		for _, entry in pairs(self.entries) do
			entry.stored = nil
		end
	end
	self.deadline = asked + seconds * 100
	flush(self)
	return seconds * 100 // 3
end

--- Renews the lease until `close`. Yields.
function Keeper:run()
	local pause = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	while not self.closed do
		self.hurried = false
		local ok, time = pcall(round, self)
		self.failing = not ok
		local waiting = self.waiting
		self.waiting = {}
		for _, task in ipairs(waiting) do
			skynet.wakeup(task)
		end
		if self.closed then
			return
		elseif ok then
			pause(true)
		else
			self.problem = tostring(time)
			self.engine:suspect(self.problem, self:has_stood_still())
			time = pause()
		end
		if not (ok and self.hurried) then
			skynet.sleep(time, self)
		end
	end
end

-- There is something to do now.
local function hurry(self)
	self.hurried = true
	skynet.wakeup(self)
end

-- Whether this process has stood still since the last renewal has begun.
function Keeper:has_stood_still()
	return awake.lost() - self.lost >= STOOD_STILL
end

--- Whether the lease was to be renewed before its time was over. If not, as in a process that stood still, the engine was right to
--- end it. Does not yield.
---@return boolean
function Keeper:is_in_time()
	return self.asked < self.deadline and not self:has_stood_still()
end

--- Waits for a lease, if the engine is there. Yields.
---@return boolean ready, string? problem
function Keeper:await_lease()
	local function ready()
		return self.engine:ready() and skynet.now() < self.deadline
	end
	local deadline = skynet.now() + PATIENCE
	while not ready() do
		local left = deadline - skynet.now()
		if self.failing or left <= 0 then
			return false, self.problem or "the engine of discovery has not answered yet"
		end
		local task = coroutine.running()
		table.insert(self.waiting, task)
		hurry(self)
		skynet.sleep(left, task)
	end
	return true
end

-- Tells the engine now. If that fails, the loop does it later.
local function try(self)
	local ok, problem = self:await_lease()
	if ok then
		ok, problem = pcall(flush, self)
		if not ok then
			hurry(self)
		end
	end
	return ok, not ok and tostring(problem) or nil
end

--- Sets an entry, which is written with the next one of `set`, or with the next renewal. Does not yield.
---@param key string
---@param value string
function Keeper:put(key, value)
	local entry = self.entries[key] or {}
	entry.value = value
	self.entries[key], self.gone[key] = entry, nil
end

--- Sets an entry. Yields.
---@param key string
---@param value string
---@return boolean stored, string? problem false: it will be, when the engine is back
function Keeper:set(key, value)
	self:put(key, value)
	return try(self)
end

--- Removes an entry. Yields.
---@param key string
---@return boolean erased, string? problem
function Keeper:remove(key)
	if not self.entries[key] then
		return true
	end
	self.entries[key], self.gone[key] = nil, true
	return try(self)
end

--- Erases a key that was not written by `set`. Yields.
---@param key string
---@return boolean erased, string? problem
function Keeper:drop(key)
	self.gone[key] = true
	return try(self)
end

--- Somebody else has changed an entry of this node: it is written again. Does not yield.
---@param key string
function Keeper:restore(key)
	local entry = self.entries[key]
	if entry and entry.stored then
		entry.stored = nil
		hurry(self)
	end
end

--- Forgets an entry that belongs to somebody else now. Does not yield.
---@param key string
function Keeper:disown(key)
	self.entries[key], self.gone[key] = nil, nil
end

--- Ends the loop. Does not yield.
function Keeper:close()
	self.closed = true
	skynet.wakeup(self)
end

return M
