-- sproto.core: messages, with schemas of the tree's own sprotoparser.
local check = require "check"
local core = require "sproto.core"
local sproto_check = require "sproto_check"

local cases = {}

local type_of, bytes, encoded, expect =
	sproto_check.type_of, sproto_check.bytes, sproto_check.encoded, sproto_check.expect

function cases.values_of_fields()
	expect("Person", { name = "Alice", age = 13, marital = false }, "0300 0000 1c00 0200 05000000 416c696365")
	expect(
		"Person",
		{ name = "Bob", age = 40, children = { { name = "Alice", age = 13 }, { name = "Carol", age = 5 } } },
		[[
		0400 0000 5200 0100 0000 03000000 426f62 26000000
		0f000000 0200 0000 1c00 05000000 416c696365
		0f000000 0200 0000 0c00 05000000 4361726f6c]]
	)
	expect(
		"Data",
		{ numbers = { 1, 2, 3, 4, 5 } },
		"0100 0000 15000000 04 01000000 02000000 03000000 04000000 05000000"
	)
	expect(
		"Data",
		{ numbers = { (1 << 32) + 1, (1 << 32) + 2, (1 << 32) + 3 } },
		"0100 0000 19000000 08 0100000001000000 0200000001000000 0300000001000000"
	)
	expect("Data", { bools = { false, true, false } }, "0200 0100 0000 03000000 000100")
	expect(
		"Data",
		{ number = 100000, bignumber = -10000000000 },
		"0300 0300 0000 0000 04000000 a0860100 08000000 001cf4abfdffffff"
	)
	expect(
		"Data",
		{ double = 1.5, doubles = { 0.5 } },
		"0300 0700 0000 0000 08000000 000000000000f83f 09000000 08 000000000000e03f"
	)
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
	expect(
		"Data",
		{ numbers = { 1, -1, 1 << 40, -2 } },
		[[
		0100 0000 21000000 08 0100000000000000 ffffffffffffffff 0000000000010000 feffffffffffffff]]
	)
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
	expect(
		"Data",
		{ fpns = { 0.001, 1e9 } },
		"0200 0d00 0000 11000000 08 0100000000000000 0010a5d4e8000000",
		{ fpns = { 0.001, 1e9 } }
	)
	expect("Data", { fpn = 1.005 }, "0200 0b00 ca00", { fpn = 1.0 })
	check.equal(math.type(core.decode(type_of "Data", bytes "0200 0b00 ca00").fpn), "float")
end

function cases.empty_arrays_and_structs()
	expect("Data", { numbers = {}, bools = {}, texts = {} }, "0400 0000 0000 0d00 0000 00000000 00000000 00000000")
	expect("Maps", { items = {}, counts = {}, list = {} }, "0400 0000 0000 0100 0000 00000000 00000000 00000000")
	expect(
		"Holder",
		{ empty = {}, empties = { {}, {} } },
		"0200 0000 0000 02000000 0000 0c000000 02000000 0000 02000000 0000"
	)
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
	expect(
		"Maps",
		{ counts = { a = { 1 } } },
		[[
		0200 0100 0000 18000000 14000000 0200 0000 0000 01000000 61 05000000 04 01000000]]
	)
	encoded("Maps", { counts = { a = { 1 }, b = {}, c = { 1 << 40 } }, pairs = { [1] = "x", [2] = "y", [70000] = "" } })
	-- The key in the table does not matter when the message is made.
	local result = core.decode(type_of "Maps", core.encode(type_of "Maps", { items = { { id = 7 }, { id = 8 } } }))
	check.equal(result, { items = { [7] = { id = 7 }, [8] = { id = 8 } } })
	check.raises(
		"Can't find main index (tag=0) in [items]",
		core.decode,
		type_of "Maps",
		bytes "0100 0000 0f000000 0b000000 0200 0100 0000 01000000" .. "c"
	)
	check.raises(
		"Can't find key field in [pairs]",
		core.decode,
		type_of "Maps",
		bytes "0200 0300 0000 0f000000 0b000000 0200 0100 0000 01000000" .. "c"
	)
	check.raises(
		"Can't find value field in [pairs]",
		core.decode,
		type_of "Maps",
		bytes "0200 0300 0000 08000000 04000000 0100 0400"
	)
end

function cases.metamethods_stand_for_tables()
	local person = setmetatable({}, { __index = { name = "x", age = 2 } })
	expect("Person", person, "0200 0000 0600 01000000 78", { name = "x", age = 2 })
	local numbers = setmetatable({}, {
		__index = function(_, index)
			return index <= 3 and index * 10 or nil
		end,
	})
	encoded("Data", { numbers = numbers }, { numbers = { 10, 20, 30 } })
	local items = setmetatable({}, {
		__pairs = function()
			return next, { { id = 1 }, { id = 2 } }
		end,
	})
	encoded("Maps", { items = items }, { items = { { id = 1 }, { id = 2 } } })
	local counted = setmetatable({}, {
		__pairs = function()
			return next, { a = { 1 }, b = { 2, 3 } }
		end,
	})
	encoded("Maps", { counts = counted }, { counts = { a = { 1 }, b = { 2, 3 } } })
	check.raises(
		"from the metamethod",
		core.encode,
		type_of "Person",
		setmetatable({}, {
			__index = function()
				error "from the metamethod"
			end,
		})
	)
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
		Person = {
			"",
			"01",
			"0100",
			"0100 0000",
			"0100 0000 05000000 78",
			"0100 0400",
			"0200 0100 0000 02000000 0000",
			"0300 0300 0000 02000000 0000",
			"0400 0500 0000 05000000 02000000 00",
			"0200 0500 0400",
			"0200 0500 0000 07000000 03000000 000000",
		},
		Data = {
			"0100 0000 02000000 0400",
			"0100 0000 05000000 0800000000",
			"0100 0000 05000000 0300000000",
			"0100 0400",
			"0200 1100 0000 03000000 000000",
			"0200 1100 0000 08000000 ffffffff 00000000",
		},
	}
	for name, list in pairs(wrong) do
		for _, digits in ipairs(list) do
			check.raises("decode error", core.decode, type_of(name), bytes(digits))
		end
	end
	check.raises("Need a string or userdata", core.decode, type_of "Person", 5)
end

check.run(cases)
