--- A client of Redis. Tasks may share a connection; it connects again by itself after it was lost.
---
---     local db = redis.connect { host = "127.0.0.1", port = 6379, db = 0 }
---     db:set("key", 1)
---     print(db:get "key") -- "1"
---
--- Every command of Redis is a method, in any case of letters. Its arguments are values or one list of
--- values; the result is the reply: string, integer, list, or nil. They yield, and raise the text of an
--- error reply, or `socketchannel.error` when the connection is lost.

local socketchannel = require "skynet.socketchannel"
local login = require "skynet.db.redis.login"
local resp = require "skynet.db.redis.resp"

---@class skynet.db.redis
local M = {}

local NONE <const> = {}

-- After these a server sends more than answers.
local TALKING <const> = {}
for _, name in ipairs { "monitor", "subscribe", "psubscribe", "ssubscribe", "psync", "sync" } do
	TALKING[name], TALKING[string.upper(name)] = true, true
end

-- Methods that are not plain commands; the others are added when first used.
---@class skynet.db.redis.Connection
---@field [string] fun(self: skynet.db.redis.Connection, ...: any): any the command of that name; raises errors of the server
local Connection = {}
local metatable = { __index = Connection }

setmetatable(Connection, {
	__index = function(methods, name)
		local is_talking = TALKING[string.lower(name)]

		local function command(self, first, ...)
			if is_talking then
				self[1]:expect_notices()
			end
			local arguments
			if first == nil then
				arguments = NONE
			elseif type(first) == "table" then
				arguments = first
			else
				arguments = table.pack(first, ...)
			end
			return self[1]:request(resp.command(name, arguments), self[2])
		end
		methods[name] = command
		return command
	end,
})

local function ask_boolean(self, name, arguments)
	local read_reply = self[2]
	return self[1]:request(resp.command(name, arguments), function(sock)
		local ok, value = read_reply(sock)
		if ok then
			return true, value ~= 0
		end
		return ok, value
	end)
end

--- Whether there is a key. Yields.
---@param key string
---@return boolean
function Connection:exists(key)
	return ask_boolean(self, "EXISTS", { key })
end

--- Whether a set has a member. Yields.
---@param key string
---@param value any
---@return boolean
function Connection:sismember(key, value)
	return ask_boolean(self, "SISMEMBER", { key, value })
end

--- Sends several commands at once. Yields.
---@param commands table[] each { name, argument, ... }
---@param results table[]? receives { ok = boolean, out = reply } of each
---@return any results if given; otherwise the reply of the last command, raised if it is an error
function Connection:pipeline(commands, results)
	assert(commands and #commands > 0, "pipeline is null")
	local parts = {}
	for _, command in ipairs(commands) do
		if TALKING[command[1]] then
			self[1]:expect_notices()
		end
		resp.append(parts, command[1], command, 2)
	end
	local read_reply = self[2]
	return self[1]:request(parts, function(sock)
		local ok, value
		for _ = 1, #commands do
			ok, value = read_reply(sock)
			if results then
				results[#results + 1] = { ok = ok, out = value }
			end
		end
		if results then
			return true, results
		end
		return ok, value
	end)
end

--- Closes the connection; the object cannot be used any more. Yields.
function Connection:disconnect()
	self[1]:close()
	setmetatable(self, nil)
end

--- Connects. Yields. Raises when it fails.
---
--- Fields of `config`: host, port (6379), db (number), auth (password), username; overload,
--- connect_timeout, request_timeout (see skynet.socketchannel; the last one not with commands that block); max_reply (bytes
--- of a reply, each value of a list with 16 more: 512 MiB). A longer reply, or a malformed one, is an error that ends the
--- connection.
---@param config table
---@return skynet.db.redis.Connection connection
function M.connect(config)
	local channel = socketchannel.channel {
		host = config.host,
		port = config.port or 6379,
		auth = login(config),
		answers_only = true,
		nodelay = true,
		overload = config.overload,
		connect_timeout = config.connect_timeout,
		request_timeout = config.request_timeout,
	}
	channel:connect(true)
	return setmetatable({ channel, resp.reader(config.max_reply) }, metatable)
end

--- A connection that receives messages of channels: see skynet.db.redis.watch. Yields. Raises when it fails.
---@param config table as for `connect`
---@return skynet.db.redis.watch.Watch watch
function M.watch(config)
	return require "skynet.db.redis.watch"(config)
end

--- A pool of connections, for commands that block or belong together (MULTI): see skynet.db.pool.
---@param config table as for `connect`, and `size`, `timeout` of the pool
---@return skynet.db.pool.Pool pool
function M.pool(config)
	return require "skynet.db.pool".new {
		size = config.size,
		timeout = config.timeout,
		open = function()
			return M.connect(config)
		end,
		close = function(connection)
			connection:disconnect()
		end,
	}
end

return M
