-- cjson: the settings, `new`, and cjson.safe. Expectations from lua-cjson (OpenResty's), where `check.ours` does not say
-- otherwise.
local check = require "check"
local cjson = require "cjson"
local safe = require "cjson.safe"

local cases = {}

function cases.settings_have_first_values_and_answer_them()
	local json = cjson.new()
	check.equal({ json.encode_sparse_array() }, { false, 2, 10 })
	check.equal(json.encode_max_depth(), 1000)
	check.equal(json.decode_max_depth(), 1000)
	check.equal(json.encode_number_precision(), 14)
	check.equal(json.encode_keep_buffer(), true)
	check.equal(json.encode_invalid_numbers(), false)
	check.equal(json.decode_invalid_numbers(), true)
	check.equal(json.encode_empty_table_as_object(), true)
	check.equal(json.decode_array_with_array_mt(), false)
	check.equal(json.decode_allow_comment(), false)
	check.equal(json.encode_escape_forward_slash(), true)
	check.equal(json.encode_skip_unsupported_value_types(), false)
	check.equal(json.encode_indent(), "")
	check.equal(json.encode_number_precision(3), 3)
	check.equal(json.encode_number_precision(), 3)
	check.equal(json.encode_keep_buffer "off", false)
	check.equal(json.encode_keep_buffer(), false)
end

function cases.each_module_has_settings_of_its_own()
	local one, other = cjson.new(), cjson.new()
	one.encode_number_precision(3)
	one.encode_escape_forward_slash(false)
	check.equal(one.encode { 1 / 3, "/" }, '[0.333,"/"]')
	check.equal(other.encode { 1 / 3, "/" }, [=[[0.33333333333333,"\/"]]=])
	check.equal(cjson.encode { 1 / 3 }, "[0.33333333333333]")
	check.equal(one.new().encode { 1 / 3 }, "[0.33333333333333]")
end

function cases.wrong_settings_are_refused()
	local json = cjson.new()
	check.raises("expected integer between 1 and 16", json.encode_number_precision, 0)
	check.raises("expected integer between 1 and 16", json.encode_number_precision, 17)
	check.raises("number expected, got string", json.encode_number_precision, "five")
	check.raises("expected integer between 1 and 2147483647", json.decode_max_depth, 0)
	check.raises("expected integer between 0 and 2147483647", json.encode_sparse_array, true, -1)
	check.raises("invalid option '-2'", json.encode_invalid_numbers, -2)
	check.raises("invalid option 'perhaps'", json.encode_keep_buffer, "perhaps")
	check.raises("bad argument #2", json.encode_max_depth, 1, 2)
	check.raises("found too many arguments", json.encode_max_depth, 1, 2)
	check.equal(json.encode_number_precision(), 14)
	if check.ours then
		check.raises("expected integer between 1 and 2147483647", json.decode_max_depth, 1 << 40)
	end
end

function cases.precision_is_that_of_g()
	local json = cjson.new()
	math.randomseed(21)
	for precision = 1, 16 do
		json.encode_number_precision(precision)
		for _ = 1, 300 do
			local value = math.random() * 10.0 ^ math.random(-8, 20)
			check.equal(json.encode(value), ("%." .. precision .. "g"):format(value))
			value = math.random(1, 100000) / 8
			check.equal(json.encode(value), ("%." .. precision .. "g"):format(value))
		end
	end
end

function cases.sparse_arrays_are_refused_or_objects_or_allowed()
	local json = cjson.new()
	local sparse = { [1] = "a", [11] = "b" }
	check.raises("excessively sparse array", json.encode, sparse)
	check.equal({ json.encode_sparse_array(true) }, { true, 2, 10 })
	check.equal(json.decode(json.encode(sparse)), { ["1"] = "a", ["11"] = "b" })
	check.equal({ json.encode_sparse_array(false, 0) }, { false, 0, 10 })
	check.equal(json.encode(sparse), '["a",null,null,null,null,null,null,null,null,null,"b"]')
	json.encode_sparse_array(true, 2, 3)
	check.equal(json.encode { [3] = 1 }, "[null,null,1]")
	check.equal(json.encode { [4] = 1 }, '{"4":1}')
	json.encode_sparse_array(true, 1, 0)
	check.equal(json.encode { 1, nil, 3 }, '{"1":1,"3":3}')
end

function cases.depths_are_limited_where_one_says()
	local json = cjson.new()
	json.decode_max_depth(2)
	check.equal(json.decode "[[1]]", { { 1 } })
	check.raises("Found too many nested data structures (3) at character 3", json.decode, "[[[1]]]")
	check.raises("Found too many nested data structures (3) at character 7", json.decode, '{"a":[{}]}')
	json.encode_max_depth(2)
	check.equal(json.encode { { 1 } }, "[[1]]")
	check.raises("Cannot serialise, excessive nesting (3)", json.encode, { { { 1 } } })
	check.raises("Cannot serialise, excessive nesting (3)", json.encode, { a = { b = {} } })
end

function cases.no_depth_exhausts_the_stack()
	if not check.ours then
		return
	end
	local json = cjson.new()
	json.decode_max_depth(2147483647)
	json.encode_max_depth(2147483647)
	local depth = 100000
	local text = ("["):rep(depth) .. "1" .. ("]"):rep(depth)
	check.equal(json.encode(json.decode(text)) == text, true)
	check.raises("Found too many nested data structures", json.decode, ("["):rep(3000000))
	local loop = {}
	loop[1] = loop
	check.raises("Cannot serialise, excessive nesting", json.encode, loop)
end

function cases.invalid_numbers_are_written_as_one_says()
	local json = cjson.new()
	local values = { 0 / 0, math.huge, -math.huge }
	check.raises("must not be NaN or Infinity", json.encode, values)
	check.equal(json.encode_invalid_numbers(true), true)
	check.equal(json.encode(values), "[NaN,Infinity,-Infinity]")
	check.equal(json.encode_invalid_numbers "null", "null")
	check.equal(json.encode(values), "[null,null,null]")
	check.equal(json.encode_invalid_numbers "off", false)
	check.raises("must not be NaN or Infinity", json.encode, values)
end

function cases.invalid_numbers_are_read_unless_that_is_off()
	local json = cjson.new()
	check.equal(json.decode "[Infinity,-inf,INFINITY]", { math.huge, -math.huge, math.huge })
	local nan = json.decode "[nan]"[1]
	check.equal(nan == nan, false)
	check.equal(json.decode "[0x1F,-0x10]", { 31, -16 })
	check.equal(json.decode "[007,+5,-01]", { 7, 5, -1 })
	check.equal(math.type(json.decode "007"), "integer")
	check.equal(json.decode "[1.,-.5]", { 1.0, -0.5 })
	json.decode_invalid_numbers(false)
	local refused = { "0x1F", "-01", "00", "-inf", "-nan" }
	if check.ours then
		table.move({ "1.", "-.5", "1.e5", "1e", "1e+" }, 1, 5, #refused + 1, refused)
	end
	for _, number in ipairs(refused) do
		check.raises("invalid number at character 2", json.decode, "[" .. number .. "]")
	end
	for _, number in ipairs { "nan", "Infinity", "+1" } do
		check.raises("invalid token at character 2", json.decode, "[" .. number .. "]")
	end
	check.equal(json.decode "[0,-0.5,1e5,0.1E-2]", { 0, -0.5, 1e5, 0.001 })
end

function cases.empty_tables_are_objects_or_arrays()
	local json = cjson.new()
	check.equal(json.encode { {}, x = nil }, "[{}]")
	json.encode_empty_table_as_object(false)
	check.equal(json.encode { {} }, "[[]]")
	check.equal(json.encode(setmetatable({}, {})), "[]")
	json.encode_empty_table_as_object(true)
	if check.ours then
		check.equal(json.encode_empty_table_as_array(), false)
		check.equal(json.encode_empty_table_as_array(true), true)
		check.equal(json.encode {}, "[]")
		check.equal(json.encode_empty_table_as_object(), false)
	end
end

function cases.arrays_that_were_read_are_arrays_again()
	local json = cjson.new()
	json.decode_array_with_array_mt(true)
	local text = '[[],{},[{"a":[]}]]'
	local value = json.decode(text)
	check.equal(getmetatable(value), cjson.array_mt)
	check.equal(getmetatable(value[2]), nil)
	check.equal(json.encode(value), text)
	check.equal(cjson.encode(cjson.decode(text)), '[{},{},[{"a":{}}]]')
end

function cases.comments_are_skipped_if_that_is_on()
	local json = cjson.new()
	json.decode_allow_comment(true)
	local text = '/* a */ { // b\r\n "c" /**/ : [ 1, /* * / ** */ 2 ] // d\n } // "e"'
	check.equal(json.decode(text), { c = { 1, 2 } })
	check.equal(json.decode '"/* text */ // too"', "/* text */ // too")
	check.raises("Expected the end but found unclosed multi-line comment at character 13", json.decode, "{}/*Unclosed")
	check.raises("Expected value but found invalid token at character 1", json.decode, "/ 1")
	check.raises("invalid token", cjson.decode, text)
end

function cases.slashes_are_escaped_or_not()
	local json = cjson.new()
	check.equal(json.encode "a/b", [["a\/b"]])
	json.encode_escape_forward_slash(false)
	check.equal(json.encode 'a/b"\\', [["a/b\"\\"]])
	check.equal(json.encode { ["http://host/"] = "/" }, '{"http://host/":"/"}')
end

function cases.values_without_a_form_are_left_out_if_that_is_on()
	local json = cjson.new()
	json.encode_skip_unsupported_value_types(true)
	check.equal(json.encode { print, 1, print, 2, print }, "[1,2]")
	check.equal(json.encode { a = print }, "{}")
	check.equal(json.encode { { print }, { a = print }, 1 }, "[[],{},1]")
	check.equal(json.encode { print, x = 1 }, '{"x":1}')
	local value = { a = 1, b = print, c = 2, d = print }
	check.equal(json.decode(json.encode(value)), { a = 1, c = 2 })
	check.equal(json.encode(print), "")
end

function cases.lines_are_indented_if_one_says_how()
	local json = cjson.new()
	json.encode_indent "  "
	check.equal(
		json.encode { { a = 1 }, {}, { 2, { 3 } } },
		[=[[
  {
    "a": 1
  },
  {},
  [
    2,
    [
      3
    ]
  ]
]]=]
	)
	check.equal(json.encode_indent "\t", "\t")
	check.equal(json.encode { a = { cjson.empty_array } }, '{\n\t"a": [\n\t\t[]\n\t]\n}')
	collectgarbage()
	check.equal(json.encode { 1 }, "[\n\t1\n]")
	check.equal(json.encode_indent "", "")
	check.equal(json.encode { 1 }, "[1]")
end

function cases.a_buffer_that_is_not_kept_changes_nothing()
	local json = cjson.new()
	json.encode_keep_buffer(false)
	local text = ("x"):rep(100000)
	for _ = 1, 3 do
		check.equal(json.encode { text }, '["' .. text .. '"]')
	end
end

function cases.safe_answers_errors()
	check.equal(safe.encode { 1 }, "[1]")
	check.equal(safe.decode "[1]", { 1 })
	check.equal(table.pack(safe.decode "[1"), {
		nil,
		"Expected comma or array end but found T_END at character 3",
		n = 2,
	})
	check.equal(table.pack(safe.encode { print }), { nil, "Cannot serialise function: type not supported", n = 2 })
	local other = safe.new()
	check.equal(table.pack(other.decode "x"), { nil, "Expected value but found invalid token at character 1", n = 2 })
	check.raises("bad argument #1 to 'cjson.safe.encode' (expected 1 argument)", safe.encode, 1, 2)
	check.raises("expected 1 argument", safe.decode)
	other.encode_number_precision(3)
	check.equal(safe.encode(1 / 3), "0.33333333333333")
	check.equal(other.encode(1 / 3), "0.333")
end

check.run(cases)
