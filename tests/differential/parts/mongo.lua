-- skynet.db.mongo, for the suite of databases.
local sweep = require "sweep"
local socket = require "skynet.socket"
local servers = require "servers"

local LIMIT <const> = 100 -- 1/100 s

local function case(subject, name, func, ...)
	sweep.limited(subject, name, LIMIT, func, ...)
end

local bson = require "bson"

local MORE_TO_COME <const> = 2 -- flag of a message that wants no answer
local COMMANDS <const> = {
	"findAndModify",
	"find",
	"getMore",
	"count",
	"fail",
	"insert",
	"update",
	"delete",
	"hello",
	"ismaster",
	"dropIndexes",
	"drop",
	"createIndexes",
	"aggregate",
	"bulkWrite",
	"logout",
	"ping",
	"saslStart",
	"killCursors",
	"distinct",
}
local answers = {
	find = function(body)
		local id = bson.int64(string.find(body, "more\0", 1, true) and 5 or 0)
		return { ok = 1.0, cursor = { id = id, ns = "db.c", firstBatch = { { x = "a" }, { x = "b" } } } }
	end,
	getMore = function()
		return { ok = 1.0, cursor = { id = bson.int64(0), ns = "db.c", nextBatch = { { x = "c" } } } }
	end,
	count = function()
		return { ok = 1.0, n = 2 }
	end,
	aggregate = function()
		return { ok = 1.0, cursor = { id = bson.int64(0), ns = "db.c", firstBatch = { { x = "a", __count = 1 } } } }
	end,
	findAndModify = function()
		return { ok = 1.0, value = { x = 1 } }
	end,
	fail = function()
		return { ok = 0.0, errmsg = "of the server", code = 59 }
	end,
	distinct = function()
		return { ok = 1.0, values = { 1, 2 } }
	end,
	insert = function(body)
		if string.find(body, "bad\0", 1, true) then
			return { ok = 1.0, n = 0, writeErrors = { { index = 0, code = 11000, errmsg = "duplicate" } } }
		end
		return { ok = 1.0, n = 1 }
	end,
}

