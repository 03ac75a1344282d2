--- A database of MongoDB. Its fields that are not methods are collections: `db.players` is
--- `db:getCollection "players"`.

local bson = require "bson"
local driver = require "skynet.mongo.driver"
local collection = require "skynet.db.mongo.collection"
local auth = require "skynet.db.mongo.auth"

-- The methods; extensions (`mongo.enable`) add more.
---@class skynet.db.mongo.database
---@field connection skynet.db.mongo.client.Client
---@field database skynet.db.mongo.database itself
---@field full_name string
---@field name string
---@field [string] skynet.db.mongo.collection.Collection see `getCollection`
local Database = {}

local metatable = {
	__index = function(self, key)
		return rawget(Database, key) or Database.getCollection(self, key)
	end,
	__tostring = function(self)
		return "[mongo db : " .. rawget(self, "name") .. "]"
	end,
}

local MORE_TO_COME <const> = 2 -- flag of a message: no answer is wanted
local UNACKNOWLEDGED <const> = { w = 0 }

--- A database of a client. Does not yield.
---@param client skynet.db.mongo.client.Client
---@param name string
---@return skynet.db.mongo.database
function Database.new(client, name)
	local self = {
		connection = client,
		name = name,
		full_name = name,
	}
	self.database = self
	return setmetatable(self, metatable)
end

--- Runs a command. Yields.
---@param command string
---@param value any? default 1
---@param ... any names and values of its other fields, in this order
---@return table answer with `ok` 1, or else `errmsg`. Raises when the connection is lost
function Database:runCommand(command, value, ...)
	local client = self.connection
	local id = client:genId()
	local document = bson.encode_order(command, value == nil and 1 or value, "$db", self.name, ...)
	-- The answer's document is a pointer into its data, so that has to stay as well.
	local answer = client.__sock:request(driver.op_msg(id, 0, document), id)
	return bson.decode(answer.document)
end

--- Sends a command that is not answered. Yields only to connect.
---@param command string
---@param value any? default 1
---@param ... any names and values of its other fields
---@return table answer with `ok` 1, whatever becomes of it
function Database:send_command(command, value, ...)
	local client = self.connection
	local document =
		bson.encode_order(command, value == nil and 1 or value, "$db", self.name, "writeConcern", UNACKNOWLEDGED, ...)
	client.__sock:request(driver.op_msg(client:genId(), MORE_TO_COME, document))
	return { ok = 1 }
end

--- Logs in with this database. Yields.
---@param user string
---@param password string
---@return boolean ok, string? problem
function Database:auth(user, password)
	return auth(self, user, password, self.connection.authmod)
end

--- A collection. Does not yield.
---@param name string
---@return skynet.db.mongo.collection.Collection
function Database:getCollection(name)
	local found = collection.new(self, name)
	rawset(self, name, found)
	return found
end

return Database
