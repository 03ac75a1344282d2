-- lpeg: captures.
local check = require "check"
local lpeg = require "lpeg"
local lpeg_check = require "lpeg_check"

local P, S, R, V = lpeg.P, lpeg.S, lpeg.R, lpeg.V
local C, Carg, Cb, Cc, Cf, Cg, Cmt, Cp, Cs, Ct =
	lpeg.C, lpeg.Carg, lpeg.Cb, lpeg.Cc, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cp, lpeg.Cs, lpeg.Ct
local match, equal, raises = lpeg.match, check.equal, check.raises
local captures = lpeg_check.captures

local cases = {}

-- Whether the module is the one in Rust: what the other one gets wrong is not asked of it. (Its userdata has one user value.)
local ours = select(2, debug.getuservalue(P(1), 2))

-- Captures -----------------------------------------------------------------------------------------------------------

function cases.simple_captures()
	captures(C "ab", "abc", "ab")
	captures(C(P "a" ^ 0), "", "")
	captures(C(C(1) * C(1)) * C(1), "abc", "ab", "a", "b", "c")
	captures(C "a" ^ -1, "b", 1)
	captures((C(1) * 1) ^ 0, "abcdef", "a", "c", "e")
	captures(C(P { C(1) * V(1) + -1 }), "abc", "abc", "a", "b", "c")
	for length = 250, 260 do
		captures(C(C(length)), ("a"):rep(length), ("a"):rep(length), ("a"):rep(length))
		captures(C(C(P "a" ^ 0)), ("a"):rep(length), ("a"):rep(length), ("a"):rep(length))
	end
end

function cases.constants_positions_arguments()
	captures(Cc(1, nil, "x"), "", 1, nil, "x")
	captures(Cc(nil), "", nil)
	captures(Cc() * "a", "a", 2)
	captures(Cc(print) * Cc(2), "", print, 2)
	captures(Cp() * 2 * Cp(), "ab", 1, 3)
	captures((Cp() * 1) ^ 0, "abc", 1, 2, 3)
	equal({ match(Carg(2) * Carg(1), "", 1, "x", "y") }, { "y", "x" })
	equal({ match(Carg(1), "", 1, nil) }, {})
	raises("reference to absent extra argument #2", match, Carg(2), "", 1, "x")
	raises("invalid argument index", Carg, 0)
	raises("invalid argument index", Carg, 2 ^ 18)
end

