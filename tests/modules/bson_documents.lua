-- bson: encoding.
local check = require "check"
local bson = require "bson"
local bson_bytes = require "bson_bytes"

local cases = {}

local hex, document, round = bson_bytes.hex, bson_bytes.document, bson_bytes.round

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
	check.equal(
		hex(bson.encode { a = { 7, "x" } }),
		document(4, "a", "15000000" .. "103000" .. "07000000" .. "023100" .. "020000007800" .. "00")
	)
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
	local hole = setmetatable({ 1, 2, 3 }, {
		__len = function()
			return 5
		end,
	})
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode, { v = hole })
	check.raises(
		"__len should return integer",
		bson.encode,
		{ v = setmetatable({}, {
			__len = function()
				return "x"
			end,
		}) }
	)
	check.raises(
		"from the metamethod",
		bson.encode,
		{ v = setmetatable({}, {
			__pairs = function()
				error "from the metamethod"
			end,
		}) }
	)
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode, {
		v = setmetatable({}, {
			__pairs = function()
				return function()
					return "x", nil
				end
			end,
		}),
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
	check.equal(
		hex(bson.encode_order("a", { 1 }, "b", bson.encode { c = 2 })),
		"23000000" .. "046100" .. "0c000000103000" .. "0100000000" .. "036200" .. document(16, "c", "02000000") .. "00"
	)
	check.raises("Invalid ordered dict", bson.encode_order, "a", 1, "b")
	check.raises("Argument 3 need a string", bson.encode_order, "a", 1, true, 2)
	check.raises("Argument 1 need a string", bson.encode_order, nil, 1)
	check.raises("Bson array has a hole (nil), Use bson.null instead", bson.encode_order, "a", nil)
end

function cases.text_has_to_be_utf8()
	for _, text in ipairs { "h\u{e9}llo \u{20ac} \u{10ffff}", "\u{d800}\u{dfff}", ("\u{4e2d}"):rep(100) } do
		check.equal(round(text), text)
	end
	for _, text in ipairs {
		"\x80",
		"a\xc3",
		"\xc0\x80",
		"\xe0\x80\x80",
		"\xf4\x90\x80\x80",
		"\xff",
		("x"):rep(100) .. "\x80",
	} do
		check.raises("Invalid utf8 string", bson.encode, { v = text })
		check.raises("Invalid utf8 string", bson.encode, { [text] = 1 })
		check.raises("Invalid utf8 string", bson.encode, { v = bson.regex(text) })
	end
end

check.run(cases)
