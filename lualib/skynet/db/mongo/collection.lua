--- A collection of MongoDB.
---
--- The methods named `safe_...` wait for the server and return ok, problem and its answer; those without
--- send what is to be done and do not learn what became of it.

local bson = require "bson"
local answer = require "skynet.db.mongo.answer"
local cursor = require "skynet.db.mongo.cursor"
local index = require "skynet.db.mongo.index"

local encode = bson.encode

local M = {}
---@class skynet.db.mongo.collection.Collection
---@field connection skynet.db.mongo.client.Client
---@field database skynet.db.mongo.database
---@field name string
---@field full_name string
---@field [string] skynet.db.mongo.collection.Collection see `getCollection`
local Collection = {}

local metatable = {
	__index = function(self, key)
		return Collection[key] or Collection.getCollection(self, key)
	end,
	__tostring = function(self)
		return "[mongo collection : " .. rawget(self, "full_name") .. "]"
	end,
}

--- A collection of a database, or below of another collection.
function M.new(parent, name)
	return setmetatable({
		connection = parent.connection,
		database = parent.database,
		name = name,
		full_name = parent.full_name .. "." .. name,
	}, metatable)
end

--- A collection below this one in `full_name`; commands use its own `name`. Does not yield.
---@param name string
---@return skynet.db.mongo.collection.Collection
function Collection:getCollection(name)
	local found = M.new(self, name)
	rawset(self, name, found)
	return found
end

---------------------------------------------------------------- writing

local function write(self, command, field, list)
	return answer.of_write(self.database:runCommand(command, self.name, field, list))
end

local function send(self, command, field, list)
	self.database:send_command(command, self.name, field, list)
end

-- Encodes documents in place, each with an id.
local function encode_new(documents)
	for i, document in ipairs(documents) do
		if document._id == nil then
			document._id = bson.objectid()
		end
		documents[i] = encode(document)
	end
	return documents
end

local function update_of(query, update, upsert, multi)
	return encode { q = query, u = update, upsert = upsert, multi = multi }
end

local function updates_of(updates)
	local list = {}
	for i, one in ipairs(updates) do
		list[i] = update_of(one.query, one.update, one.upsert, one.multi)
	end
	return list
end

local function delete_of(query, single)
	return encode { q = query, limit = single and 1 or 0 }
end

--- Adds a document; it gets an `_id` if it has none.
---@param document table
function Collection:insert(document)
	send(self, "insert", "documents", encode_new { document })
end

--- Adds a document. Yields.
---@param document table
---@return boolean ok, string? problem, table answer
function Collection:safe_insert(document)
	return write(self, "insert", "documents", { encode(document) })
end

--- Adds a document that is encoded already. Yields.
---@param document userdata of bson.encode
---@return boolean ok, string? problem, table answer
function Collection:raw_safe_insert(document)
	return write(self, "insert", "documents", { document })
end

--- Adds documents; the list holds them encoded afterwards.
---@param documents table[]
function Collection:batch_insert(documents)
	send(self, "insert", "documents", encode_new(documents))
end

--- Adds documents; the list holds them encoded afterwards. Yields.
---@param documents table[]
---@return boolean ok, string? problem, table answer
function Collection:safe_batch_insert(documents)
	return write(self, "insert", "documents", encode_new(documents))
end

Collection.insert_many = Collection.batch_insert
Collection.safe_insert_many = Collection.safe_batch_insert

--- Changes documents.
---@param query table which ones
---@param update table
---@param upsert boolean? add one if there is none
---@param multi boolean? all of them, not just the first
function Collection:update(query, update, upsert, multi)
	send(self, "update", "updates", { update_of(query, update, upsert, multi) })
end

--- Changes documents. Yields.
---@param query table which ones
---@param update table
---@param upsert boolean? add one if there is none
---@param multi boolean? all of them, not just the first
---@return boolean ok, string? problem, table answer
function Collection:safe_update(query, update, upsert, multi)
	return write(self, "update", "updates", { update_of(query, update, upsert, multi) })
end

--- Does several changes.
---@param updates table[] each { query =, update =, upsert =, multi = }
function Collection:batch_update(updates)
	send(self, "update", "updates", updates_of(updates))
