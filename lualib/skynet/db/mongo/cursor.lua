--- Searches in MongoDB: described by `find` and `aggregate` of a collection, refined by methods that
--- return the cursor, and run by `hasNext`.
---
---     while cursor:hasNext() do local document = cursor:next() ... end

local bson = require "bson"
local answers = require "skynet.db.mongo.answer"

local M = {}

local EMPTY <const> = bson.encode {}

---------------------------------------------------------------- what both kinds have

---@class skynet.db.mongo.cursor.Cursor
---@field private collection skynet.db.mongo.collection.Collection
---@field private batch table[]
---@field private position integer
---@field private finished boolean
local Cursor = {}

local function new(class, collection, fields)
	fields.collection = collection
	fields.batch, fields.position = {}, 1
	fields.id = nil -- of the server; nil before the first answer
	fields.finished = false
	return setmetatable(fields, class)
end

--- Whether there is another document. Yields when the server has to be asked.
---@return boolean more. Raises when the server reports an error
function Cursor:hasNext()
	while self.position > #self.batch do
		if self.finished then
			return false
		end
		local collection = self.collection
		local answer
		if self.id == nil then
			answer = self:_start()
		else
			local size = self._batchSize
			if size and size > 0 then
				answer = collection.database:runCommand(
					"getMore",
					bson.int64(self.id),
					"collection",
					collection.name,
					"batchSize",
					size
				)
			else
				answer = collection.database:runCommand("getMore", bson.int64(self.id), "collection", collection.name)
			end
		end
		if answer.ok ~= 1 then
			self.finished = true
		end
		self.batch, self.id = answers.batch(answer)
		self.position = 1
		self.finished = self.id == 0
	end
	return true
end

--- The next document; only after `hasNext`. Does not yield.
---@return table
function Cursor:next()
	local document = self.batch[self.position]
	if document == nil then
		error "Call hasNext first"
	end
	self.position = self.position + 1
	return document
end

--- Tells the server that the rest is not wanted. Does not wait for it.
function Cursor:close()
	if self.id and self.id ~= 0 and not self.finished then
		local collection = self.collection
		collection.database:send_command("killCursors", collection.name, "cursors", { bson.int64(self.id) })
	end
	self.finished = true
end

--- Sets the order.
---@param key table { field = 1 or -1 }; for several fields one such table each, in their order
---@param ... table
---@return self
function Cursor:sort(key, ...)
	if select("#", ...) > 0 then
		local list = {}
		for _, item in ipairs { key, ... } do
			local field, direction = next(item)
			list[#list + 1], list[#list + 2] = field, direction
		end
		key = bson.encode_order(table.unpack(list))
	end
	self._sort = key
	return self
end

local function setter(name)
	local field = "_" .. name
	return function(self, value)
		self[field] = value
		return self
	end
end

--- skip(n) -> self: leaves out the first n documents.
---@type fun(self: skynet.db.mongo.cursor.Cursor, n: integer): self
Cursor.skip = setter "skip"
--- limit(n) -> self: at most n documents; 0: no limit.
---@type fun(self: skynet.db.mongo.cursor.Cursor, n: integer): self
Cursor.limit = setter "limit"
--- batchSize(n) -> self: how many documents an answer of the server has.
---@type fun(self: skynet.db.mongo.cursor.Cursor, n: integer): self
Cursor.batchSize = setter "batchSize"

---------------------------------------------------------------- find

---@class skynet.db.mongo.cursor.Find : skynet.db.mongo.cursor.Cursor
local Find = { hint = setter "hint", maxTimeMS = setter "maxTimeMS" }
Find.__index = Find
for name, method in pairs(Cursor) do
	Find[name] = method
end

-- Names and values of the fields that are set, out of those named.
local function fields_of(self, ...)
	local list = {}
	for _, name in ipairs { ... } do
		local value = self["_" .. name]
		if value ~= nil then
			list[#list + 1], list[#list + 2] = name, value
		end
	end
	return table.unpack(list)
end

function Find:_start()
	local collection = self.collection
	return collection.database:runCommand(
		"find",
		collection.name,
		"filter",
		self.query,
		"sort",
		self._sort or EMPTY,
		"projection",
		self.projection,
		fields_of(self, "skip", "limit", "hint", "maxTimeMS", "batchSize")
	)
end

--- How many documents there are. Yields.
---@param limited boolean? take `skip` and `limit` into account
---@return integer count. Raises when the server reports an error
function Find:count(limited)
	local collection = self.collection
	local function run(...)
		return answers.check(collection.database:runCommand("count", collection.name, "query", self.query, ...)).n
	end
	if limited then
		return run(fields_of(self, "skip", "limit", "hint", "maxTimeMS"))
	end
	return run(fields_of(self, "hint", "maxTimeMS"))
end

function M.find(collection, query, projection)
	return new(Find, collection, {
		query = bson.encode(query or {}),
		projection = bson.encode(projection or {}),
	})
end

---------------------------------------------------------------- aggregate

local Aggregate = {}
Aggregate.__index = Aggregate
for name, method in pairs(Cursor) do
	Aggregate[name] = method
end

-- The stages, followed by those that `sort`, `skip`, `limit` and `count` ask for.
local function stages(self, limited, counted)
	local list = table.move(self.pipeline, 1, #self.pipeline, 1, {})
	if self._sort and not counted then
		list[#list + 1] = { ["$sort"] = self._sort }
	end
	if limited and (self._skip or 0) > 0 then
		list[#list + 1] = { ["$skip"] = self._skip }
	end
	if limited and (self._limit or 0) > 0 then
		list[#list + 1] = { ["$limit"] = self._limit }
	end
	if counted then
		list[#list + 1] = { ["$count"] = "__count" }
	end
	return list
end

local function run(self, pipeline)
	local collection = self.collection
	return collection.database:runCommand(
		"aggregate",
		collection.name,
		"pipeline",
		pipeline,
		table.unpack(self.options)
	)
end

function Aggregate:_start()
	return run(self, stages(self, true, false))
end

--- How many documents there are. Yields.
---@param limited boolean? take `skip` and `limit` into account
---@return integer count. Raises when the server reports an error
function Aggregate:count(limited)
	local first = answers.batch(run(self, stages(self, limited, true)))[1]
	return first and first.__count or 0
end

function M.aggregate(collection, pipeline, options)
	local list = {}
	for name, value in pairs(options or {}) do
		list[#list + 1], list[#list + 2] = name, value
	end
	if not options or (options.cursor == nil and options.explain == nil) then
		list[#list + 1], list[#list + 2] = "cursor", EMPTY
	end
	return new(Aggregate, collection, {
		pipeline = table.move(assert(pipeline), 1, #pipeline, 1, {}),
		options = list,
	})
end

return M
