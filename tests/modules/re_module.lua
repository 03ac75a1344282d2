-- re: patterns of lpeg as text. (The C core's tree comes without this module; its own text of it is to be put in `lualib`.)
local check = require "check"
local lpeg = require "lpeg"
local re = require "re"

local equal, raises, match = check.equal, check.raises, re.match

local cases = {}

--- Asserts what a pattern gives for subjects: { subject = end or false }.
local function ends(pattern, expected)
	for subject, stop in pairs(expected) do
		equal(match(subject, pattern) or false, stop, ("%s on %q"):format(pattern, subject))
	end
end

local function captures(pattern, subject, ...)
	equal(table.pack(match(subject, pattern)), table.pack(...), ("captures of %s on %q"):format(pattern, subject))
end

--- All bytes that a pattern of one byte matches.
local function bytes(pattern, defs)
	local compiled, found = re.compile(pattern, defs), {}
	for byte = 0, 255 do
		if compiled:match(string.char(byte)) == 2 then
			found[#found + 1] = string.char(byte)
		end
	end
	return table.concat(found)
end

function cases.module()
	for _, name in ipairs { "compile", "match", "find", "gsub", "updatelocale" } do
		equal(type(re[name]), "function", name)
	end
	equal(lpeg.type(re.compile "'a'"), "pattern")
	local pattern = lpeg.P "x"
	assert(rawequal(re.compile(pattern), pattern))
	raises("string expected", re.compile, nil)
	raises("string expected", re.compile, {})
end

function cases.strings()
	ends("'abc'", { abc = 4, abd = false })
	ends('"abc"', { abc = 4 })
	ends([['"']], { ['"'] = 2 })
	ends([["'"]], { ["'"] = 2 })
	ends("''", { [""] = 1 })
	ends("", { a = 1 })
	ends("   ", { a = 1 })
	ends("'\\n'", { ["\\n"] = 3 })
end

function cases.sequences_and_choices()
	ends("'a' 'b'", { ab = 3, a = false })
	ends("'a''b'", { ab = 3 })
	ends("'a' / 'b'", { a = 2, b = 2, c = false })
	ends("'a'/'b' 'c'", { a = 2, bc = 3, ac = 2, b = false })
	ends("('a' / 'b') 'c'", { ac = 3, bc = 3, a = false })
	ends("'a' /", { a = 2, b = 1 })
	ends("/ 'a'", { a = 1 })
	ends("()", { a = 1 })
	ends("( ( 'a' ) )", { a = 2 })
end

function cases.parts_may_be_deep_within_each_other()
	ends(("("):rep(60) .. "'a'" .. (")"):rep(60), { a = 2 })
	ends(("('b' / "):rep(40) .. "'a'" .. (")"):rep(40), { a = 2, b = 2, c = false })
	equal(select("#", match("a", ("{"):rep(40) .. "'a'" .. ("}"):rep(40))), 40)
end

function cases.any_and_predicates()
	ends(".", { a = 2, [""] = false })
	ends(". .", { ab = 3, a = false })
	ends("!.", { [""] = 1, a = false })
	ends("&'a' .", { a = 2, b = false })
	ends("!'a' .", { a = false, b = 2 })
	ends("! ! 'a' .", { a = 2, b = false })
	ends("&!&! 'a'", { a = 1, b = false })
	ends("!'a'*", { b = false })
end

function cases.repetitions()
	ends("'a'*", { aaa = 4, [""] = 1 })
	ends("'a' +", { aaa = 4, [""] = false })
	ends("'a' ? 'b'", { ab = 3, b = 2 })
	ends("'a'^3", { aaa = 4, aaaa = 4, aa = false })
	ends("'a'^0", { aaa = 1 })
	ends("'a'^+2", { aaa = 4, a = false })
	ends("'a'^-2", { aaa = 3, a = 2, [""] = 1 })
	ends("'a'^10", { [("a"):rep(10)] = 11, [("a"):rep(9)] = false })
	ends("[0-9]^3+", { ["1234567"] = 7, ["12"] = false })
	ends("('a' 'b'?)^-2 !.", { aab = 4, aaa = false })
	raises("loop body may accept empty string", re.compile, "('a'?)*")
end

function cases.classes()
	equal(bytes "[abc]", "abc")
	equal(bytes "[a-d]", "abcd")
	equal(bytes "[a-cx-z0]", "0abcxyz")
	equal(bytes "[]]", "]")
	equal(bytes "[][]", "[]")
	equal(bytes "[-]", "-")
	equal(bytes "[a-]", "-a")
	equal(bytes "[-a]", "-a")
	equal(bytes "[]-]", "-]")
	equal(bytes "[%%]", "%")
	equal(bytes "[a^]", "^a")
	equal(bytes "[b-a]", "")
	equal(#bytes "[^a-z]", 230)
	equal(#bytes "[^]]", 255)
	equal(#bytes "[^^]", 255)
	equal(bytes "[^_%W]", bytes "%w")
	equal(bytes "[_%d%u]", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
	equal(bytes "[%nl]", "\n")
	equal(bytes "['\"]", "\"'")
	equal(bytes("[%vowel-]", { vowel = lpeg.S "aeiou" }), "-aeiou")
	raises("name 'wx' undefined", re.compile, "[%wx]")
	raises("pattern error near '[a'", re.compile, "[a")
	raises("pattern error near '[]'", re.compile, "[]")
end

function cases.predefined_classes()
	for letter in ("acdglpsuwx"):gmatch "." do
		for _, class in ipairs { letter, letter:upper() } do
			local expected = {}
			for byte = 0, 255 do
				local char = string.char(byte)
				if char:find("%" .. class) then
					expected[#expected + 1] = char
				end
			end
			equal(bytes("%" .. class), table.concat(expected), class)
		end
	end
	equal(bytes "%nl", "\n")
	equal(bytes "%alpha", bytes "%a")
	re.updatelocale()
	equal(bytes "%xdigit", bytes "%x")
end

function cases.definitions()
	local defs = {
		digits = lpeg.R "09" ^ 1,
		word = "xy",
		_ = lpeg.P "__",
		upper = string.upper,
		list = { a = "A" },
		sum = function(a, b)
			return a + b
		end,
		number = tonumber,
	}
	local function run(pattern, subject)
		return re.compile(pattern, defs):match(subject)
	end
	equal(run("%digits !.", "123"), 4)
	equal(run("%word %_", "xy__"), 5)
	equal(run("{.} -> upper", "a"), "A")
	equal(run(". -> list", "a"), "A")
	equal(run("{.} -> upper -> list", "a"), 2)
	equal(run("(%d+ -> number) (',' %d+ -> number >> sum)*", "1,2,3"), 6)
	equal(run("((%d+ -> number) (',' %d+ -> number)*) ~> sum", "1,2,3"), 6)
	raises("undefined name: nothing", re.compile, ". -> nothing", defs)
	raises("undefined name: nothing", re.compile, ". => nothing")
	raises("name 'nothing' undefined", re.compile, "%nothing", defs)
	-- The caller's names come first.
	equal(re.compile("%d", { d = "x" }):match "x", 2)
end

function cases.match_time_functions()
	local defs = {
		even = function(_, i)
			return i % 2 == 1
		end,
		skip = function(_, i, text)
			return i + 1, text
		end,
	}
	equal(re.compile("({.*} => even)", defs):match "abcd", 5)
	equal(re.compile(".* => even / 'a'", defs):match "abc", 2)
	equal({ re.compile("({.} => skip)^-2 {.}", defs):match "abcde" }, { "a", "c", "e" })
end

function cases.captures()
	captures("{.} {.}", "ab", "a", "b")
	captures("{{.} .}", "ab", "ab", "a")
	captures("{} . {}", "a", 1, 2)
	captures("{| {.}* |}", "abc", { "a", "b", "c" })
	captures("({.} {.}) -> {}", "ab", { "a", "b" })
	captures("{: {.} {.} :}", "ab", "a", "b")
	captures("{| {:x: . :} {.} {:y: {.} {.} :} |}", "abcd", { "b", x = "a", y = "c" })
	captures("{:a:.:} {.}", "ab", "b")
	captures("{~ ('a' -> 'x' / .)* ~}", "banana", "bxnxnx")
	captures("{~ ('' -> '<') . ~}", "a", "<a")
	captures("({..} {.}) -> '%2-%1-%0-%%'", "abc", "c-ab-abc-%")
	captures("({.} {.} {.}) -> 2", "abc", "b")
	captures("({.} {.}) -> 0", "ab", 3)
	captures("('a' / {'b'})*", "abab", "b", "b")
	captures("&{.} !{'x'} {.}", "a", "a")
end

function cases.back_references()
	ends("{:x: . :} . =x", { aba = 4, abb = false })
	ends("{:x: [a-z]+ :} ' ' =x !.", { ["ab ab"] = 6, ["ab ac"] = false })
	local long = re.compile "'[' {:eq: '='* :} '[' (!(']' =eq ']') .)* ']' =eq ']' !."
	equal(long:match "[==[a]=]b]==]", 14)
	equal(long:match "[==[a]=]b]=]", nil)
	-- A group whose value is no string refers to nothing.
	equal(re.match("aa", "{:x: {| . |} :} =x"), nil)
end

function cases.grammars()
	ends("s <- 'a' s / 'b'", { aab = 4, aa = false })
	ends("s <- 'a' <s> / 'b'", { aab = 4 })
	ends("balanced <- '(' ([^()] / balanced)* ')'", { ["(a(b)c)"] = 8, ["(a(b)"] = false })
	ends(
		[[
		S <- '0' B / '1' A / ''  -- as many of each
		A <- '0' S / '1' A A
		B <- '1' S / '0' B B ]],
		{ ["0011"] = 5, ["0110"] = 5 }
	)
	ends("s <- a b !.  b <- (x <- 'b' x?)  a <- (x <- 'a' x?)", { aabb = 5, ab = 3, a = false })
	ends("{: s <- 'a' s? :}", { aaa = "aaa" })
	ends("  a  <-  'x'  ", { x = 2 })
	ends("_a1 <- 'x' _b\n_b <- 'y'", { xy = 3 })
	raises("rule 'a' used outside a grammar", re.compile, "a")
	raises("rule 'a' used outside a grammar", re.compile, "(a <- 'x') a")
	raises("rule 'a' used outside a grammar", re.compile, "<a>")
	raises("rule 'b' undefined in given grammar", re.compile, "a <- b")
	raises("'a' already defined as a rule", re.compile, "a <- 'x' a <- 'y'")
	raises("rule 'a' may be left recursive", re.compile, "a <- a 'x'")
	raises("empty loop in rule 'a'", re.compile, "a <- b* b <- 'x'?")
end

function cases.comments_and_spaces()
	ends("'a' -- first\n'b' -- second", { ab = 3 })
	ends("--only a comment", { a = 1 })
	ends("\t'a'\r\n / \n 'b'", { b = 2 })
	ends("{ -- open\n'a'}", { a = "a" })
end

function cases.errors()
	raises("pattern error near ')'", re.compile, "'a' )")
	raises("pattern error near '('", re.compile, "(")
	raises("pattern error near '(", re.compile, "('a'")
	raises("pattern error near '{ 'a''", re.compile, "{ 'a'")
	raises("pattern error near ''a'", re.compile, "'a")
	raises("pattern error near '-'", re.compile, "'a' -")
	raises("pattern error near '*'", re.compile, "*")
	raises("pattern error near '^'", re.compile, "'a'^")
	raises("pattern error near '-> ]'", re.compile, "'a' -> ]")
	raises("pattern error near '$234567890123456789'", re.compile, "'a' $234567890123456789")
	raises("pattern error near '$23456789012345678901...'", re.compile, "'a' $23456789012345678901234")
end

function cases.searching()
	equal({ re.find("the number 423 is odd", "[0-9]+") }, { 12, 14 })
	equal({ re.find("hi alalo", "{:x:..:} =x") }, { 4, 7 })
	equal({ re.find("hi alalo", "{:x:..:} =x", 5) }, {})
	equal({ re.find("alo", "{.}{'o'}") }, { 2, 3 })
	equal({ re.find("alo", "!.") }, { 4, 3 })
	equal({ re.find("aXbX", "'X'", -1) }, { 4, 4 })
	equal({ re.find("abc", lpeg.P "c") }, { 3, 3 })
	equal(re.find("abc", "'x'"), nil)
	equal(re.match("abc", "'b'", 2), 3)
end

function cases.replacing()
	equal(re.gsub("hello World", "[aeiou]", "."), "h.ll. W.rld")
	equal(re.gsub("hello", "%w+", string.upper), "HELLO")
	equal(re.gsub("a b", "{.} ' ' {.}", "%2 %1"), "b a")
	equal(re.gsub("abc", ".", { a = "x", b = 1 }), "x1c")
	equal(re.gsub("abc", "'x'", "y"), "abc")
	equal(re.gsub("", ".", "y"), "")
	for _ = 1, 3 do
		equal(re.gsub("aa", "'a'", "b"), "bb")
		equal(re.gsub("aa", "'a'", "c"), "cc")
		collectgarbage()
	end
end

function cases.examples()
	captures([[ r <- (!.) -> '' / ({.} r) -> '%2%1' ]], "0123456789", "9876543210")
	captures(
		[[
		record <- {| field (',' field)* |} (%nl / !.)
		field <- escaped / nonescaped
		nonescaped <- { [^,"%nl]* }
		escaped <- '"' {~ ([^"] / '""' -> '"')* ~} '"' ]],
		'a,"b ""c""",d',
		{ "a", 'b "c"', "d" }
	)
	captures(
		[[
		text <- {~ item* ~}
		item <- macro / [^()] / '(' item* ')'
		arg <- ' '* {~ (!',' item)* ~}
		args <- '(' arg (',' arg)* ')'
		macro <- ('apply' args) -> '%1(%2)' / ('add' args) -> '%1 + %2' / ('mul' args) -> '%1 * %2' ]],
		"add(mul(a,b), apply(f,x))",
		"a * b + f(x)"
	)
	captures(
		[[
		block <- {| {:ident: ' '* :} line ((=ident !' ' line) / &(=ident ' ') block)* |}
		line <- {[^%nl]*} %nl ]],
		"1\n  1.1\n  1.2\n    1.2.1\n2\n",
		{ "1", { "1.1", "1.2", { "1.2.1", ident = "    " }, ident = "  " }, "2", ident = "" }
	)
end

-- The syntax of patterns as a pattern, which has to match itself.
function cases.itself()
	local syntax = [=[
		pattern <- exp !.
		exp <- S (grammar / alternative)
		alternative <- seq ('/' S seq)*
		seq <- prefix*
		prefix <- '&' S prefix / '!' S prefix / suffix
		suffix <- primary S (([+*?] / '^' [+-]? num / '->' S (string / '{}' / name) / '>>' S name / '=>' S name) S)*
		primary <- '(' exp ')' / string / class / defined / '{:' (name ':')? exp ':}' / '=' name / '{}' / '{~' exp '~}'
			/ '{|' exp '|}' / '{' exp '}' / '.' / name S !arrow / '<' name '>'
		grammar <- definition+
		definition <- name S arrow exp
		class <- '[' '^'? item (!']' item)* ']'
		item <- defined / range / .
		range <- . '-' [^]]
		S <- (%s / '--' [^%nl]*)*
		name <- [A-Za-z_][A-Za-z0-9_]*
		arrow <- '<-'
		num <- [0-9]+
		string <- '"' [^"]* '"' / "'" [^']* "'"
		defined <- '%' name
	]=]
	equal(re.match(syntax, syntax), #syntax + 1)
end

check.run(cases)
