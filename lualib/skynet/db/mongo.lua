--- A client of MongoDB (wire protocol OP_MSG). Tasks may share a client: requests run side by side on one
--- connection, which is made again after it was lost, to another member of the replica set if need be.
---
---     local client = mongo.client { host = "127.0.0.1", username = "me", password = "...", authdb = "admin" }
---     local players = client.game.players        -- database, collection
---     players:safe_insert { name = "Bob" }
---     local cursor = players:find({ level = { ["$gt"] = 3 } }):sort({ level = -1 }):limit(10)
---     while cursor:hasNext() do print(cursor:next().name) end
---
--- See skynet.db.mongo.client, .database, .collection and .cursor for what these objects can do.

local bson = require "bson"
local client = require "skynet.db.mongo.client"

---@class skynet.db.mongo
local M = {}

--- Values that Lua does not have, as of the module bson.
M.null = assert(bson.null)
M.maxkey = assert(bson.maxkey)
M.minkey = assert(bson.minkey)
--- type(value) -> string, any: what a value of BSON is.
---@type fun(value: any): string, any
M.type = assert(bson.type)

--- client(config) -> client: connects; see skynet.db.mongo.client.
---@type fun(config: table): skynet.db.mongo.client.Client
M.client = client.connect

local enabled = {}

--- Adds an extension, skynet.db.mongo.NAME; there is "transaction". Does not yield.
---@param name string
function M.enable(name)
	if not enabled[name] then
		enabled[name] = true
		require("skynet.db.mongo." .. name).init { mongo_db = require "skynet.db.mongo.database" }
	end
end

return M
