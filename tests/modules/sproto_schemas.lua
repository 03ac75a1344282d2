-- sproto.core: packing, defaults, protocols and schemas, made by the tree's own sprotoparser.
local check = require "check"
local core = require "sproto.core"
local sproto_check = require "sproto_check"

local cases = {}

local strict, bundle, schema, type_of, bytes, hex, encoded =
	sproto_check.strict,
	sproto_check.bundle,
	sproto_check.schema,
	sproto_check.type_of,
	sproto_check.bytes,
	sproto_check.hex,
	sproto_check.encoded

function cases.packing_leaves_zeros_out()
	local function packs(plain, digits)
		plain, digits = bytes(plain), digits:gsub("%s", "")
		check.equal(hex(core.pack(plain)), digits)
		check.equal(core.unpack(bytes(digits)), plain .. ("\0"):rep(-#plain % 8))
	end
	packs("", "")
	packs("0800000003000200 1900 0000aa010000", "51080302 3119aa01")
	packs("8a" .. ("8a"):rep(29) .. "0000", "ff03" .. ("8a"):rep(30) .. "0000")
	packs("0102030405060700", "7f01020304050607")
	packs(
		("01"):rep(8) .. "0102030405060000" .. "0102030405000000",
		"ff01" .. ("01"):rep(8) .. "0102030405060000" .. "1f0102030405"
	)
	packs(("ff"):rep(2048) .. "05", "ffff" .. ("ff"):rep(2048) .. "0105")
	packs(("ff"):rep(2056), "ffff" .. ("ff"):rep(2048) .. "ff00" .. ("ff"):rep(8))
	packs(("ff"):rep(14), "ff01" .. ("ff"):rep(14) .. "0000")
	packs(("00"):rep(20), "000000")
end

function cases.packed_messages_of_every_size_unpack()
	local message =
		core.encode(type_of "Person", { name = ("abc\0\0\0def"):rep(700), age = 5, children = { { age = 3 } } })
	for size = 0, #message, 37 do
		local plain = message:sub(1, size)
		check.equal(core.unpack(core.pack(plain)), plain .. ("\0"):rep(-size % 8))
	end
	local large = ("\1\2\3\4\5\6\7\8"):rep(50000)
	check.equal(core.unpack(core.pack(large)), large)
	local empty = ("\0"):rep(400000)
	check.equal(core.unpack(core.pack(empty)), empty)
end

function cases.damaged_packed_messages_are_refused()
	for _, digits in ipairs { "01", "ff", "ff00", "ff00 01020304050607", "8101", "00 ff01 0102030405060708", "7f 010203" } do
		check.raises("Invalid unpack stream", core.unpack, bytes(digits))
	end
	check.raises("object is too large (>16777216)", core.unpack, ("\0"):rep(0x200001))
	check.raises("object is too large (>16777216)", core.pack, ("\0"):rep(0x1000000))
	check.raises("Need a string or userdata", core.pack, {})
	check.equal(core.unpack(core.pack "still works"), "still works\0\0\0\0\0")
end

function cases.defaults()
	check.equal(core.default(type_of "Data"), {
		numbers = { __array = 0 },
		bools = { __array = false },
		number = 0,
		bignumber = 0,
		double = 0.0,
		doubles = { __array = 0.0 },
		fpn = 0.0,
		fpns = { __array = 0.0 },
		text = "",
		texts = { __array = "" },
		raw = "",
	})
	check.equal(
		core.default(type_of "Holder"),
		{ empty = { __type = "Empty" }, empties = { __array = "Empty" }, item = { __type = "Item" } }
	)
	check.equal(core.default(type_of "Maps"), {
		items = { __array = "Item" },
		counts = { __array = "Count" },
		pairs = { __array = "Pair" },
		list = { __array = "Item" },
	})
	check.equal(math.type(core.default(type_of "Data").fpn), "float")
	check.equal(core.default(type_of "Empty"), {})
	check.raises("Need a sproto_type object", core.default, nil)
end

function cases.protocols()
	local function protocol(key)
		local results = table.pack(core.protocol(schema, key))
		return results[1], results[2], results[3], results.n
	end
	local tag, request, response, count = protocol "login"
	check.equal({ tag, request, response, count }, { 1, type_of "Item", type_of "Person", 3 })
	check.equal((protocol(1)), "login")
	check.equal({ protocol "ping" }, { 3, type_of "ping.request", nil, 3 })
	tag, request, response, count = protocol "quit"
	check.equal({ tag, request, count }, { 5, nil, 3 })
	-- A response without content.
	check.equal(type(response), "userdata")
	check.equal(core.encode(response, nil), "")
	check.raises("nil expected", core.encode, response, {})
	check.equal(select("#", core.decode(response, "")), 0)
	check.equal({ select(2, protocol "blank") }, { nil, nil, 3 })
	check.equal({ protocol(9) }, { "tell", nil, type_of "Item", 3 })
	check.equal(select("#", core.protocol(schema, "nothing")), 0)
	check.equal(select("#", core.protocol(schema, 2)), 0)
	check.equal(select("#", core.querytype(schema, "nothing")), 0)
	check.raises("Should be number or string", core.protocol, schema, {})
	check.raises("Need a sproto_type object", core.protocol, nil, "x")
	check.raises("Need a sproto object", core.querytype, nil, "x")
	check.raises("Need a sproto object", core.deleteproto, nil)
end

function cases.schemas_are_shared_by_slot()
	local mine = core.newproto(bundle)
	core.saveproto(mine, 7)
	assert(core.loadproto(7) == mine)
	check.raises("nil sproto at index 8", core.loadproto, 8)
	check.raises("Invalid global slot index 16", core.loadproto, 16)
	check.raises("Invalid global slot index -1", core.saveproto, mine, -1)
	core.saveproto(schema)
	assert(core.loadproto() == schema)
end

function cases.what_is_no_schema_is_none()
	for size = 0, #bundle - 1, 7 do
		check.equal(select("#", core.newproto(bundle:sub(1, size))), 0)
	end
	for _, digits in ipairs { "0000", "0300 0000 0000 0000", "0100 0400", "0100 0000 04000000 09000000" } do
		check.equal(select("#", core.newproto(bytes(digits))), 0)
	end
	local empty = core.newproto(bytes "0000 0000")
	check.equal(type(empty), "userdata")
	check.equal(select("#", core.querytype(empty, "x")), 0)
	core.deleteproto(empty)
end

function cases.encoders_survive_errors()
	for _ = 1, 50 do
		check.raises("is not an integer", core.encode, type_of "Person", { name = ("x"):rep(10000), age = {} })
		encoded("Person", { name = ("y"):rep(10000), age = 1 })
	end
end

if strict then
	function cases.pointers_are_checked()
		local gone = core.newproto(bundle)
		core.deleteproto(gone)
		check.raises("Need a sproto object", core.deleteproto, gone)
		check.raises("Need a sproto object", core.querytype, gone, "Person")
		check.raises("Need a sproto object", core.saveproto, gone, 3)
		check.raises("Need a sproto_type object", core.encode, schema, {})
		check.raises("Need a sproto_type object", core.decode, schema, "")
		check.raises("Invalid size", core.decode, type_of "Item", schema, -1)
	end

	function cases.lengths_that_lie_are_refused()
		for _, digits in ipairs {
			"0100 0000 ffffffff",
			"0100 0000 fcffffff 00000000",
			"0400 0500 0000 04000000 ffffffff",
		} do
			check.raises("decode error", core.decode, type_of "Person", bytes(digits))
		end
	end

	function cases.a_saved_schema_cannot_be_deleted()
		local mine = core.newproto(bundle)
		core.saveproto(mine, 9)
		core.deleteproto(mine)
		check.equal(core.encode(core.querytype(core.loadproto(9), "Item"), { id = 1 }), bytes "0100 0400")
	end

	function cases.a_damaged_schema_is_none()
		-- Changes each byte in turn: a schema or none, but nothing else.
		for place = 1, #bundle do
			for _, byte in ipairs { 0, 1, 2, 255 } do
				local changed = core.newproto(bundle:sub(1, place - 1) .. string.char(byte) .. bundle:sub(place + 1))
				if changed then
					core.deleteproto(changed)
				end
			end
		end
	end

	function cases.encoders_may_call_each_other()
		local inner = setmetatable({}, {
			__index = function(_, name)
				return name == "name" and core.encode(type_of "Person", { name = ("i"):rep(5000) }) or nil
			end,
		})
		local text = ("o"):rep(6000)
		local expected = {
			name = text,
			children = { { name = core.encode(type_of "Person", { name = ("i"):rep(5000) }) }, { name = text } },
		}
		for _ = 1, 3 do
			encoded("Person", { name = text, children = { inner, { name = text } } }, expected)
		end
	end
end

check.run(cases)
