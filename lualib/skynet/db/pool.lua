--- A pool of connections: tasks that need one for themselves, as for a transaction, take turns.
---
---     local pool = mysql.pool { host = "127.0.0.1", user = "me", password = "...", size = 8 }
---     local rows = pool:use(function(db) return db:query "select 1" end)

local skynet = require "skynet"
local check_yieldable = require "skynet.internal.kernel".check_yieldable

---@class skynet.db.pool
local M = {}
---@class skynet.db.pool.Pool
local Pool = {}
Pool.__index = Pool

local DEFAULT_SIZE <const> = 4
local MOST_GONE <const> = 32

--- A new pool; connections are opened when they are needed. Does not yield.
---
--- Fields of `options`: open() -> connection, close(connection), size (most connections, default 4),
--- timeout (1/100 s to wait for a free one; nil: for ever).
---@param options table
---@return skynet.db.pool.Pool pool
function M.new(options)
	return setmetatable({
		open = assert(options.open, "pool: no function to open a connection"),
		close_one = options.close or function() end,
		size = options.size or DEFAULT_SIZE,
		timeout = options.timeout,
		idle = {},
		count = 0, -- open or being opened
		first = 1,
		last = 0, -- of `line`
		line = {}, -- places of tasks that wait: { called = true, connection = or may_open = } once it is their turn
		gone = 0, -- places in it of tasks that wait no more
		closed = false,
	}, Pool)
end

local function next_in_line(self)
	while self.first <= self.last do
		local place = self.line[self.first]
		self.line[self.first] = nil
		self.first = self.first + 1
		if not place.gone then
			place.called = true
			return place
		end
		self.gone = self.gone - 1
	end
	self.first, self.last = 1, 0
end

-- A task waits no more without its turn. Where no connection becomes free for long, most places would be of such tasks.
local function give_up(self, place)
	place.gone = true
	self.gone = self.gone + 1
	local count = self.last - self.first + 1
	if self.gone < MOST_GONE or self.gone * 2 < count then
		return
	end
	local line, last = {}, 0
	for i = self.first, self.last do
		if not self.line[i].gone then
			last = last + 1
			line[last] = self.line[i]
		end
	end
	self.line, self.first, self.last, self.gone = line, 1, last, 0
end

-- The next one may try to open one itself.
local function pass_on(self)
	local place = next_in_line(self)
	if place then
		place.may_open = true
		skynet.wakeup(place)
	end
end

-- Also when the task is killed meanwhile.
local opening = {
	__close = function(attempt)
		if not attempt.ok then
			attempt.pool.count = attempt.pool.count - 1
			pass_on(attempt.pool)
		end
	end,
}

local function open_one(self)
	local attempt <close> = setmetatable({ pool = self }, opening)
	self.count = self.count + 1
	local ok, connection = pcall(self.open)
	attempt.ok = ok
	if not ok then
		error(connection, 0)
	end
	return connection
end

local function give_back(self, connection)
	local place = not self.closed and next_in_line(self)
	if place then
		place.connection = connection
		skynet.wakeup(place)
	elseif self.closed then
		self.count = self.count - 1
		pcall(self.close_one, connection)
	else
		table.insert(self.idle, connection)
	end
end

local function drop(self, connection)
	self.count = self.count - 1
	pass_on(self)
	pcall(self.close_one, connection)
end

-- A task that is killed while it waits gives up what it was given meanwhile.
local in_line = {
	__close = function(place)
		if place.left or not place.waits then
			return
		elseif not place.called then
			give_up(place.pool, place)
		elseif place.connection then
			give_back(place.pool, place.connection)
		elseif place.may_open then
			pass_on(place.pool)
		end
	end,
}

local function wait_in_line(self)
	local place <close> = setmetatable({ pool = self }, in_line)
	self.line[self.last + 1] = place -- may raise: then nothing has changed
	self.last, place.waits = self.last + 1, true
	if self.timeout then
		skynet.sleep(self.timeout, place)
	else
		skynet.wait(place)
	end
	place.left = true
	if not place.called then
		give_up(self, place)
	end
	return place
end

local function take(self)
	check_yieldable(4)
	if self.closed then
		error("pool is closed", 0)
	end
	local connection = table.remove(self.idle)
	if connection then
		return connection
	elseif self.count < self.size then
		return open_one(self)
	end
	local place = wait_in_line(self)
	if place.connection then
		return place.connection
	elseif place.may_open then
		return open_one(self)
	end
	error(self.closed and "pool is closed" or "pool: no connection became free in time", 0)
end

-- A task that is killed while it has a connection leaves it in the middle of something.
local in_use = {
	__close = function(lease)
		if not lease.over then
			drop(lease.pool, lease.connection)
		end
	end,
}

local function finish(lease, ok, ...)
	lease.over = true
	if ok then
		give_back(lease.pool, lease.connection)
		return ...
	end
	drop(lease.pool, lease.connection) -- it may be in the middle of something
	error((...), 0)
end

--- Runs func(connection, ...) with a connection of its own. Yields.
---@param func function
---@param ... any for `func`
---@return any ... results of func. Raises what func raises (the connection is closed then), what opening
--- raises, and when no connection becomes free in time
function Pool:use(func, ...)
	local lease <close> = setmetatable({ pool = self, connection = take(self) }, in_use)
	return finish(lease, pcall(func, lease.connection, ...))
end

--- Closes the idle connections now and the others when they are given back. Yields.
function Pool:close()
	self.closed = true
	local place = next_in_line(self)
	while place do
		skynet.wakeup(place)
		place = next_in_line(self)
	end
	local idle = self.idle
	self.idle = {}
	for _, connection in ipairs(idle) do
		self.count = self.count - 1
		pcall(self.close_one, connection)
	end
end

return M
