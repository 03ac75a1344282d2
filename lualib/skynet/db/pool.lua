--- A pool of connections: tasks that need one for themselves, as for a transaction, take turns.
---
---     local pool = mysql.pool { host = "127.0.0.1", user = "me", password = "...", size = 8 }
---     local rows = pool:use(function(db) return db:query "select 1" end)

local skynet = require "skynet"
local check_yieldable = require "skynet.internal.kernel".check_yieldable

local M = {}
local Pool = {}
Pool.__index = Pool

local DEFAULT_SIZE <const> = 4

--- A new pool; connections are opened when they are needed. Does not yield.
---
--- Fields of `options`: open() -> connection, close(connection), size (most connections, default 4),
--- timeout (1/100 s to wait for a free one; nil: for ever).
---@param options table
---@return table pool
function M.new(options)
	return setmetatable({
		open = assert(options.open, "pool: no function to open a connection"),
		close_one = options.close or function() end,
		size = options.size or DEFAULT_SIZE,
		timeout = options.timeout,
		idle = {},
		count = 0,             -- open or being opened
		first = 1, last = 0,   -- of `line`
		line = {},             -- tasks that wait: { connection = } once they have one
		closed = false,
	}, Pool)
end

local function next_in_line(self)
	while self.first <= self.last do
		local place = self.line[self.first]
		self.line[self.first] = nil
		self.first = self.first + 1
		if not place.gone then
			return place
		end
	end
	self.first, self.last = 1, 0
end

local function open_one(self)
	self.count = self.count + 1
	local ok, connection = pcall(self.open)
	if ok then
		return connection
	end
	self.count = self.count - 1
	local place = next_in_line(self)
	if place then -- may try itself
		place.may_open = true
		skynet.wakeup(place)
	end
	error(connection, 0)
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
	local place = {}
	self.last = self.last + 1
	self.line[self.last] = place
	if self.timeout then
		skynet.sleep(self.timeout, place)
	else
		skynet.wait(place)
	end
	if place.connection then
		return place.connection
	elseif place.may_open then
		return open_one(self)
	end
	place.gone = true
	error(self.closed and "pool is closed" or "pool: no connection became free in time", 0)
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
	local place = next_in_line(self)
	if place then
		place.may_open = true
		skynet.wakeup(place)
	end
	pcall(self.close_one, connection)
end

local function finish(self, connection, ok, ...)
	if ok then
		give_back(self, connection)
		return ...
	end
	drop(self, connection) -- it may be in the middle of something
	error((...), 0)
end

--- Runs func(connection, ...) with a connection of its own. Yields.
---@param func function
---@return any ... results of func. Raises what func raises (the connection is closed then), what opening
--- raises, and when no connection becomes free in time
function Pool:use(func, ...)
	local connection = take(self)
	return finish(self, connection, pcall(func, connection, ...))
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
