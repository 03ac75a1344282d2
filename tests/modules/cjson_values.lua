-- cjson: values to texts and back, with the settings as they are at first. Expectations from lua-cjson (OpenResty's), where
-- `check.ours` does not say otherwise.
local check = require "check"
local cjson = require "cjson"

local cases = {}

local encode, decode = cjson.encode, cjson.decode

--- decode(text) is the value, whose numbers are integers or floats as those of the expected one.
local function reads(text, expected)
	local value = decode(text)
	check.equal(value, expected, text)
	check.equal(math.type(value), math.type(expected), text)
end

function cases.the_module_has_its_names()
	check.equal(cjson._NAME, "cjson")
	check.equal(cjson._VERSION, "2.1.0.11")
	check.equal(type(cjson.null), "userdata")
	check.equal(require "cjson", cjson)
end

function cases.plain_values_are_read()
	reads("true", true)
	reads("false", false)
	reads("null", cjson.null)
	reads('"text"', "text")
	reads(" \t\r\n[ ] \n", {})
	reads("{}", {})
	reads('[1,"a",true,null,[],{"b":[2]}]', { 1, "a", true, cjson.null, {}, { b = { 2 } } })
	reads('{"a":{"b":{"c":[1,[2,[3]]]}}}', { a = { b = { c = { 1, { 2, { 3 } } } } } })
end

function cases.numbers_without_fraction_and_exponent_are_integers()
	reads("0", 0)
	reads("-0", 0)
	reads("42", 42)
	reads("-17", -17)
	reads("9223372036854775807", math.maxinteger)
	reads("-9223372036854775808", math.mininteger)
	reads("1.0", 1.0)
	reads("-2.5e3", -2500.0)
	reads("1E2", 100.0)
	reads("1e-2", 0.01)
	reads("0.1", 0.1)
	reads("123456789012345678901234567890.0", 123456789012345678901234567890.0)
	reads("4.9e-324", 4.9e-324)
	reads("1.7976931348623157e308", 1.7976931348623157e308)
	if check.ours then
		reads("9223372036854775808", 9223372036854775808.0)
		reads("-9223372036854775809", -9223372036854775808.0)
	end
end

function cases.of_equal_keys_the_last_counts()
	reads('{"a":1,"b":2,"a":3}', { a = 3, b = 2 })
	reads('{"a":1,"a":2,"a":3}', { a = 3 })
end

function cases.escapes_in_strings_are_read()
	reads([["\"\\\/\b\f\n\r\t"]], '"\\/\b\f\n\r\t')
	reads([["\u0041\u00e9\u20AC\ud83d\ude00\u0000"]], "A\u{e9}\u{20ac}\u{1f600}\0")
	reads([[{"a\nb":1}]], { ["a\nb"] = 1 })
	-- Bytes that are no UTF-8, and control characters, are the text's own affair.
	reads('"\xff\x80\1\t"', "\xff\x80\1\t")
	local long = ("0123456789"):rep(1000)
	reads('"' .. long .. [[\n]] .. long .. '"', long .. "\n" .. long)
	for length = 0, 40 do
		local text = ("x"):rep(length)
		reads('"' .. text .. '"', text)
		reads('"' .. text .. [[\t]] .. text .. '"', text .. "\t" .. text)
	end
end

function cases.plain_values_are_written()
	check.equal(encode(true), "true")
	check.equal(encode(false), "false")
	check.equal(encode(nil), "null")
	check.equal(encode(cjson.null), "null")
	check.equal(encode "text", '"text"')
	check.equal(encode { 1, "a", true, cjson.null, { 2 } }, '[1,"a",true,null,[2]]')
	check.equal(encode { a = { b = { c = { 1, 2 } } } }, '{"a":{"b":{"c":[1,2]}}}')
	check.equal(encode {}, "{}")
	check.equal(encode { {} }, "[{}]")
	check.equal(encode(cjson.empty_array), "[]")
	check.equal(encode { a = cjson.empty_array }, '{"a":[]}')
end

function cases.numbers_are_written_with_14_digits_and_integers_with_all()
	local texts = {
		{ 0, "0" },
		{ -42, "-42" },
		{ math.maxinteger, "9223372036854775807" },
		{ math.mininteger, "-9223372036854775808" },
		{ 1.0, "1" },
		{ -0.0, "-0" },
		{ 0.1, "0.1" },
		{ 1 / 3, "0.33333333333333" },
		{ 2 / 3, "0.66666666666667" },
		{ 123456789.125, "123456789.125" },
		{ 1e14, "1e+14" },
		{ 99999999999999.0, "99999999999999" },
		{ 1e15, "1e+15" },
		{ 1e100, "1e+100" },
		{ 1.5e-7, "1.5e-07" },
		{ 0.0001, "0.0001" },
		{ 0.00001, "1e-05" },
		{ 12345678901234.5, "12345678901234" },
		{ 12345678901235.5, "12345678901236" },
		{ 5e-324, "4.9406564584125e-324" },
		{ 1.7976931348623157e308, "1.7976931348623e+308" },
	}
	for _, text in ipairs(texts) do
		check.equal(encode(text[1]), text[2])
	end
end

function cases.texts_of_floats_are_those_of_string_format()
	math.randomseed(11)
	for _ = 1, 5000 do
		local value = math.random() * 10.0 ^ math.random(-30, 30)
		check.equal(encode(value), ("%.14g"):format(value))
	end
end

function cases.strings_are_written_with_escapes()
	check.equal(encode '"\\/\b\f\n\r\t', [["\"\\\/\b\f\n\r\t"]])
	check.equal(encode "\0\1\31\127", [["\u0000\u0001\u001f\u007f"]])
	check.equal(encode "\u{e9}\u{20ac}\xff", '"\u{e9}\u{20ac}\xff"')
	-- Wherever the escape is.
	for length = 1, 70 do
		for place = 1, length do
			local before, after = ("x"):rep(place - 1), ("y"):rep(length - place)
			check.equal(encode(before .. "\n" .. after), '"' .. before .. "\\n" .. after .. '"')
		end
	end
end

function cases.keys_are_strings_and_numbers()
	check.equal(encode { ["a/b"] = 1 }, [[{"a\/b":1}]])
	check.equal(encode { [0] = 1 }, '{"0":1}')
	check.equal(encode { [-3] = 1 }, '{"-3":1}')
	check.equal(encode { [1.5] = 1 }, '{"1.5":1}')
	check.raises("Cannot serialise boolean: table key must be a number or string", encode, { [true] = 1 })
	check.raises("Cannot serialise table: table key must be a number or string", encode, { [{}] = 1 })
end

function cases.positive_integers_as_keys_make_an_array()
	check.equal(encode { [1] = 1, [2] = 2 }, "[1,2]")
	check.equal(encode({ 1, nil, 3 }), "[1,null,3]")
	check.equal(encode { [4] = "x" }, '[null,null,null,"x"]')
	check.equal(encode { [2.0] = "x" }, '[null,"x"]')
	check.raises("Cannot serialise table: excessively sparse array", encode, { [1] = 1, [100] = 2 })
	-- One that is none makes an object, wherever `next` comes to it.
	for count = 0, 20 do
		local mixed, expected = { x = "y" }, { x = "y" }
		for index = 1, count do
			mixed[index] = { index }
			expected[tostring(index)] = { index }
		end
		check.equal(decode(encode(mixed)), expected)
		check.equal(encode(mixed):sub(1, 1), "{")
	end
end

function cases.arrays_with_holes_have_nulls()
	math.randomseed(12)
	for _ = 1, 300 do
		local array, expected = {}, {}
		local count = math.random(1, 40)
		for index = 1, count do
			array[index] = index % 3 == 0 and { index } or index
			expected[index] = array[index]
		end
		for _ = 1, math.random(0, count // 3) do
			local hole = math.random(1, count)
			array[hole], expected[hole] = nil, cjson.null
		end
		for index = count, 1, -1 do
			if expected[index] ~= cjson.null then
				break
			end
			expected[index] = nil
		end
		if next(array) then
			check.equal(decode(encode(array)), expected)
		end
	end
end

function cases.tables_of_every_size_come_back()
	for _, count in ipairs { 1, 2, 3, 15, 16, 17, 31, 32, 33, 511, 512, 513, 1023, 1024, 1025, 5000 } do
		local array, object = {}, {}
		for index = 1, count do
			array[index] = index
			object["key" .. index] = index
		end
		local read = decode(encode(array))
		check.equal(#read, count)
		check.equal(read, array)
		check.equal(decode(encode(object)), object)
		check.equal(decode(encode { array, { object, array }, x }), { array, { object, array } })
	end
end

--- A random value that JSON can hold and give back.
local function random(depth)
	local kind = math.random(depth > 3 and 5 or 7)
	if kind == 1 then
		return math.random(0)
	elseif kind == 2 then
		return math.random(-1000000, 1000000) / 64
	elseif kind == 3 then
		return math.random(2) == 1
	elseif kind == 4 then
		return cjson.null
	elseif kind == 5 then
		local bytes = {}
		for index = 1, math.random(0, 60) do
			bytes[index] = string.char(math.random(0, 255))
		end
		return table.concat(bytes)
	end
	local value = {}
	for index = 1, math.random(1, 12) do
		value[kind == 6 and index or "k" .. math.random(20)] = random(depth + 1)
	end
	return value
end

function cases.what_was_written_is_read_as_it_was()
	math.randomseed(13)
	for _ = 1, 500 do
		local value = random(0)
		local text = encode(value)
		check.equal(decode(text), value)
		check.equal(decode("\n" .. text .. " "), value)
	end
end

function cases.errors_name_what_was_found_and_where()
	local wrong = {
		{ "", "Expected value but found T_END at character 1" },
		{ "  ", "Expected value but found T_END at character 3" },
		{ "Oops", "Expected value but found invalid token at character 1" },
		{ "[1,2", "Expected comma or array end but found T_END at character 5" },
		{ "[1,]", "Expected value but found T_ARR_END at character 4" },
		{ "[1 2]", "Expected comma or array end but found T_INTEGER at character 4" },
		{ "[1 2.5]", "Expected comma or array end but found T_NUMBER at character 4" },
		{ "[,]", "Expected value but found T_COMMA at character 2" },
		{ "{", "Expected object key string but found T_END at character 2" },
		{ "{1:2}", "Expected object key string but found T_INTEGER at character 2" },
		{ '{"a"}', "Expected colon but found T_OBJ_END at character 5" },
		{ '{"a" "b"}', "Expected colon but found T_STRING at character 6" },
		{ '{"a":}', "Expected value but found T_OBJ_END at character 6" },
		{ '{"a":1', "Expected comma or object end but found T_END at character 7" },
		{ '{"a":1 true}', "Expected comma or object end but found T_BOOLEAN at character 8" },
		{ '{"a":1,}', "Expected object key string but found T_OBJ_END at character 8" },
		{ "{}[]", "Expected the end but found T_ARR_BEGIN at character 3" },
		{ "{}{}", "Expected the end but found T_OBJ_BEGIN at character 3" },
		{ "1,", "Expected the end but found T_COMMA at character 2" },
		{ "null null", "Expected the end but found T_NULL at character 6" },
		{ "1:", "Expected the end but found T_COLON at character 2" },
		{ '"abc', "Expected value but found unexpected end of string at character 5" },
		{ [["a\x"]], "Expected value but found invalid escape code at character 3" },
		{ [["\u12"]], "Expected value but found invalid unicode escape code at character 2" },
		{ [["\udc00"]], "Expected value but found invalid unicode escape code at character 2" },
		{ [[{"\z":1}]], "Expected object key string but found invalid escape code at character 3" },
		{ "-", "Expected value but found invalid number at character 1" },
		{ "[-x]", "Expected value but found invalid number at character 2" },
		{ "'a'", "Expected value but found invalid token at character 1" },
		{ "/**/1", "Expected value but found invalid token at character 1" },
		{ "\0" .. "1", "JSON parser does not support UTF-16 or UTF-32" },
		{ "1" .. "\0", "JSON parser does not support UTF-16 or UTF-32" },
	}
	for _, text in ipairs(wrong) do
		local ok, problem = pcall(decode, text[1])
		check.equal({ ok, problem }, { false, text[2] })
	end
	check.raises("bad argument #1 to 'cjson.decode' (expected 1 argument)", decode)
	check.raises("expected 1 argument", decode, "1", "2")
	check.raises("string expected, got table", decode, {})
	check.raises("bad argument #1 to 'cjson.encode' (expected 1 argument)", encode)
end

function cases.behind_the_first_line_errors_name_line_and_column()
	local ok, problem = pcall(decode, '{\n  "a": 1,\n  "b": x\n}')
	local expected = "Expected value but found invalid token at character 20"
	check.equal({ ok, problem }, { false, expected .. (check.ours and " (line 3, column 8)" or "") })
end

function cases.a_zero_byte_does_not_end_a_text()
	if check.ours then
		check.raises("Expected the end but found invalid token at character 3", decode, "{}\0")
		check.raises("Expected value but found unexpected end of string at character 4", decode, '"ab\0"')
	end
end

function cases.values_without_a_form_are_refused()
	check.raises("Cannot serialise function: type not supported", encode, print)
	check.raises("Cannot serialise function: type not supported", encode, { { print } })
	check.raises("Cannot serialise thread: type not supported", encode, { x = coroutine.create(print) })
	check.raises("Cannot serialise userdata: type not supported", encode, { io.stdout })
	check.raises("Cannot serialise number: must not be NaN or Infinity", encode, { 0 / 0 })
	check.raises("Cannot serialise number: must not be NaN or Infinity", encode, { x = -math.huge })
	-- As keys, too.
	check.raises("Cannot serialise number: must not be NaN or Infinity", encode, { [math.huge] = 1 })
end

function cases.depth_has_a_limit()
	local function nested(depth)
		return ("["):rep(depth) .. ("]"):rep(depth)
	end
	check.equal(encode(decode(nested(1000))), ("["):rep(999) .. "{}" .. ("]"):rep(999))
	check.raises("Found too many nested data structures (1001) at character 1001", decode, nested(1001))
	local loop = {}
	loop.loop = loop
	check.raises("Cannot serialise, excessive nesting (1001)", encode, loop)
end

function cases.metatables_decide_about_arrays()
	check.equal(encode(setmetatable({}, cjson.array_mt)), "[]")
	check.equal(encode(setmetatable({ 1, 2, x = 3 }, cjson.array_mt)), "[1,2]")
	check.equal(encode(setmetatable({}, cjson.empty_array_mt)), "[]")
	check.equal(encode(setmetatable({ x = {} }, { __name = "none of these" })), '{"x":{}}')
	local counted = setmetatable({}, {
		__len = function()
			return 3
		end,
		__index = function(_, index)
			return index * 10
		end,
	})
	check.equal(encode { counted, 1 }, "[[10,20,30],1]")
	check.equal(
		encode(setmetatable({ [3] = "c" }, {
			__index = function(_, index)
				return index
			end,
		})),
		'[1,2,"c"]'
	)
	check.equal(require "cjson.safe".array_mt, cjson.array_mt)
end

function cases.errors_in_metamethods_leave_the_module_usable()
	local bad = setmetatable({}, {
		__len = function()
			error "not today"
		end,
	})
	for _ = 1, 100 do
		check.raises("not today", encode, { ("x"):rep(10000), bad })
		check.equal(encode { ("y"):rep(5000) }, '["' .. ("y"):rep(5000) .. '"]')
	end
end

function cases.a_metamethod_may_encode_while_its_table_is_encoded()
	if not check.ours then
		return -- There is one buffer for all.
	end
	local inner = setmetatable({}, {
		__len = function()
			return #encode { ("z"):rep(4000) } // 4000
		end,
	})
	check.equal(encode { ("y"):rep(5000), inner } == '["' .. ("y"):rep(5000) .. '",[null]]', true)
end

check.run(cases)
