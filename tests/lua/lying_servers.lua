-- Servers that send what they should not: each is found out at once, whoever waits is told, and the connection is closed.
local skynet = require "skynet"
local socket = require "skynet.socket"
local redis = require "skynet.db.redis"
local rediscluster = require "skynet.db.redis.cluster"
local mysql = require "skynet.db.mysql"
local mysql_result = require "skynet.db.mysql.result"
local mongo = require "skynet.db.mongo"
local mongo_auth = require "skynet.db.mongo.auth"
local mongo_collection = require "skynet.db.mongo.collection"
local bson = require "bson"
local crypt = require "skynet.crypt"
local socketchannel = require "skynet.socketchannel"
local check = require "check"

local cases = {}

-- A server that sends `bytes` to everybody, `again` behind them without end, and notes when it is left. Returns its port and
-- a function that waits for that.
local function server(bytes, again, waits)
	local left, token = 0, {}
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		socket.warning(id, function() end)
		if waits == false or socket.read(id) then
			socket.write(id, bytes)
			while again and not socket.disconnected(id) and socket.write(id, again) do
				skynet.sleep(1)
			end
			while socket.read(id) do
			end
		end
		socket.close(id)
		left = left + 1
		skynet.wakeup(token)
	end)
	return port, function()
		while left == 0 do
			skynet.wait(token)
		end
		socket.close(listener)
	end
end

-- A server that sends the next of `answers` for each request, to everybody anew. Returns its port, and a function that counts
-- the connections and listens no more.
local function in_turn(answers, greeting)
	local connections = 0
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		connections = connections + 1
		if greeting then
			greeting(id)
		end
		for _, answer in ipairs(answers) do
			if not socket.read(id) then
				break
			end
			socket.write(id, answer)
		end
		while socket.read(id) do
		end
		socket.close(id)
	end)
	return port, function()
		socket.close(listener)
		return connections
	end
end

local function expect(text, func, ...)
	local ok, problem = pcall(func, ...)
	problem = type(problem) == "table" and problem.reason or problem
	if ok or not string.find(tostring(problem), text, 1, true) then
		error(string.format("expected %q, got %s", text, tostring(problem)), 2)
	end
end

local function redis_lies(text, bytes, again)
	local port, wait_until_left = server(bytes, again)
	local db = redis.connect { host = "127.0.0.1", port = port, max_reply = 100000 }
	local second
	skynet.fork(function()
		second = table.pack(pcall(db.get, db, "y"))
		skynet.wakeup(db)
	end)
	expect(text, db.get, db, "x")
	if not second then
		skynet.wait(db)
	end
	check.equal(second[1], false, "who waits behind it")
	wait_until_left()
	db:disconnect()
end

function cases.redis_lines_have_an_end()
	redis_lies("a line of more than 65536 bytes", "+", string.rep("x", 100000))
	redis_lies("a line of more than 65536 bytes", ":" .. string.rep("1", 70000) .. "\r\n")
end

function cases.redis_lengths_are_lengths()
	for _, bytes in ipairs { "$99999999999999999999", "$-7", "*-2", "$1e3", "$0x10", "$", "* 1", "$1.0" } do
		redis_lies(string.format("%q is no length", bytes), bytes .. "\r\n")
	end
	redis_lies([[":x" is no number]], ":x\r\n")
	redis_lies("longer than its length", "$2\r\nabcdef\r\n")
	redis_lies([["?what"]], "?what\r\n")
	redis_lies([["?in"]], "*1\r\n?in\r\n")
end

function cases.redis_replies_are_as_long_as_they_may_be()
	redis_lies("more than 100000 bytes (option max_reply)", "$9223372036854775807\r\n")
	redis_lies("more than 100000 bytes (option max_reply)", "$100001\r\n")
	redis_lies(
		"more than 100000 bytes (option max_reply)",
		"*2\r\n$60000\r\n" .. string.rep("x", 60000) .. "\r\n$60000\r\n"
	)
	redis_lies("a list of 2000000000 values", "*2000000000\r\n:1\r\n")
	redis_lies("a list of 5000 values", "*2\r\n*5000\r\n" .. string.rep(":1\r\n", 5000) .. "*5000\r\n")
	redis_lies("a list of 0 values cannot be within", "*1500\r\n" .. string.rep("*0\r\n", 1500))
	redis_lies("more than 128 lists in each other", string.rep("*1\r\n", 200000))
