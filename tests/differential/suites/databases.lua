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

sweep.run(function()
	redis()
	mysql()
	require "parts.mongo"()
end)
