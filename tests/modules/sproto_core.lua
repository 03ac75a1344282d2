-- sproto.core, with schemas of the tree's own sprotoparser
local check = require "check"
local core = require "sproto.core"
local parser = require "sprotoparser"

local cases = {}

-- What reads or writes memory that is not the message's elsewhere is an error here.
local strict = not os.getenv "SKYNET_TREE"

local bundle = parser.parse [[
.Person {
	name 0 : string
	age 1 : integer
	marital 2 : boolean
	children 3 : *Person
}
.Data {
	numbers 0 : *integer
	bools 1 : *boolean
	number 2 : integer
	bignumber 3 : integer
	double 4 : double
	doubles 5 : *double
	fpn 6 : integer(2)
	fpns 7 : *integer(3)
	text 8 : string
	texts 9 : *string
	raw 10 : binary
}
.Gaps {
	a 1 : integer
	b 5 : string
	c 6 : boolean
	d 200 : integer
}
.Item {
	id 0 : integer
	name 1 : string
}
.Count {
	key 0 : string
	value 1 : *integer
}
.Pair {
	key 0 : integer
	value 1 : string
}
.Maps {
	items 0 : *Item(id)
	counts 1 : *Count()
	pairs 2 : *Pair()
	list 3 : *Item
}
.Empty {
}
.Deep {
	next 0 : Deep
	value 1 : integer
}
.Holder {
	empty 0 : Empty
	empties 1 : *Empty
	item 2 : Item
}

login 1 {
	request Item
	response Person
}
ping 3 {
	request {
		what 0 : string
	}
}
quit 5 {
	response nil
}
blank 6 {}
tell 9 {
	response Item
}
]]

local schema = core.newproto(bundle)

local function type_of(name)
	return assert(core.querytype(schema, name), name)
end