end

function cases.redis_replies_within_the_limits_are_read()
	local nested = string.rep("*1\r\n", 128) .. "$2\r\nhi\r\n"
	local port, close = in_turn {
		nested,
		"$99998\r\n" .. string.rep("x", 99998) .. "\r\n",
		"*2\r\n$-1\r\n*-1\r\n",
		"+" .. string.rep("y", 65535) .. "\r\n",
	}
	local db = redis.connect { host = "127.0.0.1", port = port, max_reply = 100000 }
	local value = db:get "a"
	for _ = 1, 128 do
		value = value[1]
	end
	check.equal(value, "hi")
	check.equal(#db:get "b", 99998)
	check.equal(db:get "c", {})
	check.equal(db:get "d", string.rep("y", 65535))
	db:disconnect()
	close()
end

-- What the C core's layer does instead: the next request gets it, and each one after that the answer of the one before.
function cases.redis_answers_that_nobody_asked_for_are_nobodys_answers()
	local port, close = in_turn { "+a\r\n+surplus\r\n", "+b\r\n", "+c\r\n" }
	local db = redis.connect { host = "127.0.0.1", port = port }
	check.equal(db:get "a", "a")
	local ok, problem = pcall(db.get, db, "b")
	check.equal(ok, false)
	assert(problem == socketchannel.error, "an error of the connection")
	check.equal(problem.reason, [[the server has sent 10 bytes that nobody has asked for: +surplus\x0d\x0a]])
	check.equal(db:get "a", "a") -- a new connection
	check.equal(close(), 2)
	db:disconnect()
end

function cases.redis_servers_may_send_what_was_subscribed_to_or_is_waited_for()
	for _, name in ipairs { "monitor", "subscribe", "PSUBSCRIBE" } do
		local port, close = in_turn { "+one\r\n+two\r\n", "+three\r\n" }
		local db = redis.connect { host = "127.0.0.1", port = port }
		check.equal(db[name](db, "x"), "one")
		check.equal(db:get "y", "two")
		check.equal(db:get "z", "three")
		db:disconnect()
		check.equal(close(), 1)
	end
	local port, close = in_turn { "+one\r\n+two\r\n", "+three\r\n" }
	local db = redis.connect { host = "127.0.0.1", port = port }
	check.equal(db:pipeline { { "subscribe", "x" } }, "one")
	check.equal(db[1]:response(db[2]), "two")
	check.equal(db:get "z", "three")
	db:disconnect()
	check.equal(close(), 1)
end

-- Protocols of others: only who asks for it has it looked at.
function cases.servers_of_channels_may_send_what_they_like()
	local port, close = in_turn { "one\ntwo\n", "three\n" }
	local function line(sock)
		return true, sock:readline "\n"
	end
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	check.equal(channel:request("?", line), "one")
	check.equal(channel:request("?", line), "two")
	check.equal(channel:request("?", line), "three")
	channel:close()
	check.equal(close(), 1)
end

function cases.redis_confirms_what_was_asked_for_and_nothing_else()
	local function confirmation(name)
		return string.format("*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n", #name, name)
	end
	local port, wait_until_left =
		server(confirmation "mine" .. confirmation "other" .. "*3\r\n$7\r\nmessage\r\n$4\r\nmine\r\n$2\r\nhi\r\n:3\r\n")
	local watch = redis.watch { host = "127.0.0.1", port = port }
	watch:subscribe "mine"
	check.equal({ watch:message() }, { "hi", "mine" })
	check.equal(watch.channels, { mine = true })
	expect("a subscription brings lists", watch.message, watch)
	watch:disconnect()
	wait_until_left()
end

function cases.slots_of_a_redis_cluster_are_few()
	local ranges = "*1\r\n*3\r\n:0\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
	for _, last in ipairs { 16383, 16384, math.maxinteger } do
		local port, close = in_turn { "+OK\r\n", string.format(ranges, last, 1) }
		local db = rediscluster.new { host = "127.0.0.1", port = port }
		check.equal(db.slots[0] ~= nil, last == 16383)
		db:close()
		close()
	end
	local all = "*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n"
	local port, close = in_turn { "+OK\r\n", "*20000\r\n" .. string.rep(all, 20000) }
	local db = rediscluster.new { host = "127.0.0.1", port = port }
	check.equal(db.slots[0], nil)
	db:close()
	close()
end

-- The test of the log counts the lines.
function cases.answers_that_nobody_asked_for_fill_no_log()
	local port, wait_until_left = server(string.rep("9 stray\n", 20000) .. "1 yes\n")
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		response = function(sock)
			local session, text = string.match(sock:readline("\n", 100), "^(%d+) (.*)$")
			return math.tointeger(tonumber(session)), true, text
		end,
	}
	check.equal(channel:request("?", 1), "yes")
	channel:close()
	wait_until_left()
end

local function mysql_lies(text, bytes, options)
	local port, wait_until_left = server(bytes, nil, false)
	options = options or {}
	options.host, options.port = "127.0.0.1", port
	expect(text, mysql.connect, options)
	wait_until_left()
end

-- A server whose log-in goes well and whose first answer is `answer`.
local function mysql_server(answer)
	local function packet(payload, sequence)
		return string.pack("<I3B", #payload, sequence) .. payload
	end
	local greeting = "\x0a5.7\0"
		.. string.pack("<I4", 1)
		.. "12345678\0"
		.. string.pack("<I2BI2I2B", 0xf7ff, 33, 2, 0x8, 21)
		.. string.rep("\0", 10)
		.. "123456789012\0"
		.. "mysql_native_password\0"
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		socket.write(id, packet(greeting, 0))
		if socket.read(id) then
			socket.write(id, packet("\0\0\0\2\0\0\0", 2))
			socket.read(id)
			for i, payload in ipairs(answer) do
				socket.write(id, type(payload) == "table" and payload[1] or packet(payload, i))
			end
			while socket.read(id) do
			end
		end
		socket.close(id)
		socket.close(listener)
	end)
	return port
end

function cases.mysql_packets_have_a_limit()
	mysql_lies("a packet of the server has more than 1048576 bytes", "\xff\xff\xff\0x")
	local big = { "\xff\xff\xff\1" .. string.rep("x", 0xffffff) }
	local db = mysql.connect { host = "127.0.0.1", port = mysql_server { big, big, big, big, { "\5\0\0\1" } } }
	expect("more than 67108864 bytes (option max_packet_size)", db.query, db, "select a")
	db:disconnect()
	mysql_lies("an empty packet", string.rep("\0\0\0\0", 1000))
	mysql_lies("no greeting", "\5\0\0\0\x0aabcd")
end

function cases.mysql_results_have_a_limit()
	local column = "\3def\0\0\0\1a\0\x0c" .. string.pack("<I2I4BI2B", 33, 10, 253, 0, 0) .. "\0\0"
	local row, rows_end = "\xfc" .. string.pack("<I2", 300) .. string.rep("x", 300), "\xfe\0\0\2\0"
	local wide, many = { "\xc8" }, string.rep("\xfb", 200) -- values that are NULL
	for i = 1, 200 do
		wide[i + 1] = column
	end
	table.move({ rows_end, many, rows_end }, 1, 3, #wide + 1, wide)
	for text, answer in pairs {
		["more than 1100 bytes (option max_result_size)"] = { "\1", column, rows_end, row, row, row, row, rows_end },
		["no number of columns: 9223372036854775807"] = { "\xfe" .. string.pack("<i8", math.maxinteger) },
		["no number of columns: 65536"] = { "\xfd\0\0\1" },
	} do
		local db = mysql.connect { host = "127.0.0.1", port = mysql_server(answer), max_result_size = 1100 }
		expect(text, db.query, db, "select a")
		db:disconnect()
	end
	local size = 200 * (#column + 64) + 4 * 64 + 1 + 200 + 2 * #rows_end + 200 * 16
	for limit, passes in pairs { [size + 200 * 16] = true, [size - 1] = false } do -- the end may be a row, too
		local db = mysql.connect { host = "127.0.0.1", port = mysql_server(wide), max_result_size = limit }
		check.equal(pcall(db.query, db, "select many"), passes)
		db:disconnect()
	end
	local port = mysql_server { "\1", column, rows_end, row, row, rows_end }
	local db = mysql.connect { host = "127.0.0.1", port = port, max_result_size = 1100 }
	check.equal(db:query "select a", { { a = string.rep("x", 300) }, { a = string.rep("x", 300) } })
	db:disconnect()
end

function cases.mysql_answers_that_nobody_asked_for_are_nobodys_answers()
	local answers = { "\7\0\0\1\0\1\0\2\0\0\0" .. "\7\0\0\1\0\9\0\2\0\0\0" } -- one row is affected, and nine are, at once
	local db = mysql.connect { host = "127.0.0.1", port = mysql_server { answers } }
	check.equal(db:query("update one").affected_rows, 1)
	expect("the server has sent 11 bytes that nobody has asked for", db.query, db, "update two")
	db:disconnect()
end

function cases.mysql_packets_are_what_the_protocol_says()
	local column = "\3def\0\0\0\1a\0\x0c" .. string.pack("<I2I4BI2B", 33, 10, 253, 0, 0) .. "\0\0"
	local rows_end = "\xfe\0\0\2\0"
	for text, row in pairs {
		["a value of -9 bytes"] = "\xfe" .. string.pack("<i8", -9) .. "abc",
		["a value of 9223372036854775807 bytes"] = "\xfe" .. string.pack("<i8", math.maxinteger) .. "abc",
		["a value of 5 bytes, and 3 are left"] = "\5abc",
		["a row of 4 bytes, whose values have 3"] = "\2abc",
	} do
		local db = mysql.connect { host = "127.0.0.1", port = mysql_server { "\1", column, rows_end, row, rows_end } }
		expect("mysql: malformed packet of the server: " .. text, db.query, db, "select a")
		db:disconnect()
	end
	for _, bad in ipairs { string.rep("\xfb", 60), "\3de", "\3def\0\0\0\1a\0\x0c" } do
		local db = mysql.connect { host = "127.0.0.1", port = mysql_server { "\1", bad, rows_end, rows_end } }
		expect("mysql: malformed packet of the server: ", db.query, db, "select a")
		db:disconnect()
	end
	local function binary(kind, value)
		return pcall(mysql_result.binary_row, "\0\0" .. value, { { name = "a", type = kind, decimals = 0 } })
	end
	check.equal({ binary(12, "\4\xe8\7\1\2") }, { true, { a = "2024-01-02 00:00:00" } })
	check.equal(
		{ binary(12, "\xff" .. string.rep("\xff", 11)) },
		{ false, "mysql: malformed packet of the server: a date or time of 255 bytes" }
	)
	check.equal({ binary(12, "\7\xe8") }, { false, "mysql: malformed packet of the server: a date or time of 7 bytes" })
	check.equal(
		{ binary(200, "\1a") },
		{ false, "mysql: malformed packet of the server: a column of the unknown type 200" }
	)
end

function cases.mongo_messages_have_a_limit()
	for size, text in pairs {
		[0x7fffffff] = "announces a message of 2147483643 bytes, more than 48000000 (option max_message_size)",
		[-5] = "Invalid message length",
		[3] = "Invalid message length",
	} do
		local port, wait_until_left = server(string.pack("<i4", size) .. "xxxx")
		expect(text, mongo.client, { host = "127.0.0.1", port = port })
		wait_until_left()
	end
	local port, wait_until_left = server(string.pack("<i4", 2000) .. "xxxx")
	expect("more than 1000 ", mongo.client, { host = "127.0.0.1", port = port, max_message_size = 1000 })
	wait_until_left()
end

function cases.mongo_finds_no_documents_where_there_are_none()
	local said
	local database = {
		runCommand = function()
			return said
		end,
	}
	local collection = mongo_collection.new({ database = database, full_name = "game" }, "players")
	for _, cursor in ipairs {
		false,
		5,
		"text",
		{ id = 0 },
		{ firstBatch = "text", id = 0 },
		{ firstBatch = {}, id = "5" },
	} do
		said = { ok = 1, cursor = cursor or nil }
		for _, read in ipairs { "find", "aggregate" } do
			local found = collection[read](collection, {})
			expect("has no list of documents", found.hasNext, found)
		end
	end
	said = { ok = 1 }
	expect("has no list of documents", collection.findOne, collection)
	said = { ok = 1, cursor = { firstBatch = { { a = 1 } }, id = 0.0 } }
	local found = collection:find()
	check.equal({ found:hasNext(), found:next(), found:hasNext() }, { true, { a = 1 }, false })
	check.equal(collection:findOne(), { a = 1 })
end

function cases.mongo_asks_for_no_hours_of_work()
	local asked
	local database = {
		runCommand = function(_, command, _, _, _, _, _, _, payload)
			asked = command
			local nonce = string.match(select(2, bson.type(payload)), "r=(.*)$")
			local salt = crypt.base64encode "salt"
			return { ok = 1, payload = crypt.base64encode(string.format("r=%sx,s=%s,i=%d", nonce, salt, 1 << 40)) }
		end,
	}
	for _, method in ipairs { "scram_sha1", "scram_sha256" } do
		check.equal(
			{ mongo_auth(database, "user", "password", method) },
			{ false, "Server returned too many iterations." }
		)
	end
	check.equal(asked, "saslStart")
end

function cases.mongo_log_ins_are_what_the_standard_says()
	local function log_in(challenge)
		local database = {
			runCommand = function(_, _, _, _, _, _, _, _, payload)
				local nonce = string.match(select(2, bson.type(payload)), "r=(.*)$")
				local text = string.gsub(challenge, "NONCE", nonce)
				return { ok = 1, payload = crypt.base64encode(text) }
			end,
		}
		return { mongo_auth(database, "user", "password", "scram_sha1") }
	end
	check.equal(log_in "r=NONCE,s=c2FsdA==,i=4096", { false, "Server returned an invalid nonce." }, "not lengthened")
	check.equal(log_in "r=NONCEx,i=4096", { false, "Server returned no salt." })
	check.equal(log_in "what", { false, "Server returned an invalid nonce." })
	local refusing = {
		runCommand = function()
			return { ok = 0, errmsg = {} }
		end,
	}
	check.equal({ mongo_auth(refusing, "user", "password", "scram_sha1") }, { false, "the server does not say why" })
end

-- A member of a replica set that says who the primary is.
local function mongo_member(primary)
	local count = 0
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		count = count + 1
		socket.start(id)
		local size = socket.read(id, 4)
		local request = size and socket.read(id, string.unpack("<i4", size) - 4)
		if request then
			local document = bson.encode { ok = 1.0, ismaster = false, primary = primary(port) }
			local message = string.pack("<i4i4i4I4B", 1, string.unpack("<i4", request), 2013, 0, 0)
				.. tostring(document)
			socket.write(id, string.pack("<i4", #message + 4) .. message)
		end
		while socket.read(id) do
		end
		socket.close(id)
	end)
	return port, function()
		socket.close(listener)
		return count
	end
end

function cases.mongo_goes_to_no_primary_that_is_none()
	local port, close = mongo_member(function(port)
		return "127.0.0.1:" .. port
	end)
	expect("names itself as the primary", mongo.client, { host = "127.0.0.1", port = port })
	check.equal(close(), 1)
end

function cases.lines_of_a_channel_have_the_limit_that_is_asked_for()
	local port, wait_until_left = server("12345\n1234567890\n123456")
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	local function line_within(most)
		return channel:request("x", function(sock)
			return true, sock:readline("\n", most)
		end)
	end
	check.equal(line_within(5), "12345")
	check.equal(line_within(nil), "1234567890")
	expect("a line of more than 5 bytes", line_within, 5)
	wait_until_left()
	channel:close()
end

check.run(cases)