function cases.table_captures()
	captures(Ct(P(1) ^ 0), "abc", {})
	captures(Ct(C(1) ^ 0), "abc", { "a", "b", "c" })
	captures(Ct(Ct(C(1)) * Ct(C(1))), "ab", { { "a" }, { "b" } })
	captures(Ct(Cg(C(1), "x") * C(1) * Cg(Cc(1, 2), "y")), "ab", { "b", x = "a", y = 1 })
	captures(Ct(Cg(C(1) * C(1)) * Cc(nil) * C(1)), "abc", { "a", "b", nil, "c" })
	captures(Ct(Cg(1, print) * Cg(1, 2.5)), "ab", { [print] = "a", [2.5] = "b" })
	local big = match(Ct(C(1) ^ 0), ("x"):rep(50000))
	equal(#big, 50000)
	captures(Ct(Cg(1, "k") ^ 0), "abc", { k = "c" })
	-- Only groups right in the table are its fields.
	captures(Ct(C(Cg(1, "k")) * Cg(Cg(1, "k"))), "ab", { "a", "b" })
end

function cases.groups()
	captures(Cg(1), "a", "a")
	captures(Cg(C(1) * C(1)), "ab", "a", "b")
	captures(Cg(1, "x") * C(1), "ab", "b")
	captures(Cg(1, "x"), "a", 2)
	captures(Cg(1, nil), "a", "a")
	captures(C(Cg(Cc(1, 2))), "", "", 1, 2)
end

function cases.back_references()
	captures(Cg(C(1) * C(1), "k") * Ct(Cb "k"), "ab", { "a", "b" })
	captures(Cg(1, "k") * Cb "k" * Cg(1, "k") * Cb "k", "ab", "a", "b")
	captures(Cg(Cc(3), 133) * Cb(133), "", 3)
	captures(Cg(Cc(20), "k") * Cg(Cc(10) * Cb "k" * C(1), "k") * (Cb "k" / function(a, b, c)
		return a * 10 + b + tonumber(c)
	end), "7", 127)
	-- Groups within other captures are not seen from outside of these.
	raises("back reference 'x' not found", match, Cb "x", "")
	raises("back reference 'x' not found", match, C(Cg(1, "x")) * Cb "x", "a")
	raises("back reference 'x' not found", match, (C(1) ^ -4 * Cg(1, "x")) / {} * Cb "x", "aaaaaaa")
	raises("back reference 'x' not found", match, Cg(Cb "x", "x") * Cb "x", "")
	captures(Ct(Cg(1, "x") * Ct(Ct(Cb "x"))), "a", { { { "a" } }, x = "a" })
	captures(Cg(1, "x") * C(C(1) * Cb "x"), "ab", "b", "b", "a")
	captures(Cg(1, "x") * Ct(C(1) ^ 0) * Cb "x", "abc", { "b", "c" }, "a")
	-- A failed alternative leaves none.
	captures(Cg(1, "x") * (Cg(1, "x") * "!" + 1) * Cb "x", "ab", "a")
	raises("value expected", Cb)
	local all = P(true)
	for i = 1, 10 do
		all = all * Cg(1, i)
	end
	for i = 1, 10 do
		captures(all * Cb(i), "abcdefghij", ("abcdefghij"):sub(i, i))
	end
end

function cases.function_captures()
	captures(C(1) * C(1) / function(...)
		return select("#", ...), ...
	end, "ab", 2, "a", "b")
	captures(P(2) / string.upper, "ab", "AB")
	captures(P(1) / function() end, "a", 2)
	captures((C(1) / function(x)
		return x, x .. x
	end) ^ 0, "ab", "a", "aa", "b", "bb")
	captures(Cc(nil, 1, nil) / function(...)
		return select("#", ...)
	end, "", 3)
	captures(P(1) / function(x)
		return nil, x
	end, "a", nil, "a")
end

function cases.query_captures()
	captures(C(1) / { a = 1 }, "a", 1)
	captures(C(1) / { a = 1 }, "b", 2)
	captures(P(2) / { ab = "x" }, "ab", "x")
	captures(C(1) * C(1) / { a = 1 }, "ab", 1)
	captures(P(1) / setmetatable({}, {
		__index = function(_, key)
			return key .. "!"
		end,
	}), "a", "a!")
	captures(P(1) / { a = false }, "a", false)
end

function cases.number_captures()
	captures(C(1) * C(1) * C(1) / 2, "abc", "b")
	captures(C(1) * C(1) / 1, "ab", "a")
	captures(C(1) * C(1) * C(1) / 3, "abc", "c")
	captures(P(2) / 1, "ab", "ab")
	captures(C(1) * C(1) / 0 * C(1), "abc", "c")
	captures(C(C(1) * C(1)) / 3 * Cp(), "ab", "b", 3)
	raises("no capture '3'", match, C(1) * C(1) / 3, "ab")
	raises("invalid number", function()
		return C(1) / -1
	end)
	raises("invalid number", function()
		return C(1) / 2 ^ 17
	end)
	raises("unexpected boolean as 2nd operand to LPeg '/'", function()
		return C(1) / true
	end)
end

function cases.string_captures()
	captures(C(1) * C(1) / "%2-%1-%0-%%-%x", "ab", "b-a-ab-%-x")
	captures(P(1) / "", "a", "")
	captures(C(C(1) * C(1)) / "%1,%2,%3", "ab", "ab,a,b")
	captures(Cc(12) * Cp() / "%1 %2", "", "12 1")
	captures(C(1) ^ 0 / "%9%1", "1234567890", "91")
	captures((C(1) / "<%1>") * C(1) / "%1%2", "ab", "<a>b")
	captures(Cs((C(1) / "<%1>") ^ 0) / "[%1]", "ab", "[<a><b>]")
	raises("invalid capture index (2)", match, C(1) / "%2", "a")
	raises("invalid capture index (1)", match, P(1) / "%1", "a")
	raises("invalid capture value (a boolean)", match, Cc(true) / "%1", "")
	raises("invalid capture value (a nil)", match, Cc(nil) / "%1", "")
	raises("no values in capture index 1", match, (P(1) / function() end) / "%1", "a")
	local long = ("x"):rep(5000)
	captures(C(P "x" ^ 0) / "%1%1", long, long .. long)
end

function cases.substitutions()
	captures(Cs((P "a" / "b" + 1) ^ 0), "banana", "bbnbnb")
	captures(Cs((P "a" / { a = 1 } + P "b" / { a = 1 } + 1) ^ 0), "abc", "1bc")
	captures(Cs((C(1) / string.upper) ^ 0), "abc", "ABC")
	captures(Cs(P(1) ^ 0), "abc", "abc")
	captures(Cs(C(C(1)) * 1), "ab", "ab")
	captures(Cs(Cs(P "a" / "x") * Cs(P "b" / "y" * 1)), "abc", "xyc")
	captures(Cs((P "ab" / "") ^ 0 * 1), "ababc", "c")
	captures(Cs(Cc(1) * 1 * Cp()), "a", "1a2")
	captures(Cs((P(1) / function() end) ^ 0), "abc", "abc")
	captures(Cs((Cg(1, "x") * Cb "x") ^ 0), "ab", "aabb")
	captures(
		Cs(Cmt(1, function(_, i)
			return i, "x"
		end) * 1),
		"ab",
		"xb"
	)
	raises("invalid replacement value (a table)", match, Cs(Ct(1)), "a")
	raises("invalid replacement value (a boolean)", match, Cs(P(1) / { a = true }), "a")
	local long = ("ab"):rep(20000)
	captures(Cs((P "a" / "xyz" + 1) ^ 0), long, (long:gsub("a", "xyz")))
	local nested = P { Cs("(" * (V(1) + P "a" / "b" + 1 - P ")") ^ 0 * ")") }
	captures(nested, "(a(a)(c(a)))", "(b(b)(c(b)))")
end

function cases.folds()
	local number = R "09" ^ 1 / tonumber
	local function add(a, b)
		return a + b
	end
	captures(Cf(number * ("," * number) ^ 0, add), "1,20,300", 321)
	captures(Cf(Cc(1, 2, 3), error), "", 1)
	captures(Cf(Ct "" * Cg(C(1) * "=" * C(1) * ";") ^ 0, rawset), "a=1;b=2;", { a = "1", b = "2" })
	raises("no initial value for fold capture", match, Cf(P(3), add), "abc")
	raises("no initial value for fold capture", match, Cf(P(1) / function() end, add), "a")
	raises("function expected", Cf, P(1), {})
end

function cases.accumulators()
	local number = R "09" ^ 1 / tonumber
	local function add(a, b)
		return a + b
	end
	captures(number * ("," * number % add) ^ 0, "1,20,300", 321)
	captures(Cc(0) * (C(1) % function(n)
		return n + 1
	end) ^ 0, "abc", 3)
	captures(C(1) * (P "^" % string.upper) ^ -1, "a^", "A")
	captures(Ct "" * (Cg(C(1) * C(1)) % rawset) ^ 0, "a1b2", { a = "1", b = "2" })
	captures(C(1) * C(1) * (P(1) % function(a, b)
		return a .. b, "dropped"
	end) * C(1), "abcd", "a", "bc", "d")
	captures(
		Ct(Cg(C(1) * (C(1) % function(a, b)
			return a .. b
		end) ^ 0)),
		"abc",
		{ "abc" }
	)
	raises("no previous value for accumulator capture", match, P(1) % print, "a")
	-- In a table capture the table itself is the first value, and has to stay one.
	captures(Ct((Cg(C(1) * C(1)) % rawset) ^ 0), "a1b2", { a = "1", b = "2" })
	if ours then
		raises("invalid context for an accumulator capture", match, Ct(P(1) % type), "a")
		raises("no previous value for accumulator capture", match, (P(1) % print) / print, "a")
		raises("no previous value for accumulator capture", match, Cmt(P(1) % print, print), "a")
		raises("no previous value for accumulator capture", match, Cs(Cg(P(1) % print)), "a")
		raises("no previous value for accumulator capture", match, Ct(Cg(P(1) % print, "x")), "a")
		raises("no initial value for fold capture", match, Cf(1, print) * C(1), "ab")
	end
	raises("invalid context for an accumulator capture", match, Cs(C(1) * (C(1) % print)), "ab")
end

function cases.match_time_captures()
	local function yes(_, _, ...)
		return true, ...
	end
	captures(Cmt(C(1) * C(1), yes), "ab", "a", "b")
	captures(Cmt(2, yes), "ab", "ab")
	captures(Cmt("", function(s, i)
		return #s, i
	end) * Cp(), "abc", 1, 3)
	captures(Cmt(1, function()
		return false
	end) + C(1), "a", "a")
	captures(Cmt(1, function() end) + C(1), "a", "a")
	captures(Cmt(1, function(_, i)
		return i
	end) * C(1), "ab", "b")
	captures(P(function(s, i, ...)
		return i + 1, select("#", ...), s
	end) * Cp(), "ab", 1, "ab", 2)
	captures((Cmt(1, function(_, i, x)
		if x ~= "b" then
			return i, x, x
		end
	end) + 1) ^ 0, "abc", "a", "a", "c", "c")
	-- Nested: the inner values are the outer function's.
	captures(
		Cmt(Cmt(C(1), yes) * Cmt(C(1), yes), function(_, _, a, b)
			return true, b .. a
		end),
		"ab",
		"ba"
	)
	captures(
		Cs((Cmt(S "ab", function(_, _, x)
			return true, x:upper()
		end) + 1) ^ 0),
		"abc",
		"ABc"
	)
	captures(Ct(Cmt(Cg(C(1), "n"), yes)), "a", { "a" })
	-- Values of alternatives that failed are gone.
	captures((Cmt(1, yes) * "x" + Cmt(2, yes)) * C(1), "abc", "ab", "c")
	captures(#Cmt(1, yes) * Cmt(2, yes), "ab", "ab")
	captures(-(Cmt(1, yes) * "x") * C(1), "ab", "a")
	-- They see the groups before them.
	captures(Cg(1, "x") * Cmt(Cb "x", function(_, _, x)
		return true, x
	end), "a", "a")
	local same = Cg(S "'\"", "quote")
		* C((1 - Cmt(C(1) * Cb "quote", function(_, _, a, b)
			return a == b
		end)) ^ 0)
		* 1
	captures(same, [["it's"]], "it's")
	for _, wrong in ipairs { 0, 1, 5, 2 ^ 40, {}, "x" } do
		raises("invalid position returned by match-time capture", match, P(1) * Cmt("", function()
			return wrong
		end), "abc")
	end
	raises("function expected", Cmt, 1, {})
	raises(
		"from inside",
		match,
		Cmt(1, function()
			error "from inside"
		end),
		"a"
	)
end

function cases.functions_are_called_where_they_have_to_be()
	local calls = 0
	local f = P(function()
		calls = calls + 1
		return true
	end)
	local function called(count, pattern, subject)
		calls = 0
		match(pattern, subject)
		equal(calls, count)
	end
	called(1, f * false + "b", "a")
	called(1, (f * "a") ^ 0 * "b", "b")
	called(1, (f * "a") ^ -1 * "b", "")
	called(1, (P "b" ^ -1 * f * "a") ^ -1 * "b", "")
	called(2, f * "a" + f * "b", "b")
	called(1, -f * "a" + "b", "b")
	called(1, ("b" + f * "a") ^ -1, "")
end

function cases.many_runtime_values()
	local function values(count)
		return Cmt("a", function()
			local list = {}
			for i = 1, count do
				list[i] = i
			end
			return true, table.unpack(list)
		end)
	end
	local list = { match(values(2000), "a") }
	equal(#list, 2000)
	equal(list[2000], 2000)
	captures(Cmt(values(20), function()
		return false
	end) + values(2), "a", 1, 2)
	captures(
		Cmt(values(20) * values(3), function(_, _, ...)
			return true, select("#", ...)
		end),
		"aa",
		23
	)
	raises("too many", match, values(2 ^ 15), "a")
	equal(#{ match(Cmt(1, function(_, i, x)
		return i, x
	end) ^ 0, ("a"):rep(500)) }, 500)
