-- What a stranger sends is read in a time that grows with its length. Patterns with two parts that can share the same
-- characters out take the square of it, and three take the cube: then a megabyte takes hours, and these cases do not end.
local admission = require "skynet.internal.admission"
local crypt = require "skynet.crypt"
local eventsource = require "http.eventsource"
local fields = require "http.fields"
local foreign = require "skynet.internal.foreign"
local message = require "skynet.dns.message"
local msgserver = require "snax.msgserver"
local numbers = require "skynet.db.mysql.numbers"
local url = require "http.url"
local check = require "check"

local SIZE <const> = 1024 * 1024

local cases = {}

local function long(text)
	return string.rep(text, SIZE // #text)
end

function cases.request_lines()
	for _, row in ipairs { " ", " x", " HTTP/1.1", " HTTP/1.1 x", "/", "HTTP/", " HTTP/1111111111          " } do
		local line = long(row)
		check.equal(fields.read_request_line("GET" .. line .. "\r\n"), nil)
		check.equal(fields.read_request_line("GET " .. line .. "x\r\n\r\n"), nil)
	end
	local blanks = long " "
	check.equal(
		{ fields.read_request_line("GET" .. blanks .. "/a" .. blanks .. "HTTP/1.1" .. blanks .. "\r\n") },
		{ "GET", "/a", "1.1", 3 * #blanks + 16 }
	)
end

function cases.hosts_and_targets()
	for _, row in ipairs { "1", "a", ":", ":1", "%41", "[", "]", "[::1]", "[1", "/", "a:", "+", "://" } do
		local text = long(row) .. "@"
		check.equal(fields.is_host(text), false, row)
		check.equal(fields.is_host("[" .. text), false, row)
		check.equal(fields.is_target("CONNECT", text), false, row)
		check.equal(fields.is_target("GET", text), row == "/", row)
		check.equal(fields.is_target("GET", "http://" .. text), false, row)
	end
end

function cases.lists_in_fields()
	local blanks = long " \t"
	check.equal(
		fields.items("a" .. blanks .. "b," .. blanks .. "C" .. blanks .. ",," .. blanks),
		{ "a" .. blanks .. "b", "c" }
	)
	check.equal(fields.has_item(long "," .. "close", "close"), true)
end

function cases.queries()
	check.equal(url.parse_query(long "a"), {})
	local query = "b=c=d&&e=&=f&g&b=%20"
	local fields = { b = { "c=d", " " }, e = "", [""] = "f" }
	check.equal({ url.parse_query(long "&" .. query) }, { fields })
	check.equal({ url.parse_query(query .. "&" .. long "a&") }, { fields, "a query of more than 10000 fields" })
	check.equal({ url.parse_query("a=1&a=2&a=3", 2) }, { { a = { "1", "2" } }, "a query of more than 2 fields" })
end

-- A client whose first connection brings this text at once.
local function events_of(text)
	local client = {}
	function client.request_stream(_, _, _, received)
		received["content-type"] = "text/event-stream"
		return setmetatable({ status = 200, close = function() end }, {
			__call = function()
				local piece = text
				text = nil
				return piece
			end,
		})
	end
	return eventsource.new(client, "http://127.0.0.1/")
end

function cases.events_of_one_piece()
	local source <close> = events_of(long "data:\n\n")
	for _ = 1, SIZE // 7 do
		assert(source:next())
	end
end

function cases.pauses_before_events_come_again()
	local source <close> = events_of "retry: 0\ndata: x\n\n"
	check.equal(source:next().data, "x")
	check.equal(source.retry, 10)
end

function cases.names_of_users()
	check.raises("", msgserver.userid, long "a")
	check.raises("", msgserver.userid, long "a@")
	check.equal({ msgserver.userid(msgserver.username("user", 1, "server")) }, { "user", "1", "server" })
	check.equal(#crypt.base64decode(long "QUFB"), SIZE // 4 * 3)
end

function cases.bytes_of_telnet()
	check.equal(foreign(long "\xff\xfa"), false)
	check.equal(foreign(long "\xff\xfa" .. "\1"), true)
	check.equal(foreign("\xff\xfa\1\xff\xf0a\xff\xfa\2\xff\xf0" .. long "\xff\xfb\1"), false)
	check.equal(foreign("\xff\xfa\1\xff\xf0\3"), true)
end

function cases.numbers_of_databases()
	local zeros = long "0"
	check.equal(numbers.of_decimal(zeros), zeros)
	check.equal(numbers.of_decimal(zeros .. "1.0x"), zeros .. "1.0x")
	check.equal(numbers.of_decimal(string.rep("0", 40) .. "1.50"), 1.5)
end

function cases.answers_of_name_servers()
	local function answer(name, ...)
		return string.pack(">HHHHHH", 1, 0x8180, 1, select("#", ...), 0, 0)
			.. name
			.. string.pack(">HH", 1, 1)
			.. table.concat { ... }
	end
	local function alias(from, to)
		return from .. string.pack(">HHI4s2", 5, 1, 60, to)
	end
	local function name(number)
		return string.pack("s1", tostring(number)) .. "\0"
	end
	local label = string.pack("s1", string.rep("x", 63))
	check.raises("malformed name", message.answer, answer(string.rep(label, 4) .. "\0"))
	check.raises("malformed name", message.answer, answer("\x7f" .. string.rep("x", 127) .. "\0"))
	check.equal(message.answer(answer(string.rep(label, 3) .. "\0")).code, 0)
	local chain = {} -- each pointer leads to the one before
	for i = 1, 17 do
		chain[i] = string.pack(">H", 0xc000 | (i == 1 and 12 or 12 + 5 + 11 + 2 * (i - 2)))
	end
	local records = "\0"
		.. string.pack(">HHI4s2", 16, 1, 60, table.concat(chain))
		.. chain[17]
		.. string.pack(">HHI4s2", 1, 1, 60, "abcd")
	local bytes = string.pack(">HHHHHH", 1, 0x8180, 1, 2, 0, 0) .. "\0" .. string.pack(">HH", 1, 1) .. records
	check.raises("malformed name", message.answer, bytes)
	check.equal(
		message.answer(bytes, function()
			return false
		end).records,
		{},
		"what was not asked for is not read"
	)
	local chain = {}
	for number = 1, 30000 do
		chain[number] = alias(name(30000 - number), name(30001 - number))
	end
	local bytes = string.pack(">HHHHHH", 1, 0x8180, 1, #chain, 0, 0)
		.. name(0)
		.. string.pack(">HH", 1, 1)
		.. table.concat(chain)
	check.equal({ message.addresses(message.answer(bytes)) }, { nil, 60, "16" })
end

-- One that stays silent must not make those behind it dearer.
function cases.connections_that_come_and_go()
	local expelled = {}
	local door = admission.new {
		name = "test",
		most_unheard = 2,
		close = function(id)
			expelled[#expelled + 1] = id
		end,
	}
	assert(door:enter(0, "10.0.0.1:1"))
	for id = 1, 300000 do
		assert(door:enter(id, "10.0.0.2:1"))
		if id % 3 == 0 then
			door:heard(id)
			door:leave(id)
		end
	end
	check.equal(#expelled, 200000 - 1)
	check.equal({ expelled[1], expelled[2], expelled[3] }, { 1, 2, 4 })
	assert(door:from(0) and door:from(299999))
end

check.run(cases)
