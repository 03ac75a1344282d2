-- bson
local check = require "check"
local bson = require "bson"

local cases = {}

-- What another implementation takes and ruins the document with is an error here.
local strict = not os.getenv "SKYNET_TREE"

local function hex(document)
	return (tostring(document):gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

-- A document of one element: its type, its name and the bytes of its value in hexadecimal.
local function document(kind, name, value)
	local body = string.format("%02x", kind) .. hex(name) .. "00" .. value .. "00"
	return hex(string.pack("<i4", #body // 2 + 4)) .. body
end

local function bytes(digits)
	return (digits:gsub("..", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

-- There is no other way to a document with arbitrary bytes than through the pointer of a reply.
local function decode(digits)
	local driver = require "skynet.mongo.driver"
	local raw = bytes(digits)
	local size = string.unpack("<i4", raw)
	local reply = string.pack("<i4i4i4i4B", 1, 0, 2013, 0, 0) .. raw
	local ok, _, pointer = driver.reply(reply)
	check.equal(ok, true)
	check.equal(size, #raw, "length of the test's document")
	return bson.decode(pointer), reply
end

local function round(value)
	return bson.encode({ v = value }):decode().v
end

function cases.numbers()
	check.equal(hex(bson.encode { a = 1 }), document(16, "a", "01000000"))
	check.equal(hex(bson.encode { a = -1 }), document(16, "a", "ffffffff"))
	check.equal(hex(bson.encode { a = 0x7fffffff }), document(16, "a", "ffffff7f"))
	check.equal(hex(bson.encode { a = -0x80000000 }), document(16, "a", "00000080"))
	check.equal(hex(bson.encode { a = 0x80000000 }), document(18, "a", "0000008000000000"))
	check.equal(hex(bson.encode { a = -0x80000001 }), document(18, "a", "ffffff7fffffffff"))
	check.equal(hex(bson.encode { a = 1.0 }), document(1, "a", "000000000000f03f"))
	check.equal(hex(bson.encode { a = bson.int64(5) }), document(18, "a", "0500000000000000"))
	for _, number in ipairs { 0, 1, -1, 1 << 31, math.maxinteger, math.mininteger } do
		check.equal(math.type(round(number)), "integer")
		check.equal(round(number), number)
	end
	check.equal(math.type(round(3.0)), "float")
	check.equal(round(1 / 0), 1 / 0)
end

function cases.strings_booleans_and_tables()
	check.equal(hex(bson.encode {}), "0500000000")
	check.equal(hex(bson.encode { a = "" }), document(2, "a", "0100000000"))
	check.equal(hex(bson.encode { a = "xyz" }), document(2, "a", "0400000078797a00"))
	check.equal(hex(bson.encode { a = "x\0y" }), document(2, "a", "0400000078007900"))
	check.equal(hex(bson.encode { a = true }), document(8, "a", "01"))
	check.equal(hex(bson.encode { a = false }), document(8, "a", "00"))
	check.equal(hex(bson.encode { a = {} }), document(3, "a", "0500000000"))
	check.equal(hex(bson.encode { a = { b = {} } }), document(3, "a", document(3, "b", "0500000000")))
	check.equal(hex(bson.encode { [""] = 1 }), document(16, "", "01000000"))
	check.equal(hex(bson.encode { a = { 7, "x" } }), document(4, "a", "15000000" .. "103000" .. "07000000" .. "023100" .. "020000007800" .. "00"))
end

function cases.names_of_every_length_survive()
	for length = 0, 80 do
		local name = ("abcdefghij"):rep(8):sub(1, length)
		check.equal(hex(bson.encode { [name] = 1 }), document(16, name, "01000000"))
		check.equal(bson.encode({ [name] = length }):decode(), { [name] = length })
		local unicode = name .. "\u{e9}"
		check.equal(bson.encode({ [unicode] = unicode }):decode(), { [unicode] = unicode })
	end
end

function cases.arrays_have_names_from_zero()
	local array = {}
	for index = 1, 1234 do
		array[index] = index * 3
	end
	local raw = tostring(bson.encode { a = array })
	local at = 4 + 1 + 2 + 4
	for index = 0, 1233 do
		local name = tostring(index)
		check.equal(raw:sub(at + 1, at + #name + 2), "\16" .. name .. "\0")
		at = at + #name + 2 + 4
	end
	check.equal(raw:sub(at + 1), "\0\0")
	check.equal(round(array), array)
end

function cases.which_tables_are_arrays()
	local kind = function(t)
		return tostring(bson.encode { v = t }):byte(5)
	end
	check.equal(kind { 1 }, 4)
	check.equal(kind {}, 3)
	check.equal(kind { a = 1 }, 3)
	-- What is beside the array part is left out.
	check.equal(round { 1, 2, x = 3 }, { 1, 2 })
	check.raises("Bson dictionary's key can't be number", bson.encode, { v = { [0] = 1 } })
	check.raises("Bson dictionary's key can't be number", bson.encode, { v = { [1.5] = 1 } })
	check.raises("Bson dictionary's key can't be number", bson.encode, { v = { [1000] = 1 } })
	check.raises("Bson dictionary's key can't be number", bson.encode, { 1, 2 })
	check.raises("Invalid key type : boolean", bson.encode, { [true] = 1 })
	check.raises("Invalid value type : function", bson.encode, { v = print })
	check.raises("Invalid value type : thread", bson.encode, { v = coroutine.running() })
end

function cases.metamethods_make_arrays_and_dictionaries()
	local array = setmetatable({}, {
		__len = function()
			return 3
		end,
		__index = function(_, index)
			return index * 10
		end,
	})
	check.equal(round(array), { 10, 20, 30 })
	local dictionary = setmetatable({}, {
		__pairs = function(self)
			local names = { "x", "y", "z" }
			local at = 0
			return function(subject)
				assert(subject == self)
				at = at + 1
				return names[at], at
			end, self
		end,
	})
	check.equal(round(dictionary), { x = 1, y = 2, z = 3 })
	check.equal(bson.encode(dictionary):decode(), { x = 1, y = 2, z = 3 })
	-- A document is never an array.
	check.equal(tostring(bson.encode(setmetatable({ a = 1 }, { __len = error }))), tostring(bson.encode { a = 1 }))
	check.equal(round(setmetatable({ 5, 6 }, {})), { 5, 6 })
	local hole = setmetatable({ 1, 2, 3 }, { __len = function() return 5 end })
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode, { v = hole })
	check.raises("__len should return integer", bson.encode, { v = setmetatable({}, { __len = function() return "x" end }) })
	check.raises("from the metamethod", bson.encode, { v = setmetatable({}, { __pairs = function() error "from the metamethod" end }) })
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode, {
		v = setmetatable({}, { __pairs = function() return function() return "x", nil end end }),
	})
end

function cases.encoders_may_call_each_other()
	local inner = setmetatable({}, {
		__pairs = function()
			local large = bson.encode { text = ("i"):rep(5000) }
			return next, { len = #large, document = large }
		end,
	})
	local text = ("o"):rep(10000)
	for _ = 1, 10 do
		local result = bson.encode({ a = text, b = inner, c = text }):decode()
		check.equal(result, { a = text, b = { len = 5016, document = { text = ("i"):rep(5000) } }, c = text })
	end
end

function cases.a_failed_encoder_leaves_the_next_alone()
	for size = 1, 200000, 40000 do
		check.raises("Invalid value type", bson.encode_order, "text", ("x"):rep(size), "wrong", print)
		check.equal(round(("y"):rep(size)), ("y"):rep(size))
	end
end

function cases.nesting_is_bounded()
	local deep = {}
	for _ = 1, 127 do
		deep = { d = deep }
	end
	bson.encode { d = deep }
	check.raises("Too depth while encoding bson", bson.encode, { d = { d = deep } })
	local endless = {}
	endless.self = endless
	check.raises("Too depth while encoding bson", bson.encode, endless)
end

function cases.order_of_elements()
	local raw = bson.encode_order("z", 1, "a", "x", 5, true)
	check.equal(hex(raw), "19000000" .. "107a0001000000" .. "026100020000007800" .. "08350001" .. "00")
	check.equal(hex(bson.encode_order("a", { 1 }, "b", bson.encode { c = 2 })), "23000000" .. "046100" .. "0c000000103000" .. "0100000000" .. "036200" .. document(16, "c", "02000000") .. "00")
	check.raises("Invalid ordered dict", bson.encode_order, "a", 1, "b")
	check.raises("Argument 3 need a string", bson.encode_order, "a", 1, true, 2)
	check.raises("Argument 1 need a string", bson.encode_order, nil, 1)
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode_order, "a", nil)
end

function cases.text_has_to_be_utf8()
	for _, text in ipairs { "h\u{e9}llo \u{20ac} \u{10ffff}", "\u{d800}\u{dfff}", ("\u{4e2d}"):rep(100) } do
		check.equal(round(text), text)
	end
	for _, text in ipairs { "\x80", "a\xc3", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xff", ("x"):rep(100) .. "\x80" } do
		check.raises("Invalid utf8 string", bson.encode, { v = text })
		check.raises("Invalid utf8 string", bson.encode, { [text] = 1 })
		check.raises("Invalid utf8 string", bson.encode, { v = bson.regex(text) })
	end
end

function cases.values_that_lua_has_no_type_for()
	local forms = {
		{ bson.null, 10, "", "nil" },
		{ bson.minkey, 255, "", "minkey" },
		{ bson.maxkey, 127, "", "maxkey" },
		{ bson.objectid "0123456789abcdefABCDEF00", 7, "0123456789abcdefabcdef00", "objectid", "0123456789abcdefabcdef00" },
		{ bson.date(1700000000), 9, hex(string.pack("<i8", 1700000000000)), "date", 1700000000 },
		{ bson.timestamp(1700000000, 7), 17, "07000000" .. hex(string.pack("<i4", 1700000000)), "timestamp", 1700000000, 7 },
		{ bson.regex("a.*", "im"), 11, "612e2a00696d00", "regex", "a.*", "im" },
		{ bson.regex "x", 11, "780000", "regex", "x", "" },
		{ bson.binary "a\0b", 5, "0300000000610062", "binary", "a\0b", 0 },
		{ bson.binary "", 5, "0000000000", "binary", "", 0 },
		{ bson.int64(-2), 18, "feffffffffffffff", "int64", -2 },
	}
	for _, form in ipairs(forms) do
		local value, kind, digits = form[1], form[2], form[3]
		check.equal({ bson.type(value) }, { table.unpack(form, 4) })
		check.equal(hex(bson.encode { v = value }), document(kind, "v", digits))
		if kind ~= 18 then
			check.equal(round(value), value)
		end
	end
	check.equal(bson.null, "\0\10")
	check.equal(bson.date(5), "\0\9\5\0\0\0")
end

function cases.types_of_plain_values()
	check.equal({ bson.type(1) }, { "number", 1 })
	check.equal({ bson.type(true) }, { "boolean", true })
	check.equal({ bson.type(nil) }, { "nil" })
	check.equal({ bson.type "" }, { "string", "" })
	check.equal({ bson.type "\0" }, { "string", "\0" })
	local t = {}
	check.equal({ bson.type(t) }, { "table", t })
	check.equal({ bson.type "\0\13abc" }, { "unsupported", "abc" })
	check.raises("Invalid type function", bson.type, print)
	check.raises("Invalid subtype 99", bson.type, "\0c")
	check.raises("Invalid object id", bson.type, "\0\7abc")
	check.raises("Invalid date", bson.type, "\0\9abc")
	check.raises("Invalid timestamp", bson.type, "\0\17abc")
	check.raises("Invalid int64", bson.type, "\0\18abc")
	check.raises("Invalid regex", bson.type, "\0\11abc")
end

function cases.damaged_values_are_refused()
	check.raises("Invalid object id", bson.encode, { v = "\0\7abc" })
	check.raises("Invalid date", bson.encode, { v = "\0\9abc" })
	check.raises("Invalid timestamp", bson.encode, { v = "\0\17abc" })
	check.raises("Invalid int64", bson.encode, { v = "\0\18abc" })
	check.raises("Invalid subtype 99", bson.encode, { v = "\0cabc" })
	check.raises("Invalid objectid 0123", bson.objectid, "0123")
end

function cases.new_object_ids_differ()
	local seen = {}
	for _ = 1, 1000 do
		local id = bson.objectid()
		check.equal(#id, 14)
		check.equal(seen[id], nil)
		seen[id] = true
		local _, digits = bson.type(id)
		check.equal(bson.objectid(digits), id)
	end
end

function cases.all_types_are_decoded()
	local elements = {
		{ 1, "f", "000000000000f83f" }, { 2, "s", "03000000686900" }, { 4, "a", document(16, "0", "09000000") },
		{ 5, "b", "0200000080abcd" }, { 7, "o", "000102030405060708090a0b" }, { 9, "d", "0068e5cf8b010000" },
		{ 10, "n", "" }, { 11, "r", "61006900" }, { 12, "p", "020000007100" .. "000102030405060708090a0b" },
		{ 13, "j", "020000007800" }, { 14, "y", "020000007900" }, { 15, "c", "0f00000002000000610005000000" .. "00" },
		{ 16, "i", "feffffff" }, { 17, "t", "0100000002000000" }, { 18, "l", "ffffffffffffff7f" }, { 255, "m", "" }, { 127, "M", "" },
	}
	local body = ""
	for _, element in ipairs(elements) do
		body = body .. document(table.unpack(element)):sub(9, -3)
	end
	local decoded = decode(hex(string.pack("<i4", #body // 2 + 5)) .. body .. "00")
	check.equal(decoded.c, "\0\15\15\0\0\0\2\0\0\0a\0\5\0\0\0\0")
	check.equal(decoded.f, 1.5)
	check.equal(decoded.s, "hi")
	check.equal(decoded.a, { 9 })
	check.equal(decoded.b, "\0\5\x80\xab\xcd")
	check.equal(decoded.o, "\0\7\0\1\2\3\4\5\6\7\8\9\10\11")
	check.equal(decoded.d, "\0\9" .. string.pack("<I4", 0x018bcfe56800 // 1000))
	check.equal(decoded.n, bson.null)
	check.equal(decoded.r, bson.regex("a", "i"))
	check.equal(decoded.j, "\0\13\2\0\0\0x\0")
	check.equal(decoded.y, "\0\14\2\0\0\0y\0")
	check.equal(decoded.p, "\0\12\2\0\0\0q\0\0\1\2\3\4\5\6\7\8\9\10\11")
	check.equal(decoded.i, -2)
	check.equal(decoded.t, bson.timestamp(2, 1))
	check.equal(decoded.l, math.maxinteger)
	check.equal(decoded.m, bson.minkey)
	check.equal(decoded.M, bson.maxkey)
end

function cases.what_was_decoded_can_be_encoded_again()
	for _, value in ipairs { "\0\13\2\0\0\0x\0", "\0\14\1\0\0\0\0", "\0\12\2\0\0\0q\0\0\1\2\3\4\5\6\7\8\9\10\11", "\0\5\x80ab" } do
		check.equal(round(value), value)
	end
end

function cases.array_names_are_numbers_as_far_as_they_are()
	local element = function(name)
		return (decode(document(4, "a", document(16, name, "05000000")))).a
	end
	check.equal(element "0", { 5 })
	check.equal(element "41", { [42] = 5 })
	check.equal(element "x", { 5 })
	check.equal(element "7x", { [8] = 5 })
	check.equal(element "-1", { [0] = 5 })
end

function cases.the_last_of_two_elements_counts()
	check.equal((decode("13000000" .. "10610001000000" .. "10610002000000" .. "00")), { a = 2 })
end

function cases.damaged_documents_are_refused()
	local wrong = {
		["Invalid bson type : 20"] = document(20, "a", "0000"),
		["Invalid bson block : cstring"] = "07000000" .. "1061" .. "00",
		["Invalid bson string , length = 0"] = document(2, "a", "00000000"),
		["Invalid bson string , length = -1"] = document(2, "a", "ffffffff"),
		["Invalid bson block (2:9)"] = document(2, "a", "090000006162"),
		["Invalid bson block (2:4)"] = document(16, "a", "0000"),
		["Invalid bson block (3:8)"] = document(1, "a", "000000"),
		["Invalid bson block (0:1)"] = document(8, "a", ""),
		["Invalid document end"] = document(3, "a", "0500000001"),
	}
	for text, digits in pairs(wrong) do
		check.raises(text, decode, digits)
	end
end

function cases.documents_are_userdata()
	local made = bson.encode { a = 1, b = "x" }
	check.equal(#made, #tostring(made))
	check.equal(bson.decode(made), { a = 1, b = "x" })
	check.equal(bson.decode(bson.to_lightuserdata(made)), { a = 1, b = "x" })
	check.equal(select("#", bson.decode(nil)), 0)
	check.equal(select("#", bson.decode "text"), 0)
	check.equal(hex(bson.encode { d = made }), document(3, "d", hex(made)))
	check.equal(hex(bson.encode { d = bson.to_lightuserdata(made) }), document(3, "d", hex(made)))
	check.raises("table expected", bson.encode, 1)
end

function cases.values_can_be_replaced_in_place()
	local made = bson.encode {
		integer = 1, long = 1 << 40, real = 1.5, flag = true, date = bson.date(1), time = bson.timestamp(1, 1),
		id = bson.objectid "000000000000000000000000", text = "x", list = { 1 }, map = { a = 1 }, none = bson.null,
		bin = bson.binary "x", re = bson.regex "x",
	}
	check.raises("call makeindex first", function() made.integer = 2 end)
	check.equal(made:makeindex(), made)
	made.integer, made.long, made.real, made.flag = -7, -(1 << 50), 2.5, false
	made.date, made.time = bson.date(9), bson.timestamp(8, 7)
	made.id = bson.objectid "0102030405060708090a0b0c"
	check.equal(made:decode(), {
		integer = -7, long = -(1 << 50), real = 2.5, flag = false, date = bson.date(9), time = bson.timestamp(8, 7),
		id = bson.objectid "0102030405060708090a0b0c", text = "x", list = { 1 }, map = { a = 1 }, none = bson.null,
		bin = bson.binary "x", re = bson.regex "x",
	})
	made.real = 3
	check.equal(made:decode().real, 3.0)
	check.raises("Can't replace key : text", function() made.text = "y" end)
	check.raises("Can't replace key : missing", function() made.missing = 1 end)
	check.raises("1.5 must be a 32bit integer ", function() made.integer = 1.5 end)
	check.raises("1.5 must be a 64bit integer ", function() made.long = 1.5 end)
	check.raises("Type mismatch, need bson type 9", function() made.date = "\0\7abcdefghijkl" end)
	check.raises("Type mismatch, need bson type 7", function() made.id = "x" end)
	check.raises("Invalid object id", function() made.id = "\0\7abcdef" end)
	check.raises("Invalid timestamp", function() made.time = "\0\17abcdef" end)
	check.raises("Invalid date", function() made.date = "\0\9abcdef" end)
end

if strict then
	function cases.a_document_cannot_be_broken_from_inside()
		check.raises("Invalid bson key (embedded zero)", bson.encode, { ["a\0b"] = 1 })
		check.raises("Invalid bson key (embedded zero)", bson.encode, { [("long name"):rep(5) .. "\0"] = 1 })
		check.raises("Invalid bson key (embedded zero)", bson.encode, { v = bson.regex("a\0b", "i") })
		check.raises("Invalid binary", bson.encode, { v = "\0\5" })
		check.raises("Invalid binary", bson.type, "\0\5")
		check.raises("Invalid regex", bson.encode, { v = "\0\11" })
		check.raises("Invalid regex", bson.type, "\0\11")
		-- Text from a client that begins with a zero must not become elements.
		for _, kind in ipairs { 12, 13, 14, 15 } do
			local text = string.char(0, kind) .. "\1\0\0\0\0\16admin\0\1\0\0\0"
			check.raises("Invalid subtype " .. kind, bson.encode, { v = text })
		end
	end

	function cases.numbers_are_not_cut()
		local made = bson.encode({ a = 1 }):makeindex()
		check.raises("must be a 32bit integer", function() made.a = 1 << 32 end)
		check.raises("Invalid date", bson.date, 1 << 60)
		check.raises("Invalid objectid", bson.objectid, ("x"):rep(24))
	end

	-- Elsewhere the increment is 0 with Lua 5.4 and later.
	function cases.increments_count_up()
		local increment = function()
			return string.unpack("<I4", bson.timestamp(1), 3)
		end
		check.equal(increment() + 1, increment())
	end

	-- A value that Lua has no type for is a string that can be sent back; its neighbours are what they are.
	function cases.strange_values_pass_through_unchanged()
		local elements = {
			{ 16, "a", "01000000" }, { 6, "u", "" }, { 19, "d", "0f000000000000000000000000003e30" }, { 127, "M", "" },
			{ 9, "old", hex(string.pack("<i8", -5000)) }, { 9, "far", hex(string.pack("<i8", 1 << 50)) }, { 2, "z", "03000000686900" },
		}
		local body = ""
		for _, element in ipairs(elements) do
			body = body .. document(table.unpack(element)):sub(9, -3)
		end
		local digits = hex(string.pack("<i4", #body // 2 + 5)) .. body .. "00"
		local got = decode(digits)
		check.equal({ got.a, got.z, got.M }, { 1, "hi", bson.maxkey })
		check.equal({ bson.type(got.u) }, { "undefined" })
		check.equal(got.u, "\0\6")
		check.equal({ bson.type(got.d) }, { "decimal128", "1.5" })
		check.equal({ bson.type(got.old) }, { "date", -5 })
		check.equal({ bson.type(got.far) }, { "date", (1 << 50) // 1000, (1 << 50) % 1000 })
		local again = {}
		for _, element in ipairs(elements) do
			again[#again + 1] = element[2]
			again[#again + 1] = got[element[2]]
		end
		check.equal(hex(bson.encode_order(table.unpack(again))), digits)
	end

	function cases.decimal_numbers_are_text()
		for _, text in ipairs { "0", "-1.50", "NaN", "-Infinity", "0.000001", "1E-7", "1.5E+10", ("9"):rep(34) } do
			check.equal({ bson.type(round(bson.decimal128(text))) }, { "decimal128", text })
		end
		for _, text in ipairs { "", "x", ("9"):rep(35), "1e9999" } do
			check.raises("Invalid decimal128", bson.decimal128, text)
		end
		check.raises("Invalid decimal128", bson.encode, { v = "\0\19abc" })
		check.raises("Invalid decimal128", bson.type, "\0\19abc")
	end

	function cases.dates_keep_all_that_a_document_has()
		check.equal(bson.date(1700000000), "\0\9" .. string.pack("=I4", 1700000000))
		for _, date in ipairs { { 1700000000, 123 }, { -5, 7 }, { 1 << 33, 0 }, { 4000000000, 7 } } do
			local seconds, milliseconds = table.unpack(date)
			local value = bson.date(seconds, milliseconds)
			check.equal({ bson.type(value) }, { "date", seconds, milliseconds })
			check.equal(hex(bson.encode { v = value }), document(9, "v", hex(string.pack("<i8", seconds * 1000 + milliseconds))))
			-- Programs that know the short form find it at the beginning.
			check.equal(string.unpack("=I4", value, 3), (seconds < 0 and seconds + 1 or seconds) & 0xffffffff)
		end
		check.equal({ bson.type(bson.date(4000000000)) }, { "date", 4000000000, 0 })
		check.equal(bson.date(-5), "\0\9" .. string.pack("=i4", -5))
		check.equal({ bson.type(bson.date(-5)) }, { "date", -5 })
		check.equal(hex(bson.encode { v = bson.date(-5) }), document(9, "v", hex(string.pack("<i8", -5000))))
		local made = bson.encode({ d = bson.date(0) }):makeindex()
		made.d = bson.date(1 << 33, 0)
		check.equal({ bson.type(made:decode().d) }, { "date", 1 << 33, 0 })
	end

	function cases.milliseconds_of_dates_are_read_on_request()
		local value = bson.date(1700000000, 123)
		check.equal(round(value), bson.date(1700000000))
		check.equal(bson.exact_dates(true), false)
		check.equal(round(value), value)
		check.equal(round(bson.date(1700000000)), bson.date(1700000000))
		check.equal(bson.exact_dates(false), true)
		check.equal(round(value), bson.date(1700000000))
	end

	function cases.lengths_that_lie_are_refused()
		for _, digits in ipairs {
			document(3, "a", "04000000"), document(4, "a", "ffffffff"), document(5, "a", "ffffffff00"),
			document(12, "a", "f4ffffff"), document(13, "a", "ffffffff"), document(15, "a", "00000000"),
		} do
			check.raises("Invalid bson block", decode, digits)
		end
	end

	function cases.deep_documents_are_refused()
		local deep = "0500000000"
		for _ = 1, 1002 do
			deep = document(3, "a", deep)
		end
		check.raises("Too depth while decoding bson", decode, deep)
	end
end

check.run(cases)
