-- skynet.db.redis against a redis-server: settings redis_port, redis_auth_port (password "secret").
-- What the C project's module does otherwise: `exists` and `sismember` take an error for true; a nil argument is sent, and
-- the server closes; there are no pools.
local skynet = require "skynet"
local redis = require "skynet.db.redis"
local socketchannel = require "skynet.socketchannel"
local check = require "check"
local abandon = require "abandon"

local cases = {}

local config = { host = "127.0.0.1", port = tonumber(skynet.getenv "redis_port"), db = 1 }

local function connect()
	local db = redis.connect(config)
	db:flushdb()
	return db
end

function cases.values_come_back_as_the_replies_of_redis()
	local db = connect()
	check.equal(db:set("a", "hello"), "OK")
	check.equal(db:get "a", "hello")
	check.equal(db:GET "a", "hello")
	check.equal(db:get "none", nil)
	check.equal(db:incr "n", 1)
	check.equal(math.type(db:incrby("n", 41)), "integer")
	check.equal(db:set("float", 1.5), "OK")
	check.equal(db:get "float", "1.5")
	local bytes = "\0\r\n$5\r\n" .. string.rep("\255", 100000)
	db:set("bytes", bytes)
	check.equal(db:get "bytes" == bytes, true)
	db:rpush("list", 1, 2, 3)
	check.equal(db:lrange("list", 0, -1), { "1", "2", "3" })
	check.equal(db:mget("a", "none", "n"), { "hello", nil, "42" })
	check.equal(db:set("empty", ""), "OK")
	check.equal(db:get "empty", "")
	check.equal(db:hmset { "hash", "k", "v", "k2", 2 }, "OK")
	check.equal(db:hget("hash", "k2"), "2")
	check.equal(db:dbsize(), 7)
	check.equal(db:lrange("nolist", 0, -1), {})
	db:disconnect()
	check.equal(getmetatable(db), nil)
end

function cases.yes_and_no_are_booleans()
	local db = connect()
	db:sadd("set", "one")
	check.equal({ db:exists "set", db:exists "none" }, { true, false })
	check.equal({ db:sismember("set", "one"), db:sismember("set", "two") }, { true, false })
	db:disconnect()
end

function cases.error_replies_are_raised()
	local db = connect()
	db:set("text", "x")
	check.raises("ERR value is not an integer", db.incr, db, "text")
	check.raises("WRONGTYPE", db.sismember, db, "text", 1)
	check.raises("ERR unknown command", db.nosuchcommand, db)
	check.raises("argument 2 is nil", db.set, db, "key", nil, "x")
	check.equal(db:get "text", "x")
	db:disconnect()
end

function cases.transactions_and_scripts()
	local db = connect()
	check.equal(db:multi(), "OK")
	check.equal(db:set("a", 1), "QUEUED")
	db:incr "a"
	check.equal(db:exec(), { "OK", 2 })
	check.equal(db:eval("return { KEYS[1], ARGV[1], 7, { 'x' } }", 1, "k", "v"), { "k", "v", 7, { "x" } })
	db:multi()
	db:incr "a"
	db:lpush("a", 1)
	local ok, results = pcall(db.exec, db)
	check.equal(ok, false)
	check.equal(results[1], 3)
	assert(string.find(results[2], "WRONGTYPE", 1, true))
	db:disconnect()
end

function cases.pipelines_send_many_commands_at_once()
	local db = connect()
	check.equal(db:pipeline { { "set", "a", 1 }, { "incr", "a" }, { "get", "a" } }, "2")
	local results = db:pipeline({ { "get", "a" }, { "lpush", "a", 1 }, { "dbsize" } }, {})
	check.equal(results[1], { ok = true, out = "2" })
	check.equal(results[2].ok, false)
	check.equal(results[3], { ok = true, out = 1 })
	check.raises("pipeline is null", db.pipeline, db, {})
	db:disconnect()
end

function cases.tasks_share_a_connection()
	local db = connect()
	check.together(200, function(i)
		db:set("k" .. i, i)
		check.equal(db:get("k" .. i), tostring(i))
	end)
	check.equal(db:dbsize(), 200)
	db:disconnect()
end