local function bytes(digits)
	return (digits:gsub("%s", ""):gsub("..", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

local function hex(text)
	return (text:gsub(".", function(byte)
		return string.format("%02x", byte:byte())
	end))
end

-- The message of a value, which decodes to the same value again.
local function encoded(name, value, expected)
	local message = core.encode(type_of(name), value)
	local result, size = core.decode(type_of(name), message)
	check.equal(size, #message)
	check.equal(result, expected or value)
	return hex(message)
end

local function expect(name, value, digits, expected)
	check.equal(encoded(name, value, expected), (digits:gsub("%s", "")))
end

function cases.values_of_fields()
	expect("Person", { name = "Alice", age = 13, marital = false }, "0300 0000 1c00 0200 05000000 416c696365")
	expect("Person", { name = "Bob", age = 40, children = { { name = "Alice", age = 13 }, { name = "Carol", age = 5 } } }, [[
		0400 0000 5200 0100 0000 03000000 426f62 26000000
		0f000000 0200 0000 1c00 05000000 416c696365
		0f000000 0200 0000 0c00 05000000 4361726f6c]])
	expect("Data", { numbers = { 1, 2, 3, 4, 5 } }, "0100 0000 15000000 04 01000000 02000000 03000000 04000000 05000000")
	expect("Data", { numbers = { (1 << 32) + 1, (1 << 32) + 2, (1 << 32) + 3 } }, "0100 0000 19000000 08 0100000001000000 0200000001000000 0300000001000000")
	expect("Data", { bools = { false, true, false } }, "0200 0100 0000 03000000 000100")
	expect("Data", { number = 100000, bignumber = -10000000000 }, "0300 0300 0000 0000 04000000 a0860100 08000000 001cf4abfdffffff")
	expect("Data", { double = 1.5, doubles = { 0.5 } }, "0300 0700 0000 0000 08000000 000000000000f83f 09000000 08 000000000000e03f")
	expect("Data", { text = "", raw = "\0\255" }, "0400 0f00 0000 0100 0000 00000000 02000000 00ff")
	expect("Empty", {}, "0000")
	expect("Data", {}, "0000")
end

function cases.integers_of_every_size()
	expect("Data", { number = 0 }, "0200 0300 0200")
	expect("Data", { number = 32766 }, "0200 0300 fe ff")
	expect("Data", { number = 32767 }, "0200 0300 0000 04000000 ff7f0000")
	expect("Data", { number = -1 }, "0200 0300 0000 04000000 ffffffff")
	expect("Data", { number = 0x7fffffff }, "0200 0300 0000 04000000 ffffff7f")
	expect("Data", { number = -0x80000000 }, "0200 0300 0000 04000000 00000080")
	expect("Data", { number = 0x80000000 }, "0200 0300 0000 08000000 0000008000000000")
	expect("Data", { number = math.mininteger }, "0200 0300 0000 08000000 0000000000000080")
	-- What counts as an integer elsewhere in Lua does so here.
	expect("Data", { number = 3.0 }, "0200 0300 0800", { number = 3 })
	expect("Data", { number = "17" }, "0200 0300 2400", { number = 17 })
end

function cases.arrays_of_numbers_widen_when_they_have_to()
	expect("Data", { numbers = { 1, -1, 1 << 40, -2 } }, [[
		0100 0000 21000000 08 0100000000000000 ffffffffffffffff 0000000000010000 feffffffffffffff]])
	expect("Data", { numbers = { -0x80000000, 0x7fffffff } }, "0100 0000 09000000 04 00000080 ffffff7f")
	expect("Data", { doubles = { 1.0, -2.5 } }, "0200 0900 0000 11000000 08 000000000000f03f 00000000000004c0")
	local numbers = {}
	for index = 1, 5000 do
		numbers[index] = index == 4000 and 1 << 50 or index - 2500
	end
	encoded("Data", { numbers = numbers })
end

function cases.decimals()
	expect("Data", { fpn = 1.82 }, "0200 0b00 6e01")
	expect("Data", { fpn = -0.01 }, "0200 0b00 0000 04000000 ffffffff")
	expect("Data", { fpns = { 0.001, 1e9 } }, "0200 0d00 0000 11000000 08 0100000000000000 0010a5d4e8000000", { fpns = { 0.001, 1e9 } })
	expect("Data", { fpn = 1.005 }, "0200 0b00 ca00", { fpn = 1.0 })
	check.equal(math.type(core.decode(type_of "Data", bytes "0200 0b00 ca00").fpn), "float")
end

function cases.empty_arrays_and_structs()
	expect("Data", { numbers = {}, bools = {}, texts = {} }, "0400 0000 0000 0d00 0000 00000000 00000000 00000000")
	expect("Maps", { items = {}, counts = {}, list = {} }, "0400 0000 0000 0100 0000 00000000 00000000 00000000")
	expect("Holder", { empty = {}, empties = { {}, {} } }, "0200 0000 0000 02000000 0000 0c000000 02000000 0000 02000000 0000")
	-- An array of numbers whose width is there without numbers.
	check.equal((core.decode(type_of "Data", bytes "0100 0000 01000000 04")), { numbers = {} })
end

function cases.tags_with_gaps()
	expect("Gaps", { a = 1, b = "x", c = true, d = 7 }, "0700 0100 0400 0500 0000 0400 8101 1000 01000000 78")
	expect("Gaps", { d = 7 }, "0200 8f01 1000")
	expect("Gaps", { b = "x" }, "0200 0900 0000 01000000 78")
	-- Fields that the type does not have are passed over.
	local newer = bytes "0600 0400 0600 0000 0300 0000 0200 01000000 7a 02000000 6869"
	local result, size = core.decode(type_of "Gaps", newer)
	check.equal(result, { a = 2, b = "hi", c = false })
	check.equal(size, #newer)
end

function cases.elements_by_key()
	local items = { [3] = { id = 3, name = "c" } }
	expect("Maps", { items = items }, "0100 0000 0f000000 0b000000 0200 0800 0000 01000000 63")
	encoded("Maps", { items = { [1] = { id = 1 }, [900000] = { id = 900000, name = "x" } } })
	expect("Maps", { counts = { a = { 1 } } }, [[
		0200 0100 0000 18000000 14000000 0200 0000 0000 01000000 61 05000000 04 01000000]])
	encoded("Maps", { counts = { a = { 1 }, b = {}, c = { 1 << 40 } }, pairs = { [1] = "x", [2] = "y", [70000] = "" } })
	-- The key in the table does not matter when the message is made.
	local result = core.decode(type_of "Maps", core.encode(type_of "Maps", { items = { { id = 7 }, { id = 8 } } }))
	check.equal(result, { items = { [7] = { id = 7 }, [8] = { id = 8 } } })
	check.raises("Can't find main index (tag=0) in [items]", core.decode, type_of "Maps", bytes "0100 0000 0f000000 0b000000 0200 0100 0000 01000000" .. "c")
	check.raises("Can't find key field in [pairs]", core.decode, type_of "Maps", bytes "0200 0300 0000 0f000000 0b000000 0200 0100 0000 01000000" .. "c")
	check.raises("Can't find value field in [pairs]", core.decode, type_of "Maps", bytes "0200 0300 0000 08000000 04000000 0100 0400")
end

function cases.metamethods_stand_for_tables()
	local person = setmetatable({}, { __index = { name = "x", age = 2 } })
	expect("Person", person, "0200 0000 0600 01000000 78", { name = "x", age = 2 })
	local numbers = setmetatable({}, { __index = function(_, index)
		return index <= 3 and index * 10 or nil
	end })
	encoded("Data", { numbers = numbers }, { numbers = { 10, 20, 30 } })
	local items = setmetatable({}, { __pairs = function()
		return next, { { id = 1 }, { id = 2 } }
	end })
	encoded("Maps", { items = items }, { items = { { id = 1 }, { id = 2 } } })
	local counted = setmetatable({}, { __pairs = function()
		return next, { a = { 1 }, b = { 2, 3 } }
	end })
	encoded("Maps", { counts = counted }, { counts = { a = { 1 }, b = { 2, 3 } } })
	check.raises("from the metamethod", core.encode, type_of "Person", setmetatable({}, { __index = function()
		error "from the metamethod"
	end }))
end

function cases.values_of_another_type_are_errors()
	local function refused(text, name, value)
		check.raises(text, core.encode, type_of(name), value)
	end
	refused("Person.age[0] is not an integer (Is a string)", "Person", { age = "x" })
	refused("Person.age[0] is not an integer (Is a number)", "Person", { age = 1.5 })
	refused("Data.numbers[2] is not an integer (Is a table)", "Data", { numbers = { 1, {} } })
	refused("Person.marital[0] is not a boolean (Is a number)", "Person", { marital = 1 })
	refused("Data.bools[3] is not a boolean (Is a string)", "Data", { bools = { true, true, "x" } })
	refused("Person.name[0] is not a string (Is a number)", "Person", { name = 1 })
	refused("Data.texts[1] is not a string (Is a boolean)", "Data", { texts = { true } })
	refused("Data.numbers(1) should be a table or an userdata with metamethods (Is a number)", "Data", { numbers = 1 })
	refused("Maps.items(1) should be a table or an userdata with metamethods (Is a string)", "Maps", { items = "x" })
	refused("attempt to index", "Holder", { item = 5 })
	refused("attempt to index", "Person", nil)
end

function cases.large_messages()
	for _, size in ipairs { 100, 2000, 2040, 2050, 5000, 70000, 1000000 } do
		local text = ("t"):rep(size)
		encoded("Person", { name = text, children = { { name = text } } })
	end
	local children = {}
	for index = 1, 3000 do
		children[index] = { name = "child " .. index, age = index }
	end
	encoded("Person", { name = "x", children = children })
	check.raises("object is too large (>16777216)", core.encode, type_of "Person", { name = ("x"):rep(0x1000000) })
	encoded("Person", { name = "after that" })
end

function cases.large_results_are_strings_like_any_other_and_go_like_these()
	local person = { name = ("t"):rep(70000) }
	local one, other = core.encode(type_of "Person", person), core.encode(type_of "Person", person)
	check.equal(({ [one] = 1 })[other], 1)
	check.equal(core.unpack(core.pack(one)):sub(1, #one), other)
	local memory = require "skynet.memory"
	collectgarbage()
	local before = memory.current()
	person.name = ("t"):rep(1000000)
	for _ = 1, 100 do
		core.unpack(core.pack(core.encode(type_of "Person", person)))
		assert(not pcall(core.encode, type_of "Person", { name = person.name, age = "no number" }))
	end
	assert(memory.current() - before < 64 << 20)
end

function cases.nesting_is_bounded()
	local deep = { value = 1 }
	for _ = 1, 63 do
		deep = { next = deep }
	end
	encoded("Deep", deep)
	check.raises("The table is too deep", core.encode, type_of "Deep", { next = deep })
	local message = bytes "0200 0100 0400"
	for _ = 1, 64 do
		message = "\1\0\0\0" .. string.pack("<s4", message)
	end
	check.raises("The table is too deep", core.decode, type_of "Deep", message)
end

function cases.decoding_tells_how_much_it_has_read()
	local message = core.encode(type_of "Item", { id = 1, name = "x" })
	local result, size = core.decode(type_of "Item", message .. "more")
	check.equal(result, { id = 1, name = "x" })
	check.equal(size, #message)
	-- In a table of the caller.
	local mine = { other = true, id = 5 }
	local same, read = core.decode(type_of "Item", message, mine)
	assert(same == mine and read == size)
	check.equal(mine, { id = 1, name = "x", other = true })
end

function cases.damaged_messages_are_refused()
	local wrong = {
		Person = { "", "01", "0100", "0100 0000", "0100 0000 05000000 78", "0100 0400", "0200 0100 0000 02000000 0000",
			"0300 0300 0000 02000000 0000", "0400 0500 0000 05000000 02000000 00", "0200 0500 0400", "0200 0500 0000 07000000 03000000 000000" },
		Data = { "0100 0000 02000000 0400", "0100 0000 05000000 0800000000", "0100 0000 05000000 0300000000", "0100 0400",
			"0200 1100 0000 03000000 000000", "0200 1100 0000 08000000 ffffffff 00000000" },
	}
	for name, list in pairs(wrong) do
		for _, digits in ipairs(list) do
			check.raises("decode error", core.decode, type_of(name), bytes(digits))
		end
	end
	check.raises("Need a string or userdata", core.decode, type_of "Person", 5)
end

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
	packs(("01"):rep(8) .. "0102030405060000" .. "0102030405000000", "ff01" .. ("01"):rep(8) .. "0102030405060000" .. "1f0102030405")
	packs(("ff"):rep(2048) .. "05", "ffff" .. ("ff"):rep(2048) .. "0105")
	packs(("ff"):rep(2056), "ffff" .. ("ff"):rep(2048) .. "ff00" .. ("ff"):rep(8))
	packs(("ff"):rep(14), "ff01" .. ("ff"):rep(14) .. "0000")
	packs(("00"):rep(20), "000000")
end

function cases.packed_messages_of_every_size_unpack()
	local message = core.encode(type_of "Person", { name = ("abc\0\0\0def"):rep(700), age = 5, children = { { age = 3 } } })
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
		numbers = { __array = 0 }, bools = { __array = false }, number = 0, bignumber = 0, double = 0.0, doubles = { __array = 0.0 },
		fpn = 0.0, fpns = { __array = 0.0 }, text = "", texts = { __array = "" }, raw = "",
	})
	check.equal(core.default(type_of "Holder"), { empty = { __type = "Empty" }, empties = { __array = "Empty" }, item = { __type = "Item" } })
	check.equal(core.default(type_of "Maps"), {
		items = { __array = "Item" }, counts = { __array = "Count" }, pairs = { __array = "Pair" }, list = { __array = "Item" },
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
		for _, digits in ipairs { "0100 0000 ffffffff", "0100 0000 fcffffff 00000000", "0400 0500 0000 04000000 ffffffff" } do
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
		local inner = setmetatable({}, { __index = function(_, name)
			return name == "name" and core.encode(type_of "Person", { name = ("i"):rep(5000) }) or nil
		end })
		local text = ("o"):rep(6000)
		local expected = { name = text, children = { { name = core.encode(type_of "Person", { name = ("i"):rep(5000) }) }, { name = text } } }
		for _ = 1, 3 do
			encoded("Person", { name = text, children = { inner, { name = text } } }, expected)
		end
	end
end

check.run(cases)
