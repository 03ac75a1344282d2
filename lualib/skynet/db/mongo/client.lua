--- A connection to a MongoDB server or replica set. Its fields that are not methods are databases:
--- `client.game` is `client:getDB "game"`.

require "skynet.socket"

local socketchannel = require "skynet.socketchannel"
local driver = require "skynet.mongo.driver"
local database = require "skynet.db.mongo.database"
local auth = require "skynet.db.mongo.auth"
local bulk = require "skynet.db.mongo.bulk"

---@class skynet.db.mongo.client
local M = {}
---@class skynet.db.mongo.client.Client
---@field host string
---@field port integer
---@field private __sock skynet.socketchannel.Channel
---@field private __id integer
---@field [string] skynet.db.mongo.database see `getDB`
local Client = {}

local metatable = {
	__index = function(self, key)
		return Client[key] or Client.getDB(self, key)
	end,
	__tostring = function(self)
		return string.format("[mongo client : %s:%d]", rawget(self, "host"), rawget(self, "port"))
	end,
}

local DEFAULT_PORT <const> = 27017
local MOST_MEMBERS <const> = 64 -- of a replica set; servers know 50
local MAX_MESSAGE <const> = 48000000 -- the maxMessageSizeBytes of all servers

---------------------------------------------------------------- connecting

-- Reads messages of the server: the number of the request it answers, and its document, which lies
-- in the string.
local function reader(most)
	return function(sock)
		local size = driver.length(sock:read(4))
		if size > most then
			error(
				string.format(
					"mongo: the server announces a message of %d bytes, more than %d (option max_message_size)",
					size,
					most
				),
				0
			)
		end
		local data = sock:read(size)
		local ok, request, document = driver.reply(data)
		return request, ok, { data = data, document = document }
	end
end

local function split_address(text)
	local host, port = string.match(text, "^(.*):(%d+)$")
	return host or text, math.tointeger(tonumber(port)) or DEFAULT_PORT
end

-- Learns the members of the replica set, and goes to the primary if this server is another one.
local function find_primary(self)
	local state = self:runCommand "ismaster"
	if state.ok ~= 1 then
		return
	end
	if type(state.hosts) == "table" then
		local backup = {}
		for i = 1, math.min(#state.hosts, MOST_MEMBERS) do
			local host, port = split_address(tostring(state.hosts[i]))
			backup[#backup + 1] = { host = host, port = port }
		end
		self.__sock:changebackup(backup)
	end
	if state.ismaster or state.isWritablePrimary then -- servers that say the new name alone are none of MongoDB's
		return
	elseif type(state.primary) ~= "string" then
		error("No primary return : " .. tostring(state.me), 0) -- the channel tries the next member
	end
	local host, port = split_address(state.primary)
	if host == self.__sock.host and port == self.__sock.port then
		error(string.format("mongo: %s:%d is not the primary, and names itself as the primary", host, port), 0)
	end
	self.host, self.port = host, port
	self.__sock:changehost(self.host, self.port)
end

local function log_in(self, config)
	if config.username ~= nil and config.password ~= nil then
		local db = Client.getDB(self, config.authdb or "admin")
		local ok, problem = auth(db, config.username, config.password, config.authmod)
		if not ok then
			error("mongo: log-in refused: " .. tostring(problem), 0)
		end
	end
	find_primary(self)
end

--- Connects. Yields.
---
--- Fields of `config`: host, port (27017), username, password, authdb ("admin"), authmod ("scram_sha1",
--- "scram_sha256"; by default what the server has); overload, connect_timeout, request_timeout (see
--- skynet.socketchannel), max_message_size (bytes of an answer: 48,000,000, which is what servers send at most; a longer one
--- is an error that ends the connection). For a replica set: rs, a list of such tables; names and passwords are those of the
--- first one.
---@param config table
---@return skynet.db.mongo.client.Client client. Raises when it fails
function M.connect(config)
	local first = config.rs and config.rs[1] or config
	local backup = {}
	for i, member in ipairs(config.rs or {}) do
		backup[i] = { host = member.host, port = member.port or DEFAULT_PORT }
	end
	local self = setmetatable({
		host = first.host,
		port = first.port or DEFAULT_PORT,
		authmod = first.authmod or false,
		__id = 0,
	}, metatable)
	self.__sock = socketchannel.channel {
		host = self.host,
		port = self.port,
		backup = backup,
		nodelay = true,
		overload = config.overload,
		connect_timeout = config.connect_timeout,
		request_timeout = config.request_timeout,
		response = reader(config.max_message_size or MAX_MESSAGE),
		auth = function()
			log_in(self, first)
		end,
	}
	self.__sock:connect(true)
	return self
end

--- Closes the connection. Yields.
function Client:disconnect()
	local channel = self.__sock
	if channel then
		self.__sock = false
		channel:close()
	end
end

---------------------------------------------------------------- databases and commands

--- A database of the server. Does not yield.
---@param name string
---@return skynet.db.mongo.database database
function Client:getDB(name)
	return database.new(self, name)
end

--- A number for the next request. Does not yield.
---@return integer
function Client:genId()
	local id = (self.__id + 1) & 0x7fffffff -- int32
	self.__id = id
	return id
end

--- Runs a command in the database "admin": see `runCommand` of skynet.db.mongo.database. Yields.
---@param ... any name and value of the command, then of its options
---@return table answer
function Client:runCommand(...)
	return self:getDB("admin"):runCommand(...)
end

--- Forgets who has logged in. Yields.
---@return boolean
function Client:logout()
	return self:runCommand("logout").ok == 1
end

--- Writes to several collections at once (MongoDB 8): see skynet.db.mongo.bulk. Yields.
Client.bulkWrite = bulk.write

return M
