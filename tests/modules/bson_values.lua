-- bson: what stands for values that Lua has no type for, decoding, and values in place.
local check = require "check"
local bson = require "bson"
local bson_bytes = require "bson_bytes"

local cases = {}

local strict, hex, document, decode, round =
	bson_bytes.strict, bson_bytes.hex, bson_bytes.document, bson_bytes.decode, bson_bytes.round

function cases.values_that_lua_has_no_type_for()
	local forms = {
		{ bson.null, 10, "", "nil" },
		{ bson.minkey, 255, "", "minkey" },
		{ bson.maxkey, 127, "", "maxkey" },
		{
			bson.objectid "0123456789abcdefABCDEF00",
			7,
			"0123456789abcdefabcdef00",
			"objectid",
			"0123456789abcdefabcdef00",
		},
		{ bson.date(1700000000), 9, hex(string.pack("<i8", 1700000000000)), "date", 1700000000 },
		{
			bson.timestamp(1700000000, 7),
			17,
			"07000000" .. hex(string.pack("<i4", 1700000000)),
			"timestamp",
			1700000000,
			7,
		},
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
	for _, text in ipairs { ("long "):rep(500), "\xc4\xe3\xba\xc3" } do -- as it is, whatever it is
		check.raises("Invalid objectid " .. text, bson.objectid, text)
	end
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
		{ 1, "f", "000000000000f83f" },
		{ 2, "s", "03000000686900" },
		{ 4, "a", document(16, "0", "09000000") },
		{ 5, "b", "0200000080abcd" },
		{ 7, "o", "000102030405060708090a0b" },
		{ 9, "d", "0068e5cf8b010000" },
		{ 10, "n", "" },
		{ 11, "r", "61006900" },
		{ 12, "p", "020000007100" .. "000102030405060708090a0b" },
		{ 13, "j", "020000007800" },
		{ 14, "y", "020000007900" },
		{ 15, "c", "0f00000002000000610005000000" .. "00" },
		{ 16, "i", "feffffff" },
		{ 17, "t", "0100000002000000" },
		{ 18, "l", "ffffffffffffff7f" },
		{ 255, "m", "" },
		{ 127, "M", "" },
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
	for _, value in ipairs {
		"\0\13\2\0\0\0x\0",
		"\0\14\1\0\0\0\0",
		"\0\12\2\0\0\0q\0\0\1\2\3\4\5\6\7\8\9\10\11",
		"\0\5\x80ab",
	} do
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
		integer = 1,
		long = 1 << 40,
		real = 1.5,
		flag = true,
		date = bson.date(1),
		time = bson.timestamp(1, 1),
		id = bson.objectid "000000000000000000000000",
		text = "x",
		list = { 1 },
		map = { a = 1 },
		none = bson.null,
		bin = bson.binary "x",
		re = bson.regex "x",
	}
	check.raises("call makeindex first", function()
		made.integer = 2
	end)
	check.equal(made:makeindex(), made)
	made.integer, made.long, made.real, made.flag = -7, -(1 << 50), 2.5, false
	made.date, made.time = bson.date(9), bson.timestamp(8, 7)
	made.id = bson.objectid "0102030405060708090a0b0c"
	check.equal(made:decode(), {
		integer = -7,
		long = -(1 << 50),
		real = 2.5,
		flag = false,
		date = bson.date(9),
		time = bson.timestamp(8, 7),
		id = bson.objectid "0102030405060708090a0b0c",
		text = "x",
		list = { 1 },
		map = { a = 1 },
		none = bson.null,
		bin = bson.binary "x",
		re = bson.regex "x",
	})
	made.real = 3
	check.equal(made:decode().real, 3.0)
	check.raises("Can't replace key : text", function()
		made.text = "y"
	end)
	check.raises("Can't replace key : missing", function()
		made.missing = 1
	end)
	check.raises("1.5 must be a 32bit integer ", function()
		made.integer = 1.5
	end)
	check.raises("1.5 must be a 64bit integer ", function()
		made.long = 1.5
	end)
	check.raises("Type mismatch, need bson type 9", function()
		made.date = "\0\7abcdefghijkl"
	end)
	check.raises("Type mismatch, need bson type 7", function()
		made.id = "x"
	end)
	check.raises("Invalid object id", function()
		made.id = "\0\7abcdef"
	end)
	check.raises("Invalid timestamp", function()
		made.time = "\0\17abcdef"
	end)
	check.raises("Invalid date", function()
		made.date = "\0\9abcdef"
	end)
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
		check.raises("must be a 32bit integer", function()
			made.a = 1 << 32
		end)
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
			{ 16, "a", "01000000" },
			{ 6, "u", "" },
			{ 19, "d", "0f000000000000000000000000003e30" },
			{ 127, "M", "" },
			{ 9, "old", hex(string.pack("<i8", -5000)) },
			{ 9, "far", hex(string.pack("<i8", 1 << 50)) },
			{ 2, "z", "03000000686900" },
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
			check.equal(
				hex(bson.encode { v = value }),
				document(9, "v", hex(string.pack("<i8", seconds * 1000 + milliseconds)))
			)
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
			document(3, "a", "04000000"),
			document(4, "a", "ffffffff"),
			document(5, "a", "ffffffff00"),
			document(12, "a", "f4ffffff"),
			document(13, "a", "ffffffff"),
			document(15, "a", "00000000"),
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
