-- Clients of Redis, MySQL and MongoDB, against servers of a few lines that know one dialogue.
local skynet = require "skynet"
local socket = require "skynet.socket"
local sweep = require "sweep"
local servers = require "servers"

local LIMIT <const> = 100 -- 1/100 s

local function case(subject, name, func, ...)
	sweep.limited(subject, name, LIMIT, func, ...)
end

---------------------------------------------------------------- Redis

local function pipelines_of_redis(db)
	case("skynet.db.redis.pipeline", "without answers", function()
		return db:pipeline { { "ping" }, { "get", "a" } }
	end)
	case("skynet.db.redis.pipeline", "with answers", function()
		local list = {}
		local results = table.pack(db:pipeline({ { "ping" }, { "get", "a" }, { "fail" }, { "incr" } }, list))
		return results, list
	end)
	case("skynet.db.redis.pipeline", "nothing", function()
		return db:pipeline()
	end)
	case("skynet.db.redis.pipeline", "empty", function()
		return db:pipeline {}
	end)
end

local function replies_of_redis(db)
	for _, name in ipairs {
		"ping",
		"get",
		"missing",
		"incr",
		"keys",
		"empty",
		"none",
		"nested",
		"fail",
		"mixed",
		"exists",
		"sismember",
		"blank",
		"no_such",
	} do
		case("skynet.db.redis", name, function()
			return db[name](db, "argument", 5)
		end)
	end
end

local function connections_of_redis_that_end(db)
	case("skynet.db.redis", "broken answer", function()
		return db:broken()
	end)
	case("skynet.db.redis", "after that", function()
		return db:ping()
	end)
	case("skynet.db.redis", "cut answer", function()
		return (pcall(db.cut, db))
	end)
	case("skynet.db.redis", "connects again", function()
		return db:ping()
	end)
	case("skynet.db.redis.disconnect", "right", function()
		return db:disconnect()
	end)
	case("closed", "redis", function()
		return (pcall(db.ping, db))
	end)
	case("closed", "redis disconnect", function()
		return (pcall(db.disconnect, db))
	end)
end

local function watches_of_redis(redis, port)
	case("skynet.db.redis.watch", "message", function()
		local watch = redis.watch { host = "127.0.0.1", port = port }
		local subscribed = table.pack(watch:subscribe "c")
		local message = table.pack(watch:message())
		local left = table.pack(watch:unsubscribe "c")
		return subscribed, message, left, watch:disconnect()
	end)
	case("skynet.db.redis.watch", "pattern", function()
		local watch = redis.watch { host = "127.0.0.1", port = port }
		watch:psubscribe "p"
		local message = table.pack(watch:message())
		watch:disconnect()
		return message
	end)
end

local function redis_that_is_gone(redis, port)
	case("gone", "redis connect", function()
		return (pcall(redis.connect, { host = "127.0.0.1", port = port }))
	end)
	case("skynet.db.redis.connect", "nothing", redis.connect)
	case("skynet.db.redis.watch", "nothing", redis.watch)
end

