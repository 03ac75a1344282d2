-- skynet.db.mongo against the server of mongo_peer.py: setting mongo_port.
-- What the C project's module does otherwise: an empty search that is asked twice says that there is more; `count` of an
-- empty aggregate raises; no SCRAM-SHA-256.
local skynet = require "skynet"
local bson = require "bson"
local mongo = require "skynet.db.mongo"
local socketchannel = require "skynet.socketchannel"
local check = require "check"
local abandon = require "abandon"

local cases = {}

local function connect(changes)
	local config = { host = "127.0.0.1", port = tonumber(skynet.getenv "mongo_port") }
	for name, value in pairs(changes or {}) do
		config[name] = value
	end
	return mongo.client(config)
end

-- An empty collection.
local function fresh()
	local client = connect()
	local db = client.game
	db.t:drop()
	return db.t, db, client
end

-- A collection with documents { n = 1..count }.
local function numbered(count)
	local t, db, client = fresh()
	local documents = {}
	for i = 1, count do
		documents[i] = { n = i }
	end
	assert(t:safe_batch_insert(documents))
	return t, db, client
end

local function all(cursor)
	local list = {}
	while cursor:hasNext() do
		list[#list + 1] = cursor:next().n
	end
	return list
end

function cases.documents_are_written_and_found()
	local t = fresh()
	local ok, problem, answer = t:safe_insert { n = 1, name = "Bob", list = { 1, 2, { x = true } } }
	check.equal({ ok, problem, answer.n }, { true, nil, 1 })
	local found = t:findOne { n = 1 }
	check.equal({ found.name, found.list }, { "Bob", { 1, 2, { x = true } } })
	assert(found._id)
	check.equal(t:findOne { n = 2 }, nil)
	check.equal(t:findOne({ n = 1 }, { name = 1, _id = 0 }), { name = "Bob" })
	check.equal(t:safe_update({ n = 1 }, { ["$set"] = { name = "Eve" } }), true)
	check.equal(t:findOne().name, "Eve")
	check.equal(t:safe_update({ n = 5 }, { ["$set"] = { name = "new" } }, true), true)
	check.equal(t:findOne { n = 5 }.name, "new")
	check.equal(
		t:safe_batch_update {
			{ query = { n = 1 }, update = { ["$inc"] = { n = 10 } } },
			{ query = { n = { ["$gt"] = 0 } }, update = { ["$set"] = { all = true } }, multi = true },
		},
		true
	)
	check.equal(t:find { all = true }:count(), 2)
	check.equal(t:raw_safe_insert(bson.encode { n = 6 }), true)
	check.equal(t:raw_safe_update(bson.encode { q = { n = 6 }, u = { ["$set"] = { n = 7 } } }), true)
	check.equal(select(3, t:raw_safe_delete(bson.encode { q = { n = 7 }, limit = 1 })).n, 1)
	check.equal(select(3, t:safe_delete { n = 11 }).n, 1)
	check.equal(t:find():count(), 1)
end

function cases.writes_without_an_answer_arrive_in_order()
	local t = fresh()
	local document = { n = 1 }
	t:insert(document)
	assert(document._id)
	t:batch_insert { { n = 2 }, { n = 3 }, { n = 4 } }
	t:update({ n = 1 }, { ["$set"] = { n = 10 } })
	t:batch_update { { query = { n = 2 }, update = { ["$set"] = { n = 20 } } } }
	t:delete({ n = 3 }, true)
	check.equal(all(t:find():sort { n = 1 }), { 4, 10, 20 })
end

function cases.failed_writes_say_why()
	local t = fresh()
	t:createIndex({ n = 1 }, { unique = true, name = "only" })
	assert(t:safe_insert { n = 1 })
	local ok, problem, answer = t:safe_insert { n = 1 }
	check.equal(ok, false)
	assert(string.find(problem, "duplicate key error", 1, true))
	check.equal(answer.writeErrors[1].code, 11000)
	t:dropIndex "only"
	check.equal(t:safe_insert { n = 1 }, true)
	check.equal(t:dropIndex "none".ok, 0)
end

function cases.cursors_fetch_as_they_go()
	local t, db = numbered(250)
	check.equal(#all(t:find()), 250)
	check.equal(all(t:find():sort { n = -1 }:skip(10):limit(3)), { 240, 239, 238 })
	check.equal(all(t:find { n = { ["$lt"] = 4 } }:sort({ n = -1 }, { _id = 1 })), { 3, 2, 1 })
	check.equal(#all(t:find():batchSize(7)), 250)
	check.equal(#all(t:find():limit(150)), 150)
	check.equal(
		{ t:find():limit(5):count(), t:find():limit(5):count(true), t:find():skip(248):count(true) },
		{ 250, 5, 2 }
	)
	local none = t:find { n = -1 }
	check.equal({ none:hasNext(), none:hasNext() }, { false, false })
	check.raises("Call hasNext first", none.next, none)
	local cursor = t:find():batchSize(10)
	check.equal(cursor:hasNext(), true)
	check.equal(db:runCommand "cursors".n, 1)
	cursor:close()
	check.equal(db:runCommand "cursors".n, 0)
	cursor = t:find():batchSize(10)
	cursor:hasNext()
	db:runCommand("killCursors", "t", "cursors", { bson.int64(cursor.id) })
	for _ = 1, 10 do
		cursor:next()
	end
	check.raises("not found", cursor.hasNext, cursor)
	check.equal(cursor:hasNext(), false)
end

function cases.stages_are_run()
	local t, db = numbered(20)
	local answer = db:runCommand("aggregate", "t", "pipeline", {
		{ ["$group"] = { _id = mongo.null, total = { ["$sum"] = "$n" } } },
	}, "cursor", {})
	check.equal(answer.cursor.firstBatch[1].total, 210)
	local pipeline = { { ["$match"] = { n = { ["$gt"] = 10 } } } }
	check.equal(all(t:aggregate(pipeline):sort { n = -1 }:skip(1):limit(2)), { 19, 18 })
	check.equal(
		all(t:aggregate(pipeline, { cursor = { batchSize = 3 } }):sort { n = 1 }),
		{ 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }
	)
	check.equal({ t:aggregate(pipeline):count(), t:aggregate(pipeline):limit(4):count(true) }, { 10, 4 })
	check.equal(t:aggregate({ { ["$match"] = { n = 0 } } }):count(), 0)
	check.equal(#pipeline, 1)
	local bad = t:aggregate { { ["$nonsense"] = {} } }
	check.raises("Unrecognized pipeline stage", bad.hasNext, bad)
end

function cases.one_document_is_changed_and_returned()
	local t = numbered(3)
	local answer = t:findAndModify { query = { n = 2 }, update = { ["$inc"] = { n = 10 } }, new = true }
	check.equal(answer.value.n, 12)
	check.equal(t:findAndModify { query = { n = { ["$gt"] = 0 } }, sort = { n = -1 }, remove = true }.value.n, 12)
	check.equal(
		t:findAndModify { query = { n = 99 }, update = { ["$set"] = { x = 1 } }, upsert = true, new = true }.value.x,
		1
	)
	check.equal(t:find():count(), 3)
end

function cases.indexes_are_described()
	local t = fresh()
	check.equal(t:createIndex { "a", { b = -1 }, unique = true }.names[1], { "a_1_b_-1", { { "a", 1 }, { "b", -1 } } })
	check.equal(
		t:createIndexes({ "c" }, { { d = 1 }, name = "mine" }).names,
		{ { "c_1", { { "c", 1 } } }, { "mine", { { "d", 1 } } } }
	)
	check.raises("Need keys", t.createIndex, t, {})
	check.raises("Use new api", t.createIndex, t, { a = 1, b = 1 }, {})
	check.equal(t:dropIndex "*".ok, 1)
end

function cases.several_writes_in_one_go()
	local t, _, client = numbered(3)
	local ok, problem, answer = client:bulkWrite {
		{ op = "insert", collection = "game.t", insert = { n = 4 } },
		{
			op = "update",
			collection = "game.t",
			filter = { n = { ["$gt"] = 2 } },
			update = { ["$inc"] = { n = 10 } },
			multi = true,
		},
		{ op = "delete", collection = "game.t", filter = { n = 1 } },
		{ op = "insert", collection = "game.other", insert = { n = 1 } },
	}
	check.equal({ ok, problem, answer.nInserted, answer.nModified, answer.nDeleted }, { true, nil, 2, 2, 1 })
	check.equal(all(t:find():sort { n = 1 }), { 2, 13, 14 })
	t:createIndex { "n", unique = true }
	local failed
	_, problem, answer, failed = client:bulkWrite({
		{ op = "insert", collection = "game.t", insert = { n = 2 } },
		{ op = "insert", collection = "game.t", insert = { n = 3 } },
	}, nil, false)
	check.equal({ answer.nErrors, failed }, { 1, { 1 } })
	assert(string.find(problem, "duplicate key", 1, true))
	check.raises("unknown operation", client.bulkWrite, client, { { op = "replace", collection = "game.t" } })
end

function cases.commands_keep_the_order_of_their_fields()
	local _, db, client = fresh()
	check.equal(db:runCommand "ping".ok, 1)
	check.equal(client:runCommand "nosuchcommand".errmsg, "no such command: 'nosuchcommand'")
	check.equal(db:runCommand("echo", "x", "a", 1, "b", { c = 2 }).b, { c = 2 })
	check.equal(tostring(client.game.players), "[mongo collection : game.players]")
	check.equal(client.game.players.name, "players")
end

function cases.many_at_once()
	local t = fresh()
	check.together(100, function(i)
		assert(t:safe_insert { n = i })
		check.equal(t:findOne { n = i }.n, i)
	end)
	check.equal(t:find():count(), 100)
end

-- They hold the connection in a variable that others use.
function cases.tasks_that_are_killed_leave_others_their_answers()
	local t = numbered(60)
	abandon(function(n)
		local found = t:findOne { n = n }
		return found and found.n
	end)
	abandon(function(n)
		return #all(t:find({ n = { ["$lt"] = n + 1 } }):sort { n = 1 })
	end)
end

function cases.lost_connections_come_back()
	local t, db = numbered(1)
	local ok, problem = pcall(db.runCommand, db, "hangup")
	check.equal({ ok, problem == socketchannel.error }, { false, true })
	check.equal(t:findOne().n, 1)
end

function cases.passwords_are_proved()
	for _, config in ipairs {
		{ username = "one", password = "secret" },
		{ username = "one", password = "secret", authmod = "scram_sha1", authdb = "admin" },
		{ username = "two", password = "secret" }, -- has SCRAM-SHA-256 only
		{ username = "two", password = "secret", authmod = "scram_sha256" },
	} do
		local client = connect(config)
		check.equal(client:runCommand "ping".ok, 1)
		check.equal(client:logout(), true)
		client:disconnect()
	end
	for _, config in ipairs {
		{ username = "one", password = "wrong" },
		{ username = "two", password = "wrong" },
		{ username = "nobody", password = "secret" },
		{ username = "one", password = "secret", authmod = "scram_sha256" },
		{ username = "one", password = "secret", authmod = "nonsense" },
	} do
		check.equal(pcall(connect, config), false)
	end
	local client = connect()
	check.equal(client.admin:auth("one", "secret"), true)
	check.equal(client.admin:auth("one", "wrong"), false)
	client:disconnect()
end

function cases.transactions_are_all_or_nothing()
	mongo.enable "transaction"
	mongo.enable "transaction"
	local t, db = fresh()
	t:safe_insert { n = 0 }
	check.equal(
		db:run_transaction(function()
			assert(t:safe_insert { n = 1 })
			t:insert { n = 2 }
			assert(t:safe_update({ n = 0 }, { ["$set"] = { n = 3 } }))
		end),
		nil
	)
	check.equal(all(t:find():sort { n = 1 }), { 1, 2, 3 })
	local problem = db:run_transaction(function()
		assert(t:safe_insert { n = 4 })
		error "as the test wants it"
	end)
	assert(string.find(problem, "as the test wants it", 1, true))
	check.equal(all(t:find():sort { n = 1 }), { 1, 2, 3 })
	check.equal(db:run_transaction(function() end), nil)
	check.equal(t:safe_insert { n = 5 }, true)
end

function cases.replica_sets_pass_over_what_is_down()
	local port = tonumber(skynet.getenv "mongo_port")
	local client = mongo.client { rs = { { host = "127.0.0.1", port = 1 }, { host = "127.0.0.1", port = port } } }
	check.equal(client:runCommand "ping".ok, 1)
	client:disconnect()
end

check.run(cases)
