-- Keeps documents in MongoDB.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local mongo = require "skynet.db.mongo"

-- Writes with `safe_` wait until they are done, and say what went wrong.
local function must(ok, problem)
	if not ok then
		error(problem)
	end
end

local function play(players)
	players:drop()
	players:createIndex { "name", unique = true }

	must(players:safe_insert { name = "Alice", level = 3, bag = { "sword", "apple" } })
	must(players:safe_batch_insert {
		{ name = "Bob", level = 1, bag = {} },
		{ name = "Carol", level = 7, bag = { "map" } },
	})
	print("Alice again:", (players:safe_insert { name = "Alice" }))

	must(players:safe_update({ name = "Bob" }, { ["$inc"] = { level = 4 } }))
	print("Bob has level", players:findOne({ name = "Bob" }).level)

	local cursor = players:find({ level = { ["$gt"] = 2 } }):sort({ level = -1 }):limit(10)
	while cursor:hasNext() do
		local player = cursor:next()
		print(player.name, player.level, table.concat(player.bag, " "))
	end

	must(players:safe_delete { name = "Carol" })
	print("players left:", players:find():count())
	players:drop()
end

skynet.start(function()
	local connected, client = pcall(mongo.client, {
		host = "127.0.0.1",
		port = tonumber(skynet.getenv "mongo_port"),
		-- username = "...", password = "...", authdb = "admin",
	})
	if not connected then
		print("no MongoDB: " .. tostring(client))
		return skynet.abort()
	end
	play(client.skynet_example.players) -- database, collection
	client:disconnect()
	print "mongo is done"
	skynet.abort()
end)
