-- lpeg: patterns, sets, operators and grammars, and what is an error.
local check = require "check"
local lpeg = require "lpeg"
local lpeg_check = require "lpeg_check"

local P, S, R, B, V = lpeg.P, lpeg.S, lpeg.R, lpeg.B, lpeg.V
local C, Carg, Cc, Cg, Cmt, Cp, Ct = lpeg.C, lpeg.Carg, lpeg.Cc, lpeg.Cg, lpeg.Cmt, lpeg.Cp, lpeg.Ct
local match, equal, raises = lpeg.match, check.equal, check.raises
local ends, captures, bytes = lpeg_check.ends, lpeg_check.captures, lpeg_check.bytes

local cases = {}

-- Whether the module is the one in Rust: what the other one gets wrong is not asked of it. (Its userdata has one user value.)
local ours = select(2, debug.getuservalue(P(1), 2))

-- Module -------------------------------------------------------------------------------------------------------------

function cases.module()
	equal(lpeg.version, "LPeg 1.1.0")
	equal(lpeg.type(P "x"), "pattern")
	for _, value in ipairs { "x", 1, true, {}, print, io.stdout, coroutine.create(print) } do
		equal(lpeg.type(value), nil)
	end
	equal(lpeg.type(nil), nil)
	for _, name in ipairs {
		"match",
		"P",
		"S",
		"R",
		"utfR",
		"B",
		"V",
		"C",
		"Carg",
		"Cb",
		"Cc",
		"Cf",
		"Cg",
		"Cmt",
		"Cp",
		"Cs",
		"Ct",
		"locale",
		"setmaxstack",
		"type",
		"ptree",
		"pcode",
	} do
		equal(type(lpeg[name]), "function", name)
	end
	-- Functions of the module are methods of patterns.
	equal(P "ab":match "abc", 3)
	equal(P "ab":C():match "abc", "ab")
	equal(type(P "a"), "userdata")
end

-- Values as patterns -------------------------------------------------------------------------------------------------

function cases.strings()
	ends("", { [""] = 1, a = 1 })
	ends("a", { [""] = false, a = 2, ab = 2, b = false })
	ends("abc", { ab = false, abc = 4, abcd = 4, abd = false, xabc = false })
	ends("a\0b\255", { ["a\0b\255"] = 5, ["a\0b"] = false })
	local long = ("0123456789"):rep(1000)
	ends(long, { [long] = 10001, [long .. "x"] = 10001, [long:sub(1, -2)] = false })
end

function cases.numbers()
	ends(0, { [""] = 1, a = 1 })
	ends(1, { [""] = false, a = 2, ab = 2 })
	ends(3, { ab = false, abc = 4, abcd = 4 })
	ends(-1, { [""] = 1, a = false })
	ends(-3, { ab = 1, abc = false })
	ends(1000, { [("x"):rep(999)] = false, [("x"):rep(1000)] = 1001 })
	ends(3.0, { abc = 4 })
end

function cases.booleans()
	ends(true, { [""] = 1, a = 1 })
	ends(false, { [""] = false, a = false })
end

function cases.patterns_stay_as_they_are()
	local pattern = P "x" * 1
	assert(rawequal(P(pattern), pattern))
end

function cases.what_is_no_pattern()
	raises("lpeg-pattern expected, got nil", P, nil)
	raises("value expected", P)
	raises("lpeg-pattern expected, got", P, io.stdout)
	raises("lpeg-pattern expected, got thread", match, coroutine.create(print), "x")
	raises("bad argument #1", C, nil)
	raises("string expected", match, "a")
	raises("string expected", match, "a", {})
end

-- Sets ---------------------------------------------------------------------------------------------------------------