-- They hold the connection in a variable that others use.
function cases.tasks_that_are_killed_leave_others_their_answers()
	local db = connect()
	abandon(function(n)
		return tonumber(db:echo(tostring(n)))
	end)
	abandon(function(n)
		return tonumber(db:pipeline({ { "echo", "before" }, { "echo", tostring(n) } }, {})[2].out)
	end)
	abandon(function(n)
		return #db:echo(string.rep("x", n * 1000)) // 1000
	end)
end

function cases.lost_connections_come_back_with_their_database()
	local db, other = connect(), connect()
	db:set("a", 1)
	db:client("setname", "victim")
	local id = db:client "id"
	other:client("kill", "id", id)
	local ok, problem = pcall(db.get, db, "a")
	if not ok then -- the loss was noticed with this command and not before it
		check.equal(problem == socketchannel.error, true)
		check.equal(db:get "a", "1")
	end
	check.equal(db:client "id" ~= id, true)
	db:disconnect()
	other:disconnect()
end

function cases.passwords_are_sent()
	local port = tonumber(skynet.getenv "redis_auth_port")
	local db = redis.connect { host = "127.0.0.1", port = port, auth = "secret" }
	check.equal(db:ping(), "PONG")
	db:acl("setuser", "me", "on", ">mine", "~*", "+@all")
	local mine = redis.connect { host = "127.0.0.1", port = port, username = "me", auth = "mine", db = 2 }
	check.equal(mine:acl "whoami", "me")
	local ok, problem = pcall(redis.connect, { host = "127.0.0.1", port = port, auth = "wrong" })
	check.equal({ ok, problem == socketchannel.error }, { false, true })
	if check.ours then -- the C core's layer keeps the reason to itself
		assert(string.find(tostring(problem), "^WRONGPASS"), tostring(problem))
	end
	mine:disconnect()
	db:disconnect()
end

function cases.subscriptions_get_messages_and_are_renewed()
	local watch = redis.watch(config)
	local db = connect()
	watch:subscribe("news", "other")
	watch:psubscribe "hello.*"
	local got = {}
	local function take(count)
		for _ = 1, count do
			got[#got + 1] = table.pack(watch:message())
		end
	end
	local function publish(channel, text)
		repeat
			skynet.sleep(0)
		until db:publish(channel, text) == 1
	end
	skynet.fork(function()
		publish("news", "one")
		publish("hello.world", "two")
	end)
	take(2)
	check.equal(got, { { "one", "news", n = 2 }, { "two", "hello.world", "hello.*", n = 3 } })
	-- The server ends the connection: the same subscriptions hold on the next one.
	db:client("kill", "type", "pubsub")
	skynet.fork(function()
		publish("other", "three")
	end)
	local ok, text
	repeat
		ok, text = pcall(watch.message, watch)
	until ok
	check.equal(text, "three")
	watch:unsubscribe "news"
	skynet.fork(function()
		repeat
			skynet.sleep(0)
		until db:publish("news", "lost") == 0
		publish("other", "four")
	end)
	repeat
		text = watch:message()
	until text ~= "lost"
	check.equal(text, "four")
	watch:disconnect()
	db:disconnect()
end

function cases.pools_give_each_task_a_connection()
	local pool = redis.pool { host = config.host, port = config.port, db = 1, size = 3 }
	local ids, inside, most = {}, 0, 0
	check.together(30, function()
		pool:use(function(db)
			inside = inside + 1
			most = math.max(most, inside)
			ids[db:client "id"] = true
			inside = inside - 1
		end)
	end)
	local count = 0
	for _ in pairs(ids) do
		count = count + 1
	end
	check.equal({ count, most }, { 3, 3 })
	check.raises("as the test wants it", pool.use, pool, function()
		error "as the test wants it"
	end)
	check.equal(
		pool:use(function(db, text)
			return db:echo(text)
		end, "still works"),
		"still works"
	)
	pool:close()
	check.raises("closed", pool.use, pool, print)
	pool = redis.pool { host = config.host, port = config.port, size = 1, timeout = 1 }
	pool:use(function()
		check.raises("no connection became free", pool.use, pool, print)
	end)
	pool:close()
end

check.run(cases)