end

function cases.matching_within_matching()
	local inner = C(R "az" ^ 1)
	local outer = Ct((Cmt(R "az" ^ 1, function(_, i, word)
		return i, inner:match(word:upper():lower())
	end) + 1) ^ 0)
	captures(outer, "one two", { "one", "two" })
	local function depth(n)
		if n == 0 then
			return 0
		end
		return match(
			P(function()
				return true, depth(n - 1)
			end),
			""
		) + 1
	end
	equal(depth(100), 100)
end

function cases.many_values_come_out_of_deep_captures()
	local deep = P(1)
	for _ = 1, 190 do
		deep = C(deep)
	end
	local texts = { match(deep * deep, "xy") }
	equal(#texts, 380)
	equal(texts[190] .. texts[191], "xy")
end

function cases.deep_captures()
	local deep = C(1)
	for _ = 1, 190 do
		deep = Ct(deep)
	end
	assert(match(deep, "x"))
	for _ = 1, 110 do
		deep = Ct(deep)
	end
	raises("subcapture nesting too deep", match, deep, "x")
end

function cases.many_values_in_a_pattern()
	local count = 0
	local function constants(n)
		if n == 1 then
			count = count + 1
			return Cc(count)
		end
		return constants(n // 2) * constants(n - n // 2)
	end
	local most = constants(2 ^ 16 - 1)
	equal(#match(Ct(most), ""), 2 ^ 16 - 1)
	raises("too many Lua values in pattern", function()
		return most / print
	end)
	raises("too many Lua values in pattern", function()
		return most * Cc(1)
	end)
	-- The same values are not counted twice.
	equal(#match(Ct(most * most), ""), 2 * (2 ^ 16 - 1))
end

function cases.values_live_as_long_as_patterns()
	local seen = setmetatable({}, { __mode = "k" })
	local function make()
		local value = {}
		seen[value] = true
		return "a" * Cc(value) * "b"
	end
	local pattern = make()
	collectgarbage()
	equal(type(match(pattern, "ab")), "table")
	pattern = nil
	collectgarbage()
	collectgarbage()
	equal(next(seen), nil)
end

function cases.failed_runtime_values_are_garbage()
	local seen = setmetatable({}, { __mode = "k" })
	local most = 0
	local function value(_, i)
		collectgarbage()
		local count = 0
		for _ in pairs(seen) do
			count = count + 1
		end
		most = math.max(most, count)
		local new = {}
		seen[new] = true
		return i, new
	end
	match(P { Cmt("", value) * false + 1 * V(1) + "" }, ("x"):rep(10))
	equal(most, 0)
end

function cases.coroutines_match_side_by_side()
	local function words(text)
		return coroutine.wrap(function()
			local position = 1
			while position do
				local word, after = match(C(R "az" ^ 1) * Cp() * S " " ^ 0, text, position)
				position = after and match(S " " ^ 0 * Cp(), text, after)
				if word then
					coroutine.yield(word)
				end
			end
		end)
	end
	local a, b = words "one two three", words "four five six"
	equal({ a(), b(), a(), b(), a(), b() }, { "one", "four", "two", "five", "three", "six" })
end

check.run(cases)