local function redis()
	local redis = require "skynet.db.redis"
	local answers = {
		ping = "+PONG\r\n",
		get = "$5\r\nhello\r\n",
		missing = "$-1\r\n",
		incr = ":7\r\n",
		keys = "*3\r\n$1\r\na\r\n$-1\r\n:5\r\n",
		empty = "*0\r\n",
		none = "*-1\r\n",
		nested = "*2\r\n*1\r\n:1\r\n+x\r\n",
		fail = "-ERR of the server\r\n",
		broken = "?what\r\n",
		exists = ":1\r\n",
		sismember = ":0\r\n",
		auth = "+OK\r\n",
		select = "+OK\r\n",
		mixed = "*2\r\n-ERR inside\r\n:1\r\n",
		blank = "$0\r\n\r\n",
		cut = "$10\r\nabc",
	}
	local seen = {}
	local listener, port = servers.serve(function(read, line, write)
		while true do
			local words = servers.redis_request(read, line)
			seen[#seen + 1] = table.concat(words, " ")
			local name = string.lower(words[1])
			if name == "quit" then
				return
			elseif name == "subscribe" or name == "psubscribe" then
				write(string.format("*3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:1\r\n", #name, name, #words[2], words[2]))
				write(string.format("*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$4\r\ntext\r\n", #words[2], words[2]))
			elseif name == "unsubscribe" then
				write "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n"
			else
				write(answers[name] or "-ERR unknown command\r\n")
				if name == "cut" then
					return
				end
			end
		end
	end)
	local db
	case("skynet.db.redis.connect", "right", function()
		db = redis.connect { host = "127.0.0.1", port = port, auth = "secret", db = 2 }
		return type(db), type(getmetatable(db)), seen
	end)
	replies_of_redis(db)
	case("skynet.db.redis", "what was sent", function()
		seen = {}
		db:get("a", 1, 1.5, "")
		db:get { "list", "of", 3 }
		return seen
	end)
	pipelines_of_redis(db)
	connections_of_redis_that_end(db)
	watches_of_redis(redis, port)
	socket.close(listener)
	skynet.sleep(1)
	redis_that_is_gone(redis, port)
end

---------------------------------------------------------------- MySQL

local lenenc, packet, column = servers.lenenc, servers.packet, servers.column
local EOF_PACKET <const>, OK <const> = servers.EOF_PACKET, servers.OK

local function resultset(columns, rows)
	local parts, sequence = {}, 1
	local function add(payload)
		parts[#parts + 1] = packet(sequence, payload)
		sequence = sequence + 1
	end
	add(string.char(#columns))
	for _, entry in ipairs(columns) do
		add(column(entry[1], entry[2]))
	end
	add(EOF_PACKET)
	for _, row in ipairs(rows) do
		add(row)
	end
	add(EOF_PACKET)
	return table.concat(parts)
end

local function queries_of_mysql(db)
	case("skynet.db.mysql.query", "rows", function()
		return db:query "rows"
	end)
	case("skynet.db.mysql.query", "no rows", function()
		return db:query "no rows"
	end)
	case("skynet.db.mysql.query", "no result", function()
		return db:query "update"
	end)
	case("skynet.db.mysql.query", "fails", function()
		return db:query "fail"
	end)
	case("skynet.db.mysql.query", "nothing", function()
		return db:query()
	end)
	case("skynet.db.mysql.ping", "right", function()
		return db:ping()
	end)
	case("skynet.db.mysql.server_ver", "right", function()
		return db:server_ver()
	end)
	case("skynet.db.mysql.set_compact_arrays", "right", function()
		local results = table.pack(db:set_compact_arrays(true))
		return results.n, db:query "rows"
	end)
	case("skynet.db.mysql.query", "the other side closes", function()
		return (pcall(db.query, db, "bye"))
	end)
	case("skynet.db.mysql.query", "connects again", function()
		return db:query "update"
	end)
end

local function mysql()
	local mysql = require "skynet.db.mysql"
	local refuse = false
	local listener, port = servers.serve(function(read, _, write)
		write(servers.GREETING)
		local function take()
			local length = string.unpack("<I3", read(4))
			return length > 0 and read(length) or ""
		end
		take()
		if refuse then
			write(packet(2, "\xff" .. string.pack("<I2", 1045) .. "#28000" .. "Access denied"))
			return
		end
		write(packet(2, OK))
		while true do
			local query = take()
			local command, text = string.byte(query), string.sub(query, 2)
			if command == 0x0e then
				write(packet(1, OK))
			elseif text == "rows" then
				write(resultset({ { "id", 3 }, { "name", 253 }, { "price", 5 }, { "none", 253 } }, {
					lenenc "1" .. lenenc "one" .. lenenc "1.5" .. "\xfb",
					lenenc "2" .. lenenc "" .. lenenc "-2" .. lenenc "x",
				}))
			elseif text == "no rows" then
				write(resultset({ { "id", 3 } }, {}))
			elseif text == "fail" then
				write(packet(1, "\xff" .. string.pack("<I2", 1064) .. "#42000" .. "You have an error"))
			elseif text == "bye" then
				return
			else
				write(packet(1, OK))
			end
		end
	end)
	local db
	local options <const> = { host = "127.0.0.1", port = port, user = "me", password = "secret", database = "game" }
	case("skynet.db.mysql.connect", "right", function()
		db = mysql.connect(options)
		return type(db)
	end)
	queries_of_mysql(db)
	case("skynet.db.mysql.disconnect", "right", function()
		return db:disconnect()
	end)
	case("closed", "mysql", function()
		return (pcall(db.query, db, "rows"))
	end)
	case("closed", "mysql disconnect", function()
		return (pcall(db.disconnect, db))
	end)
	case("skynet.db.mysql.connect", "refused by the server", function()
		refuse = true
		local ok, problem = pcall(mysql.connect, options)
		return ok, type(problem)
	end)
	socket.close(listener)
	skynet.sleep(1)
	case("gone", "mysql connect", function()
		return (pcall(mysql.connect, options))
	end)
	case("skynet.db.mysql.connect", "nothing", mysql.connect)
	for name, text in pairs { plain = "a", quote = "a'b\"c", backslash = "a\\b", control = "\0\n\r\26\t\8", empty = "" } do
		case("skynet.db.mysql.quote_sql_str", name, mysql.quote_sql_str, text)
	end
	case("skynet.db.mysql.quote_sql_str", "number", mysql.quote_sql_str, 5)
	case("skynet.db.mysql.quote_sql_str", "nothing", mysql.quote_sql_str)
end

---------------------------------------------------------------- MongoDB

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

sweep.run(function()
	redis()
	mysql()
	mongo()
end)
