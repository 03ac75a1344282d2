-- Discovery by Redis (5 or later): a hash of entries, a sorted set with the times at which they end by Redis' own clock, and a
-- channel that says that something has changed. Whoever reads removes what has ended. There are no locks: a Redis that fails over
-- may forget what it has said.

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local LEFT <const> = require "skynet.cluster.registry".LEFT
local following = require "skynet.internal.following"

local PATIENCE <const> = 200 -- 1/100 s for a connection, and for an answer

local M = {}
---@class skynet.cluster.provider.redis.Provider
local Provider = { agrees = false, writes = true }
Provider.__index = Provider

local NOW <const> = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
local TELL <const> = "redis.call('INCR', KEYS[3]) redis.call('PUBLISH', KEYS[4], '') "

-- Keys of all: entries, ends, version, channel. Milliseconds 0: for good.
local STORE <const> = NOW
	.. [[
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], tonumber(ARGV[3]) > 0 and now + ARGV[3] or '+inf', ARGV[1])
]]
	.. TELL

local ERASE <const> = [[
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
]] .. TELL

-- Milliseconds, then the keys. Returns how many of them have ended.
local RENEW <const> = NOW
	.. [[
local missing = 0
for i = 2, #ARGV do
	if redis.call('ZSCORE', KEYS[2], ARGV[i]) then
		redis.call('ZADD', KEYS[2], now + ARGV[1], ARGV[i])
	else
		missing = missing + 1
	end
end
return missing
]]

-- Which version is known. Returns the version, and if that is another one, which Redis this is and all entries.
local READ <const> = NOW
	.. [[
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
for _, key in ipairs(ended) do
	redis.call('HDEL', KEYS[1], key)
	redis.call('ZREM', KEYS[2], key)
end
if #ended > 0 then
]]
	.. TELL
	.. [[
end
local version = redis.call('GET', KEYS[3]) or '0'
if version == ARGV[1] then
	return { version }
end
return { version, redis.call('INFO', 'server'), redis.call('HGETALL', KEYS[1]) }
]]

--- Makes one; nothing runs yet. Does not yield.
---@param description table of skynet.cluster.url
---@param setup { lease: integer, sink: table }
function M.new(description, setup)
	local root = "{" .. description.prefix .. "}" -- one slot of a Redis Cluster
	return setmetatable({
		config = {
			host = description.endpoints[1].host,
			port = description.endpoints[1].port,
			username = description.password and description.user,
			auth = description.password,
			db = description.db,
			connect_timeout = PATIENCE,
		},
		endpoints = description.endpoints,
		keys = { root .. ":entries", root .. ":ends", root .. ":version", root .. ":changes" },
		lease_time = setup.lease,
		sink = setup.sink,
		closed = false,
		-- db, watch: the open connections
	}, Provider)
end

local function where(self)
	return string.format("%s:%d", self.config.host, self.config.port)
end

local function run_script(self, script, ...)
	if not self.db then
		error(string.format("redis at %s is away", where(self)), 0)
	end
	local keys = self.keys
	return self.db:eval(script, #keys, keys[1], keys[2], keys[3], keys[4], ...)
end

---------------------------------------------------------------- what this node tells

function Provider:ready()
	return self.db ~= nil
end

--- See skynet.cluster.keeper.
function Provider:renew()
	local keys = {}
	for key, entry in pairs(self.keeper.entries) do
		if entry.stored then
			keys[#keys + 1] = key
		end
	end
	local missing = run_script(self, RENEW, self.lease_time * 1000, table.unpack(keys))
	if math.type(missing) ~= "integer" then
		error(string.format("redis at %s: its answer to the renewal is no number", where(self)), 0)
	end
	return self.lease_time, missing > 0
end

function Provider:store(key, value)
	run_script(self, STORE, key, value, self.lease_time * 1000)
end

--- A value that stays when this node ends. Yields.
function Provider:store_for_good(key, value)
	run_script(self, STORE, key, value, 0)
end

function Provider:erase(key)
	run_script(self, ERASE, key)
end

local function disconnect(self)
	local db, watch = self.db, self.watch
	self.db, self.watch = nil, nil
	if db then
		pcall(db.disconnect, db)
	end
	if watch then
		pcall(watch.disconnect, watch)
	end
end

--- It has not answered the keeper. While this process stood still, it may well have.
function Provider:suspect(_, stood_still)
	if not stood_still then
		self.sink.doubt()
	end
	self.broken = true
	skynet.wakeup(self)
end

--- All that this node has told ends, at once. Yields.
---@param keys string[]
function Provider:leave(keys)
	for _, key in ipairs(keys) do
		pcall(self.store, self, key, LEFT)
	end
end

---------------------------------------------------------------- what others tell

-- Wakes the reader for each change. Ends with the connection.
local function listen(self, watch)
	while self.watch == watch do
		local ok = pcall(watch.message, watch)
		if self.watch ~= watch then
			return
		end
		self.broken = self.broken or not ok
		self.news = true
		skynet.wakeup(self)
		if not ok then
			return
		end
	end
end

local function connect(self)
	self.broken, self.news, self.version = false, false, nil
	self.config.request_timeout = PATIENCE
	self.db = redis.connect(self.config)
	self.config.request_timeout = nil -- what is subscribed to may be silent
	local watch = redis.watch(self.config)
	self.watch = watch
	watch:subscribe(self.keys[4])
	skynet.fork(listen, self, watch)
end

local function read(self)
	local answer = run_script(self, READ, self.version or "none")
	if type(answer) ~= "table" then
		error("it does not answer with a list: is that a Redis server?", 0)
	end
	local version, about, flat = table.unpack(answer, 1, 3)
	if type(version) ~= "string" then
		error("a malformed answer: its version is no text; is that a Redis server?", 0)
	elseif flat then
		if type(flat) ~= "table" or type(about) ~= "string" then
			error("a malformed answer: is that a Redis server?", 0)
		end
		local entries = {}
		for i = 1, #flat, 2 do
			local key, text = flat[i], flat[i + 1]
			if type(key) ~= "string" or type(text) ~= "string" then
				error("a malformed answer: an entry is no text", 0)
			end
			entries[key] = text
		end
		self.version = version
		self.sink.snapshot(entries, string.match(about, "run_id:(%x+)") or "")
	end
end

-- Follows one pair of connections until it breaks; raises why.
local function follow(self, on_alive)
	connect(self)
	while not self.closed do
		self.news = false
		read(self)
		on_alive()
		if self.broken then
			error("the connection is lost", 0)
		elseif not self.news then
			skynet.sleep(self.lease_time * 100 // 3, self)
		end
	end
end

--- Follows the engine until `close`, and tells the sink. Yields.
function Provider:run()
	local turn = 0
	disconnect(self) -- what a task that was killed has left
	following(self, #self.endpoints, function(on_alive)
		local endpoint = self.endpoints[turn % #self.endpoints + 1]
		self.config.host, self.config.port = endpoint.host, endpoint.port
		local ok, problem = pcall(follow, self, function()
			on_alive(where(self))
		end)
		disconnect(self)
		if not ok then
			error(string.format("redis at %s: %s", where(self), tostring(problem)), 0)
		end
	end, function()
		turn = turn + 1
	end)
end

function Provider:close()
	self.closed = true
	skynet.wakeup(self)
end

return M
