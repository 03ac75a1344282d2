-- Uses a redis-server on this machine: plain commands, many at once, pub/sub, and a pool.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local redis = require "skynet.db.redis"

local config = {
	host = "127.0.0.1",
	port = tonumber(skynet.getenv "redis_port"),
}

local PREFIX <const> = "skynet-example:" -- so that nobody's keys are touched

local function commands(db)
	db:set(PREFIX .. "name", "Alice")
	print("name:", db:get(PREFIX .. "name"))
	print("missing:", db:get(PREFIX .. "missing")) -- nil
	print("visits:", db:incr(PREFIX .. "visits"), db:incr(PREFIX .. "visits"))
	db:hset(PREFIX .. "Alice", "level", 3, "coins", 250)
	print("fields:", table.concat(db:hmget(PREFIX .. "Alice", "level", "coins"), " "))

	-- An error reply is raised.
	local ok, problem = pcall(db.incr, db, PREFIX .. "name")
	print("error:", ok, problem)
end

-- Many commands, one round trip.
local function pipeline(db)
	local batch = {}
	for i = 1, 100 do
		batch[i] = { "zadd", PREFIX .. "scores", i * 10, "player" .. i }
	end
	db:pipeline(batch)
	local best = db:zrevrange(PREFIX .. "scores", 0, 2)
	print("best:", table.concat(best, " "))
end

-- A subscription has a connection of its own.
local function news(db)
	local watch = redis.watch(config)
	watch:subscribe(PREFIX .. "news")
	skynet.fork(function()
		-- Subscribed when the server says so: until then nobody receives.
		while db:publish(PREFIX .. "news", "the shop is open") == 0 do
			skynet.sleep(1)
		end
	end)
	local text, channel = watch:message()
	print("news:", text, "from", channel)
	watch:disconnect()
end

-- MULTI ... EXEC belong together, so they need a connection that nobody else uses meanwhile.
local function transaction()
	local pool = redis.pool { host = config.host, port = config.port, size = 4 }
	pool:use(function(db)
		db:multi()
		db:hincrby(PREFIX .. "Alice", "coins", -50)
		db:hincrby(PREFIX .. "Bob", "coins", 50)
		print("coins:", table.concat(db:exec(), " "))
	end)
	pool:close()
end

skynet.start(function()
	local connected, db = pcall(redis.connect, config)
	if not connected then
		print("no redis-server: " .. tostring(db))
		return skynet.abort()
	end
	commands(db)
	pipeline(db)
	news(db)
	transaction()
	db:del(table.unpack(db:keys(PREFIX .. "*")))
	db:disconnect()
	print "redis is done"
	skynet.abort()
end)