end

--- Does several changes. Yields.
---@param updates table[] as for `batch_update`
---@return boolean ok, string? problem, table answer
function Collection:safe_batch_update(updates)
	return write(self, "update", "updates", updates_of(updates))
end

--- Does a change that is encoded already. Yields.
---@param update userdata of bson.encode
---@return boolean ok, string? problem, table answer
function Collection:raw_safe_update(update)
	return write(self, "update", "updates", { update })
end

--- Removes documents.
---@param query table which ones
---@param single boolean? only the first
function Collection:delete(query, single)
	send(self, "delete", "deletes", { delete_of(query, single) })
end

--- Removes documents. Yields.
---@param query table which ones
---@param single boolean? only the first
---@return boolean ok, string? problem, table answer
function Collection:safe_delete(query, single)
	return write(self, "delete", "deletes", { delete_of(query, single) })
end

--- Removes documents by several queries. Yields.
---@param queries table[]
---@param single boolean? only the first of each
---@return boolean ok, string? problem, table answer
function Collection:safe_batch_delete(queries, single)
	local list = {}
	for i, query in ipairs(queries) do
		list[i] = delete_of(query, single)
	end
	return write(self, "delete", "deletes", list)
end

--- Removes by a query that is encoded already. Yields.
---@param delete userdata of bson.encode
---@return boolean ok, string? problem, table answer
function Collection:raw_safe_delete(delete)
	return write(self, "delete", "deletes", { delete })
end

--- Changes or removes one document and returns it. Yields.
---@param fields table query =, and update = or remove = true; sort, new, fields, upsert as of MongoDB's manual
---@return table answer with `value`
function Collection:findAndModify(fields)
	assert(fields.query)
	assert(fields.update or fields.remove)
	local list = {}
	for name, value in pairs(fields) do
		list[#list + 1] = name
		list[#list + 1] = value
	end
	return self.database:runCommand("findAndModify", self.name, table.unpack(list))
end

---------------------------------------------------------------- reading

--- Finds a document. Yields.
---@param query table? nil: any
---@param projection table? which fields
---@return table? document. Raises when the server reports an error
function Collection:findOne(query, projection)
	local found = answer.batch(
		self.database:runCommand(
			"find",
			self.name,
			"filter",
			encode(query or {}),
			"limit",
			1,
			"projection",
			encode(projection or {})
		)
	)
	return found[1]
end

--- Describes a search. Does not yield.
---@param query table? nil: all
---@param projection table? which fields
---@return skynet.db.mongo.cursor.Find cursor see skynet.db.mongo.cursor
function Collection:find(query, projection)
	return cursor.find(self, query, projection)
end

--- Describes a search through stages. Does not yield.
---@param pipeline table[]
---@param options table? more fields of the command
---@return skynet.db.mongo.cursor.Cursor cursor see skynet.db.mongo.cursor
function Collection:aggregate(pipeline, options)
	return cursor.aggregate(self, pipeline, options)
end

---------------------------------------------------------------- indexes

--- Makes an index. Yields.
---
---     players:createIndex { "name", { level = -1 }, unique = true }
---     players:createIndex({ name = 1 }, { unique = true }) -- one key only
---@param keys table
---@param options table?
---@return table answer
function Collection:createIndex(keys, options)
	local model = options and index.of_key(keys, options) or index.of_keys(keys)
	return self.database:runCommand("createIndexes", self.name, "indexes", { model })
end

Collection.ensureIndex = Collection.createIndex

--- Makes several indexes. Yields.
---@param ... table as for `createIndex` with one argument
---@return table answer
function Collection:createIndexes(...)
	local models = {}
	for i, keys in ipairs { ... } do
		models[i] = index.of_keys(keys)
	end
	return self.database:runCommand("createIndexes", self.name, "indexes", models)
end

--- Removes an index. Yields.
---@param name string "*": all
---@return table answer
function Collection:dropIndex(name)
	return self.database:runCommand("dropIndexes", self.name, "index", name)
end

--- Removes the collection. Yields.
---@return table answer
function Collection:drop()
	return self.database:runCommand("drop", self.name)
end

return M