local function mongo_cursors(take, collection, try)
	try("findOne", "right", { x = 1 })
	try("findOne", "selected", { x = 1 }, { x = 1 })
	try("findOne", "nil", nil)
	case("skynet.db.mongo cursor", "all", function()
		local list = {}
		local cursor = collection:find { x = 1 }
		while cursor:hasNext() do
			list[#list + 1] = cursor:next()
		end
		cursor:close()
		return list, take()
	end)
	case("skynet.db.mongo cursor", "more", function()
		local list = {}
		local cursor = collection:find({ more = 1 }):sort({ x = 1 }):skip(1):limit(10)
		while cursor:hasNext() do
			list[#list + 1] = cursor:next().x
		end
		return list, take()
	end)
	case("skynet.db.mongo cursor", "count", function()
		return collection:find({ x = 1 }):count(), take()
	end)
	case("skynet.db.mongo cursor", "next without hasNext", function()
		return collection:find({ x = 1 }):next()
	end)
end

local function mongo_collections(take, client, db, collection, on, try)
	try("insert", "right", { x = 1 })
	try("safe_insert", "right", { x = 1 })
	try("safe_insert", "refused", { bad = 1 })
	try("batch_insert", "right", { { x = 1 }, { x = 2 } })
	try("safe_batch_insert", "right", { { x = 1 }, { x = 2 } })
	try("update", "right", { x = 1 }, { ["$set"] = { x = 2 } })
	try("safe_update", "right", { x = 1 }, { ["$set"] = { x = 2 } }, true, false)
	try("safe_batch_update", "right", { { { x = 1 }, { ["$set"] = { x = 2 } }, false, true } })
	try("delete", "right", { x = 1 })
	try("safe_delete", "right", { x = 1 }, true)
	try("safe_batch_delete", "right", { { x = 1 } }, true)
	try("findAndModify", "right", { query = { x = 1 }, update = { x = 2 } })
	try("createIndex", "right", { x = 1 }, { unique = true })
	try("ensureIndex", "right", { x = 1 }, { unique = true })
	try("createIndexes", "right", { "x", { y = -1 }, unique = true })
	try("drop", "right")
	try("dropIndex", "right", "name")
	try("findOne", "nothing")
	try("batch_update", "right", { { query = { x = 1 }, update = { x = 2 } } })
	for _, name in ipairs { "raw_safe_insert", "raw_safe_update", "raw_safe_delete" } do
		try(name, "right", bson.encode { x = 1 })
	end
	case("skynet.db.mongo collection", "aggregate", function()
		local cursor = collection:aggregate({ { ["$match"] = { x = 1 } } }, { allowDiskUse = true })
		local more = cursor:hasNext()
		return more, more and cursor:next() or nil, take()
	end)
	case("skynet.db.mongo collection", "aggregate count", function()
		return collection:aggregate({ { ["$match"] = { x = 1 } } }):count(), take()
	end)
	case("skynet.db.mongo cursor", "settings", function()
		local cursor = collection:find({ x = 1 }):batchSize(2):hint({ x = 1 }):maxTimeMS(50)
		return cursor:hasNext(), take()
	end)
	case("skynet.db.mongo client", "genId", function()
		return client:genId() < client:genId()
	end)
	case("skynet.db.mongo client", "logout", on(client, "logout"))
	case("skynet.db.mongo client", "bulkWrite", on(client, "bulkWrite"), {
		{ op = "insert", collection = "game.things", insert = { x = 1 } },
		{ op = "update", collection = "game.things", filter = { x = 1 }, update = { ["$set"] = { x = 2 } } },
		{ op = "delete", collection = "game.others", filter = { x = 1 } },
	})
	case("skynet.db.mongo db", "send_command", on(db, "send_command"), "ping")
	case("skynet.db.mongo db", "auth refused", function()
		local ok, result = pcall(db.auth, db, "user", "password")
		return ok and result or "refused"
	end)
end

local function mongo()
	local mongo = require "skynet.db.mongo"
	local asked = {}
	local listener, port = servers.serve(function(read, _, write)
		while true do
			local length, id = string.unpack("<i4i4", read(16))
			local body = read(length - 16)
			local known
			for _, name in ipairs(COMMANDS) do
				-- The command is the first field of the document: a type and a name.
				if string.sub(body, 11, 11 + #name) == name .. "\0" then
					known = name
				end
			end
			asked[#asked + 1] = known or "?"
			local reply = tostring(
				bson.encode(
					answers[known] and answers[known](body) or { ok = 1.0, n = 1, nModified = 1, ismaster = true }
				)
			)
			if string.unpack("<I4", body) & MORE_TO_COME == 0 then
				write(string.pack("<i4i4i4i4I4B", 16 + 5 + #reply, 1, id, 2013, 0, 0) .. reply)
			end
		end
	end)
	local function take()
		local list = table.concat(asked, " ")
		asked = {}
		return list
	end
	local client, db, collection
	case("skynet.db.mongo.client", "right", function()
		client = mongo.client { host = "127.0.0.1", port = port }
		db = client:getDB "game"
		collection = db.things
		return type(client), type(db), type(collection), collection == db:getCollection "things", client.game == db
	end)
	asked = {}
	local function on(object, name)
		return function(...)
			local results = table.pack(object[name](object, ...))
			return take(), table.unpack(results, 1, results.n)
		end
	end
	local function try(name, label, ...)
		case("skynet.db.mongo collection", name .. " " .. label, on(collection, name), ...)
	end
	case("skynet.db.mongo db", "runCommand", on(db, "runCommand"), "ping")
	case("skynet.db.mongo db", "runCommand with fields", on(db, "runCommand"), "count", "things", "query", {})
	case("skynet.db.mongo db", "runCommand that fails", on(db, "runCommand"), "fail", 1)
	case("skynet.db.mongo client", "runCommand", on(client, "runCommand"), "ping")
	mongo_cursors(take, collection, try)
	asked = {}
	mongo_collections(take, client, db, collection, on, try)
	asked = {}
	case("skynet.db.mongo client", "disconnect", function()
		return client:disconnect()
	end)
	case("closed", "mongo", function()
		return (pcall(collection.findOne, collection, { x = 1 }))
	end)
	case("skynet.db.mongo.client", "nothing", mongo.client)
	case("skynet.db.mongo.type", "is", function()
		return mongo.type == bson.type, mongo.type(1)
	end)
	case("skynet.db.mongo.enable", "unknown", mongo.enable, "no such")
	case("gone", "mongo client", function()
		return (pcall(mongo.client, { host = "127.0.0.1", port = 1 }))
	end)
	socket.close(listener)
end

return mongo
