-- Prepared statements of MySQL, and clusters of Redis, against servers of a few lines.
local skynet = require "skynet"
local socket = require "skynet.socket"
local sweep = require "sweep"
local servers = require "servers"

local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 200, func, ...)
end

---------------------------------------------------------------- MySQL

local packet, lenenc, column = servers.packet, servers.lenenc, servers.column

local PREPARE <const>, EXECUTE <const>, CLOSE <const>, RESET <const> = 0x16, 0x17, 0x19, 0x1a

-- Columns of all types, and two rows: one full, one of nulls.
local COLUMNS <const> = {
	{ "tiny", 1 },
	{ "short", 2 },
	{ "long", 3 },
	{ "float", 4 },
	{ "double", 5 },
	{ "stamp", 7 },
	{ "longlong", 8 },
	{ "medium", 9 },
	{ "day", 10 },
	{ "time", 12 },
	{ "varchar", 15 },
	{ "json", 0xf5 },
	{ "blob", 0xfc },
	{ "text", 0xfd },
}

local function full_row()
	return "\0\0\0\0"
		.. string.pack("<bi2i4fdI1I2BBBBBi8i4", -1, -2, -3, 1.5, 2.25, 7, 2026, 11, 29, 1, 2, 3, -4, -5)
		.. string.pack("<I1I2BB", 4, 2026, 11, 29)
		.. string.pack("<I1I2BB", 4, 2026, 1, 2)
		.. lenenc "varchar"
		.. lenenc "{}"
		.. lenenc "\0\1"
		.. lenenc ""
end