function cases.sets()
	equal(bytes(S "cab"), "abc")
	equal(bytes(S ""), "")
	equal(bytes(S "\0\255"), "\0\255")
	equal(bytes(R "af"), "abcdef")
	equal(bytes(R("09", "af", "AF")), "0123456789ABCDEFabcdef")
	equal(bytes(R "fa"), "")
	equal(bytes(R()), "")
	equal(bytes(R "aa"), "a")
	equal(#bytes(R "\0\255"), 256)
	equal(#bytes(P(1)), 256)
	raises("range must have two characters", R, "abc")
	raises("bad argument #2", R, "ab", "c")
	raises("string expected", S, {})
end

function cases.operations_on_sets()
	equal(bytes(S "abc" + "d"), "abcd")
	equal(bytes(S "abc" + S "bcde"), "abcde")
	equal(bytes(S "abc" - "b"), "ac")
	equal(bytes(P "b" - S "abc"), "")
	equal(#bytes(1 - S "abc"), 253)
	equal(#bytes(1 - P(1)), 0)
	equal(bytes(1 - (1 - S "xyz")), "xyz")
	equal(bytes(#S "abc" * R "bz"), "bc")
	equal(bytes(-S "abc" * R "ad"), "d")
	equal(bytes(S "" + R "xz"), "xyz")
	equal(bytes(P(false) + "q"), "q")
	for byte = 0, 255 do
		local char = string.char(byte)
		equal(bytes(P(char)), char)
		equal(bytes(S(char)), char)
		equal(#bytes(1 - P(char)), 255)
	end
end

function cases.locale()
	local classes = lpeg.locale()
	local expected = {
		alnum = "%w",
		alpha = "%a",
		cntrl = "%c",
		digit = "%d",
		graph = "%g",
		lower = "%l",
		print = "[%g ]",
		punct = "%p",
		space = "%s",
		upper = "%u",
		xdigit = "%x",
	}
	for name, class in pairs(expected) do
		equal(
			bytes(classes[name]),
			bytes(P(function(s, i)
				return s:find("^" .. class, i) and i + 1
			end)),
			name
		)
	end
	local count = 0
	for name in pairs(classes) do
		assert(expected[name])
		count = count + 1
	end
	equal(count, 11)
	local mine = { other = 1 }
	assert(rawequal(lpeg.locale(mine), mine))
	equal(mine.other, 1)
	equal(lpeg.type(mine.alpha), "pattern")
	raises("table expected", lpeg.locale, 1)
end

-- Operators ----------------------------------------------------------------------------------------------------------

function cases.sequences()
	ends(P "ab" * "cd", { abcd = 5, abc = false, abce = false })
	ends(2 * P "c", { abc = 4, c = false })
	ends(P "a" * true, { a = 2 })
	ends(P(true) * "a", { a = 2, b = false })
	ends(P(false) * "a", { a = false })
	ends(P "a" * false, { a = false })
	ends(P "a" * -1, { a = 2, ab = false })
	local many = P(true)
	for i = 1, 5000 do
		many = many * (i % 2 == 0 and "b" or "a")
	end
	ends(many, { [("ab"):rep(2500)] = 5001, [("ab"):rep(2499) .. "aa"] = false })
end

function cases.choices()
	ends(P "ab" + "cd", { ab = 3, cd = 3, ad = false })
	ends(P "a" + "ab", { ab = 2 })
	ends((P "a" + "ab") * "c", { abc = false, ac = 3 })
	ends((P "ab" + "a") * "c", { abc = 4, ac = 3 })
	ends(P "ab" + true, { ab = 3, ac = 1 })
	ends(P(true) + "ab", { ab = 1 })
	ends(P(false) + "ab", { ab = 3, b = false })
	ends(P "ab" + "cd" + "" + "cy", { cy = 1, cd = 3 })
	ends((P "abc" + "abd" + "ab" + "a") * -1, { abc = 4, abd = 4, ab = 3, a = 2, abe = false })
	ends(S "ab" * "x" + S "bc" * "y" + "bz", { ax = 3, by = 3, cy = 3, bz = 3, ay = false, bw = false })
	ends(P(1) * "x" + "cde" + S "ab" * "ka", { aka = 4, cde = 4, cx = 3 })
	local words = P(false)
	for i = 1, 300 do
		words = words + ("word%d;"):format(i)
	end
	for i = 1, 300 do
		local word = ("word%d;"):format(i)
		equal(match(words, word), #word + 1)
	end
	equal(match(words, "word301;"), nil)
end

function cases.differences()
	ends((1 - P "end") ^ 0, { ["to the end"] = 8, ["en"] = 3, [""] = 1 })
	ends(P "abc" - "ab", { abc = false })
	ends(R "az" ^ 1 - "for", { foreach = false, form = false, fo = 3 })
	ends(R "az" ^ 1 - (P "for" * -1), { foreach = 8, ["for"] = false })
end

function cases.predicates()
	ends(#P "ab", { abc = 1, a = false })
	ends(#P "ab" * 1, { ab = 2, ac = false })
	ends(-P "ab", { ab = false, a = 1, [""] = 1 })
	ends(-P "ab" * 1, { ac = 2, ab = false })
	local not_a = -P "a"
	ends(-not_a, { a = 1, b = false })
	ends(##P "a" * "a", { a = 2 })
	ends(#(P "a" ^ 1 * "b") * C(1), { aab = "a", aac = false })
	ends(-(P "a" ^ 1 * "b"), { aab = false, aac = 1 })
	ends(#P(true), { [""] = 1 })
	ends(-P(true), { [""] = false })
	ends(-P(false), { [""] = 1 })
	ends(#S "567" * 1, { ["6"] = 2, [""] = false })
	ends(P "a" * #P "b", { ab = 2, a = false })
	-- No captures come out of predicates.
	captures(#C "a" * C "ab", "ab", "ab")
	captures(-C "b" * Cp(), "ab", 1)
	captures(#(Cg("a", "x") * "b") * Ct(P(1) ^ 0), "ab", {})
end

function cases.looking_behind()
	ends(B "a", { a = false })
	ends(1 * B "a", { ab = 2, ba = false })
	ends(P "abc" * B "bc" * B "abc", { abcd = 4 })
	ends(2 * B(1), { ab = 3 })
	ends(-B(1), { a = 1 })
	ends(250 * B(250), { [("a"):rep(250)] = 251 })
	ends(1 * -B(P "a" + "b"), { a = false, c = 2 })
	ends("aaa" * B { "x", x = P "aaa" }, { aaa = 4, aa = false })
	ends(1 * B(#P "ab" * 1), { ab = 2, ac = false })
	raises("pattern may not have fixed length", B, P "a" ^ 0)
	raises("pattern may not have fixed length", B, V "x")
	raises("pattern may not have fixed length", B, P "a" + "bc")
	raises("pattern have captures", B, C "a")
	raises("pattern too long to look behind", B, 256)
	equal(match(255 * B(255), ("a"):rep(255)), 256)
end

function cases.repetitions()
	ends(P "a" ^ 0, { [""] = 1, aaa = 4, b = 1 })
	ends(P "a" ^ 1, { [""] = false, aaa = 4, b = false })
	ends(P "a" ^ 3, { aa = false, aaa = 4, aaaa = 5 })
	ends(P "a" ^ -1, { [""] = 1, aa = 2, b = 1 })
	ends(P "a" ^ -3, { a = 2, aaa = 4, aaaa = 4 })
	ends(P "ab" ^ 0, { ababa = 5, aba = 3 })
	ends(P "ab" ^ 2, { ababab = 7, ab = false })
	ends(P "ab" ^ -2, { ababab = 5, ab = 3, aba = 3 })
	ends(P(1) ^ 0, { abc = 4 })
	ends(S "ab" ^ 0, { abac = 4 })
	ends(S "" ^ 0, { a = 1 })
	ends(P "a" ^ "2", { aa = 3 })
	ends(P "" ^ -3, { a = 1 })
	-- Repetitions do not give back.
	ends(P "a" ^ 0 * "a", { aaa = false })
	ends(P(1) ^ -2 * "c", { abc = 4, bc = false })
	ends((P "x" * P "y" ^ -1) ^ -2, { xx = 3, xyxy = 5, xyx = 4, xxx = 3 })
	ends((P "x" * P "yz" ^ -1) ^ -3 * -1, { xyzxx = 6, xyx = false })
	ends((P "ab" * P "cd" ^ 0) ^ -1, { abcdcdc = 7 })
	ends(("Aa" * ("Bb" * ("Cc" * P "Dd" ^ 0) ^ 0) ^ 0) ^ -1, { AaBbCcDdBbCcDdDdDdBb = 21 })
	ends(C(("ab" * ("c" * P "ef" ^ -1) ^ 0) ^ -1), { abcefccefc = "abcefccefc" })
	ends((P "a" + P "b" * "c") ^ 0 * "b", { aabcab = 7, aabcb = 6, aabc = false })
	raises("number expected", function()
		return P "a" ^ {}
	end)
end

function cases.loops_without_end()
	local text = "loop body may accept empty string"
	for _, body in ipairs {
		P "",
		P "a" ^ 0,
		P "a" ^ -1,
		P "a" + "",
		-P "a",
		#P "a",
		B "a",
		Cp(),
		Cc(1),
		C "",
		P "a" ^ -1 * P "b" ^ 0,
		P(function()
			return true
		end),
		Carg(1),
	} do
		raises(text, function()
			return body ^ 0
		end)
		raises(text, function()
			return body ^ 2
		end)
		assert(body ^ -1)
	end
	assert((P "a" * P "b" ^ 0) ^ 0)
	assert((#P "a" * 1) ^ 0)
end

function cases.operands_are_converted()
	ends(1 * P "b", { ab = 3 })
	ends("a" * P "b", { ab = 3 })
	ends({ P "a" } * P "b", { ab = 3 })
	ends("a" + P "b", { a = 2, b = 2 })
	ends(2 - P "ab", { ab = false, ba = 3 })
	ends(function(_, i)
		return i + 1
	end * P "b", { ab = 3 })
	raises("lpeg-pattern expected", function()
		return P "a" * nil
	end)
	raises("lpeg-pattern expected", function()
		return io.stdout + P "a"
	end)
end

-- UTF-8 --------------------------------------------------------------------------------------------------------------

function cases.code_points()
	local utfR = lpeg.utfR
	ends(utfR(0x41, 0x5A), { A = 2, Z = 2, a = false, [""] = false })
	ends(utfR(0, 0x10FFFF), { ["é"] = 3, ["字"] = 4, ["\u{1F600}"] = 5, ["\u{10FFFF}"] = 5, ["\0"] = 2 })
	ends(utfR(0x80, 0x7FF), { ["\u{80}"] = 3, ["\u{7FF}"] = 3, ["\u{800}"] = false, ["\127"] = false })
	ends(utfR(0x4E00, 0x9FFF) ^ 1, { ["漢字x"] = 7, x = false, ["\u{4DFF}"] = false, ["\u{A000}"] = false })
	ends(utfR(0, 0x10FFFF), {
		["\x80"] = false,
		["\xC0\x80"] = false,
		["\xE0\x9F\xBF"] = false,
		["\xF4\x90\x80\x80"] = false,
		["\xC3"] = false,
		["\xE5\xAD"] = false,
		["\xFF"] = false,
		["\xC3a"] = false,
		["\xF0\x9F\x98"] = false,
	})
	-- Surrogates are numbers like all others.
	ends(utfR(0xD800, 0xDFFF), { ["\xED\xA0\x80"] = 4 })
	ends(B(utfR(0x400, 0x4FF)) + 2 * B(utfR(0x400, 0x4FF)), { ["ж"] = 3 })
	raises("empty range", utfR, 2, 1)
	raises("invalid code point", utfR, 0, 0x110000)
	raises("pattern may not have fixed length", B, utfR(0, 0x10FFFF))
	captures((C(utfR(0x80, 0x10FFFF)) + 1) ^ 0, "a→b字c", "→", "字")
end

-- Grammars -----------------------------------------------------------------------------------------------------------

function cases.grammars()
	local balanced = P { "(" * ((1 - S "()") + V(1)) ^ 0 * ")" }
	ends(balanced, { ["()"] = 3, ["(a(b)c)d"] = 8, ["((a)"] = false })
	local equals = P {
		"S",
		S = "a" * V "B" + "b" * V "A" + "",
		A = "a" * V "S" + "b" * V "A" * V "A",
		B = "b" * V "S" + "a" * V "B" * V "B",
	} * -1
	ends(equals, { [""] = 1, ab = 3, abba = 5, aabb = 5, aab = false })
	-- Numbers, tables and functions are names too.
	ends(P { 2, [2] = "a" * V(print), [print] = P "b" }, { ab = 3 })
	ends(P { V(2) * V(3), P "a", P "b" }, { ab = 3 })
	-- A grammar within a grammar has rules of its own.
	ends(P { "x", x = P { "x", x = P "a" } * V "y", y = P "b" }, { ab = 3 })
	ends(P { { "y", y = P "a" } * V "y", y = P "b" }, { ab = 3 })
	ends(P { "x", x = "a" * V "x" * "b" + "c" } ^ -2 * -1, { acbaacbb = 9, acb = 4, acbaacb = false })
	-- Rules that nothing refers to.
	ends(P { "x", x = P "a", y = P "b" }, { a = 2 })
	local rules = { "r1", r1000 = P "x" }
	for i = 1, 998 do
		rules["r" .. i] = "a" * V("r" .. i + 1)
	end
	rules.r999 = V "r1000"
	ends(P(rules), { [("a"):rep(998) .. "x"] = 1000 })
	rules.r1001 = P "y"
	raises("grammar has too many rules", P, rules)
end

function cases.tail_calls_take_no_stack()
	ends(P { "a" * V(1) + -1 }, { [("a"):rep(100000)] = 100001 })
	ends(P { P "end" + 1 * V(1) }, { [("x"):rep(100000) .. "end"] = 100004 })
	local parity = P {
		"0" * V(2) + "1" * V(3) + -1,
		"0" * V(1) + "1" * V(4),
		"0" * V(4) + "1" * V(1),
		"0" * V(3) + "1" * V(2),
	}
	ends(parity, { [("01"):rep(20000)] = 40001, [("011"):rep(20001)] = false })
end

function cases.faults_of_grammars()
	raises("grammar has no initial rule", P, {})
	raises("grammar has no initial rule", P, { "x" })
	raises("initial rule '1' is not a pattern", P, { {} })
	raises("initial rule 'x' is not a pattern", P, { "x", x = 12 })
	raises("rule 'y' is not a pattern", P, { "x", x = P "a", y = "b" })
	raises("rule 'y' undefined in given grammar", P, { "x", x = V "y" })
	raises("rule '(a table)' undefined in given grammar", P, { V {} })
	raises("rule '12' undefined in given grammar", P, { V(12) })
	raises("rule 'x' used outside a grammar", match, V "x", "")
	raises("rule 'x' used outside a grammar", match, "a" * V "x", "")
	raises("non-nil value expected", V, nil)
end

function cases.left_recursion()
	raises("rule '1' may be left recursive", P, { V(1) })
	raises("rule 'x' may be left recursive", P, { "x", x = V "x" * "a" })
	raises("rule 'x' may be left recursive", P, { "x", x = P "a" ^ 0 * V "x" })
	raises("rule 'x' may be left recursive", P, { "x", x = P "a" ^ -1 * V "x" })
	raises("rule 'x' may be left recursive", P, { "x", x = #P "a" * V "x" })
	raises("rule 'x' may be left recursive", P, { "x", x = -P "a" * V "x" })
	raises("rule 'x' may be left recursive", P, { "x", x = P "a" + V "x" })
	raises("rule 'x' may be left recursive", P, { "x", x = -(P "a" + V "x") })
	raises("rule 'x' may be left recursive", P, { "x", x = C(V "x" ^ -1) })
	raises("rule 'x' may be left recursive", P, { "x", x = Cmt(V "x", print) })
	raises("rule 'x' may be left recursive", P, { "x", x = B "a" * V "x" })
	raises("rule 'b' may be left recursive", P, { "a", a = "x" * V "b", b = V "b" })
	-- Of a circle it is always the same rule that is named.
	raises("rule 'a' may be left recursive", P, { "a", a = V "b" * "x", b = V "a" * "y" })
	raises("rule 'b' may be left recursive", P, { "a", a = V "b", b = V "c", c = V "a" })
	raises("rule 'c' may be left recursive", P, { "a", a = "q" + V "b", b = V "c" * "x", c = #P "a" * V "b" })
	-- Upstream's build with assertions does not survive these two.
	if ours then
		raises("rule 'x' may be left recursive", P, { "x", x = #B(#V "x") })
		raises("rule 'x' may be left recursive", P, { "x", x = B(1 * #V "x") })
	end
	assert(P { "x", x = "a" * V "x" + "b" })
	assert(P { "x", x = (P "a" + "bc") * V "x" + "d" })
	assert(P { "x", x = #("a" * V "x") + 1 })
end

function cases.empty_loops_in_rules()
	raises("empty loop in rule 'x'", P, { "x", x = V "y" ^ 0, y = P "a" ^ -1 })
	raises("empty loop in rule 'y'", P, { "x", x = "a" * V "y", y = V "z" ^ 0, z = P "" })
	raises("empty loop in rule 'x'", P, { "x", x = "a" * V "y" ^ 1, y = #P(1) })
	assert(P { "x", x = V "y" ^ 0, y = P "a" * P "b" ^ -1 })
end

-- Matching -----------------------------------------------------------------------------------------------------------

function cases.initial_positions()
	equal(match("b", "abc", 2), 3)
	equal(match("b", "abc", -2), 3)
	equal(match("a", "abc", 0), nil)
	equal(match("", "abc", 0), 4)
	equal(match("a", "abc", -10), 2)
	equal(match("", "abc", 10), 4)
	equal(match(1, "abc", 4), nil)
	equal(match(B "a" * "b", "ab", 2), 3)
	equal(match(Cp(), "abc", math.maxinteger), 4)
	equal(match(Cp(), "abc", math.mininteger), 1)
	equal(match("1", 123), 2)
	raises("number expected", match, "a", "a", {})
end

function cases.the_stack_has_a_limit()
	local deep = P { "0" * V(1) + "0" }
	raises("backtrack stack overflow (current limit is 400)", match, deep, ("0"):rep(1000))
	lpeg.setmaxstack(2000)
	raises("backtrack stack overflow (current limit is 2000)", match, deep, ("0"):rep(1000))
	lpeg.setmaxstack(2002)
	equal(match(deep, ("0"):rep(1000)), 1001)
	-- A loop needs a place only for the calls within it.
	lpeg.setmaxstack(500)
	local nested = P { ("a" * V(1)) ^ 0 * "b" + "c" }
	equal(match(nested, ("a"):rep(180) .. "c" .. ("b"):rep(180)), 362)
	-- What is always there cannot be taken away.
	lpeg.setmaxstack(10)
	equal(match(nested, ("a"):rep(150) .. "c" .. ("b"):rep(150)), 302)
	raises("current limit is 10", match, deep, ("0"):rep(1000))
	lpeg.setmaxstack(400)
	raises("out of range", lpeg.setmaxstack, 0)
	raises("out of range", lpeg.setmaxstack, 2 ^ 31)
	raises("number expected", lpeg.setmaxstack, "x")
end

check.run(cases)