local function rows(columns, ...)
	local parts = { packet(1, string.char(#columns)) }
	for i, entry in ipairs(columns) do
		parts[#parts + 1] = packet(i + 1, column(entry[1], entry[2]))
	end
	local sequence = #columns + 2
	for _, payload in ipairs { servers.EOF_PACKET, ... } do
		parts[#parts + 1] = packet(sequence, payload)
		sequence = sequence + 1
	end
	parts[#parts + 1] = packet(sequence, servers.EOF_PACKET)
	return table.concat(parts)
end

local function prepared(parameters, fields)
	local parts = { packet(1, string.pack("<BI4I2I2BI2", 0, 7, fields, parameters, 0, 0)) }
	local sequence = 2
	for _, count in ipairs { parameters, fields } do
		for i = 1, count do
			parts[#parts + 1] = packet(sequence, column("c" .. i, 253))
			sequence = sequence + 1
		end
		if count > 0 then
			parts[#parts + 1] = packet(sequence, servers.EOF_PACKET)
			sequence = sequence + 1
		end
	end
	return table.concat(parts)
end

local function answers_to_statements(failure, given, db, none)
	case("skynet.db.mysql.execute", "rows", function()
		given.answer = rows(COLUMNS, full_row(), "\0\xff\xff\x03")
		return db:execute(none)
	end)
	case("skynet.db.mysql.execute", "decimal", function()
		given.answer = rows({ { "price", 0xf6 } }, "\0\0" .. lenenc "1.50")
		return db:execute(none)
	end)
	case("skynet.db.mysql.execute", "no rows", function()
		given.answer = rows { { "id", 3 } }
		return db:execute(none)
	end)
	case("skynet.db.mysql.execute", "compact rows", function()
		given.answer =
			rows({ { "id", 3 }, { "name", 253 } }, "\0\0" .. string.pack("<i4", 5) .. lenenc "x", "\0\4" .. lenenc "y")
		db:set_compact_arrays(true)
		local result = db:execute(none)
		db:set_compact_arrays(false)
		return result
	end)
	case("skynet.db.mysql.execute", "fails", function()
		given.answer = failure
		return db:execute(none)
	end)
	case("skynet.db.mysql.execute", "day and time", function()
		given.answer = rows({ { "at", 12 } }, "\0\0" .. string.pack("<I1I2BBBBB", 7, 1999, 12, 31, 23, 59, 58))
		return db:execute(none)
	end)
end

local function arguments_of_statements(db, take, two)
	for name, arguments in pairs {
		integers = { 1, -1 },
		large = { 2 ^ 53 | 0, math.mininteger },
		floats = { 1.5, -0.0 },
		texts = { "a'b", "" },
		booleans = { true, false },
		long = { string.rep("x", 300), string.rep("y", 70000) },
		["nil at the end"] = { 1, nil, n = 2 },
		["nil first"] = { nil, 1, n = 2 },
		["too few"] = { 1 },
		["too many"] = { 1, 2, 3 },
		none = {},
		tables = { {}, {} },
		functions = { print, print },
	} do
		case("skynet.db.mysql.execute", name, function()
			local result = db:execute(two, table.unpack(arguments, 1, arguments.n or #arguments))
			return result, take()
		end)
	end
end

local function statements_after_errors(db, take, none)
	case("skynet.db.mysql.execute", "after errors", function()
		return db:execute(none)
	end)
	case("skynet.db.mysql.execute", "no statement", function()
		return db:execute()
	end)
	case("skynet.db.mysql.execute", "statement that failed", function()
		return db:execute(db:prepare "fail")
	end)
	case("skynet.db.mysql.stmt_reset", "right", function()
		return db:stmt_reset(none)
	end)
	case("skynet.db.mysql.stmt_reset", "nothing", function()
		return db:stmt_reset()
	end)
	case("skynet.db.mysql.stmt_close", "right", function()
		take()
		local results = table.pack(db:stmt_close(none))
		db:ping()
		return results.n, take()
	end)
	case("skynet.db.mysql.stmt_close", "nothing", function()
		return db:stmt_close()
	end)
	case("skynet.db.mysql.prepare", "nothing", function()
		return db:prepare()
	end)
end

local function mysql()
	local mysql = require "skynet.db.mysql"
	local failure = packet(1, "\xff" .. string.pack("<I2", 1064) .. "#42000" .. "You have an error")
	local sent, given = {}, {} -- given.answer: what `execute` gets, if it is not the usual
	local listener, port = servers.serve(function(read, _, write)
		local function take()
			return read((string.unpack("<I3", read(4))))
		end
		write(servers.GREETING)
		take()
		write(packet(2, servers.OK))
		while true do
			local query = take()
			local command = string.byte(query)
			if command == PREPARE then
				local text = string.sub(query, 2)
				local parameters = select(2, string.gsub(text, "%?", ""))
				write(text == "fail" and failure or prepared(parameters, string.find(text, "select") and 2 or 0))
			elseif command == EXECUTE then
				sent[#sent + 1] = string.sub(query, 2)
				write(given.answer or packet(1, servers.OK))
			elseif command == CLOSE then
				sent[#sent + 1] = "close " .. string.sub(query, 2)
			elseif command == RESET then
				write(packet(1, servers.OK))
			else
				write(packet(1, servers.OK))
			end
		end
	end)
	local db = mysql.connect { host = "127.0.0.1", port = port, user = "me", password = "secret", database = "game" }
	local function take()
		local list = sent
		sent = {}
		return list
	end
	local none, two
	case("skynet.db.mysql.prepare", "no parameters", function()
		none = db:prepare "select 1"
		return none
	end)
	case("skynet.db.mysql.prepare", "parameters", function()
		two = db:prepare "insert ? ?"
		return two
	end)
	case("skynet.db.mysql.prepare", "fails", function()
		return db:prepare "fail"
	end)
	case("skynet.db.mysql.execute", "right", function()
		return db:execute(none), take()
	end)
	arguments_of_statements(db, take, two)
	take()
	answers_to_statements(failure, given, db, none)
	given.answer = nil
	statements_after_errors(db, take, none)
	db:disconnect()
	case("closed", "mysql prepare", function()
		return (pcall(db.prepare, db, "select 1"))
	end)
	case("closed", "mysql execute", function()
		return (pcall(db.execute, db, two, 1, 2))
	end)
	socket.close(listener)
end

---------------------------------------------------------------- clusters of Redis

local HALF <const>, SLOT_OF_FOO <const> = 8192, 12182

local function bulk(text)
	return string.format("$%d\r\n%s\r\n", #text, text)
end
local function range(first, last, port)
	return string.format("*3\r\n:%d\r\n:%d\r\n*2\r\n%s:%d\r\n", first, last, bulk "127.0.0.1", port)
end

local function commands_of_clusters(moved, take, db)
	for _, key in ipairs { "foo", "bar", "{foo}bar", "{}foo", "a{foo}b{bar}", "", "{" } do
		case("skynet.db.redis.cluster keyslot", "of " .. key, db.keyslot, db, key)
	end
	case("skynet.db.redis.cluster keyslot", "nothing", db.keyslot, db)
	case("skynet.db.redis.cluster keyslot", "number", db.keyslot, db, 5)
	case("skynet.db.redis.cluster", "two nodes", function()
		return db:get "foo", db:get "bar", take()
	end)
	case("skynet.db.redis.cluster", "arguments", function()
		return db:set("foo", 1, 1.5, ""), take()
	end)
	case("skynet.db.redis.cluster call", "right", function()
		return db:call("GET", "foo"), take()
	end)
	case("skynet.db.redis.cluster call", "nothing", function()
		return db:call()
	end)
	case("skynet.db.redis.cluster call", "no key", function()
		return db:call "get"
	end)
	case("skynet.db.redis.cluster", "command without a key", function()
		return db:info()
	end)
	case("skynet.db.redis.cluster", "eval", function()
		return db:eval("script", 2, "{a}1", "{a}2", "argument"), take()
	end)
	case("skynet.db.redis.cluster", "eval of two slots", function()
		return db:eval("script", 2, "foo", "bar")
	end)
	case("skynet.db.redis.cluster", "eval without keys", function()
		return db:eval("script", 0)
	end)
	take()
	case("skynet.db.redis.cluster", "fails", function()
		return db:fail "foo"
	end)
	take()
	case("skynet.db.redis.cluster", "moved", function()
		moved.foo = 1
		return db:get "foo", take()
	end)
	case("skynet.db.redis.cluster", "moved, again", function()
		return db:get "foo", take()
	end)
end

local function subscriptions_of_clusters(rediscluster, ports)
	case("skynet.db.redis.cluster subscribe", "message", function()
		local heard
		local other = rediscluster.new({ host = "127.0.0.1", port = ports[1] }, nil, function(...)
			heard = table.pack(...)
		end)
		other:subscribe "channel"
		for _ = 1, 100 do
			if heard then
				break
			end
			skynet.sleep(1)
		end
		return heard
	end)
end

local function slots_of_clusters(take, db)
	case("skynet.db.redis.cluster flush_slots_cache", "right", function()
		return select("#", db:flush_slots_cache()), next(db.slots)
	end)
	case("skynet.db.redis.cluster initialize_slots_cache", "right", function()
		return select("#", db:initialize_slots_cache()), db:get "foo", take()
	end)
end

local function redis()
	local rediscluster = require "skynet.db.redis.cluster"
	local ports, asked, moved, asking = {}, {}, {}, {}
	local function start(number)
		local listener, port = servers.serve(function(read, line, write)
			local allowed
			while true do
				local words = servers.redis_request(read, line)
				local name, key = string.lower(words[1]), words[2]
				if name ~= "cluster" then
					words[1] = name
					asked[#asked + 1] = number .. " " .. table.concat(words, " ")
				end
				if name == "cluster" then
					write("*2\r\n" .. range(0, HALF - 1, ports[1]) .. range(HALF, 16383, ports[2]))
				elseif name == "subscribe" then
					write(string.format("*3\r\n%s%s:1\r\n", bulk "subscribe", bulk(key)))
					write("*3\r\n" .. bulk "message" .. bulk(key) .. bulk "text")
				elseif name == "asking" then
					allowed = true
					write "+OK\r\n"
				elseif moved[key] and moved[key] ~= number then
					write(string.format("-MOVED %d 127.0.0.1:%d\r\n", SLOT_OF_FOO, ports[moved[key]]))
				elseif asking[key] and asking[key] ~= number and not allowed then
					write(string.format("-ASK %d 127.0.0.1:%d\r\n", SLOT_OF_FOO, ports[asking[key]]))
				elseif name == "fail" then
					write "-ERR of the server\r\n"
				elseif name == "ping" then
					write "+PONG\r\n"
				else
					write(bulk(number .. " has it"))
				end
			end
		end)
		ports[number] = port
		return listener
	end
	local listeners = { start(1), start(2) }
	local function take()
		local list = asked
		asked = {}
		return list
	end
	local db
	case("skynet.db.redis.cluster.new", "right", function()
		db = rediscluster.new({ { host = "127.0.0.1", port = ports[1] } }, { read_slave = true })
		return type(db), type(getmetatable(db)), take()
	end)
	commands_of_clusters(moved, take, db)
	moved = {}
	case("skynet.db.redis.cluster", "asks", function()
		asking.foo = 1
		return db:get "foo", take()
	end)
	asking = {}
	case("skynet.db.redis.cluster", "for ever", function()
		moved.foo = 0
		ports[0] = ports[1]
		local observed = sweep.observe(db.get, db, "foo")
		return string.gsub(observed, "MOVED.*", "MOVED"), #take()
	end)
	moved = {}
	slots_of_clusters(take, db)
	subscriptions_of_clusters(rediscluster, ports)
	case("skynet.db.redis.cluster close_all_connection", "right", function()
		return select("#", db:close_all_connection()), db:get "foo"
	end)
	case("skynet.db.redis.cluster.new", "nothing", rediscluster.new)
	case("skynet.db.redis.cluster.new", "nobody there", function()
		local other = rediscluster.new { { host = "127.0.0.1", port = 1 } }
		return next(other.slots), sweep.observe(other.get, other, "foo")
	end)
	db:close_all_connection()
	for _, listener in ipairs(listeners) do
		socket.close(listener)
	end
end

sweep.run(function()
	mysql()
	redis()
end)
