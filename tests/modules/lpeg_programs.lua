-- lpeg: whole programs.
local check = require "check"
local lpeg = require "lpeg"
local lpeg_check = require "lpeg_check"

local P, S, R, V = lpeg.P, lpeg.S, lpeg.R, lpeg.V
local C, Cb, Cc, Cf, Cg, Cmt, Cs, Ct = lpeg.C, lpeg.Cb, lpeg.Cc, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cs, lpeg.Ct
local match, equal = lpeg.match, check.equal
local captures = lpeg_check.captures

local cases = {}

function cases.an_evaluator()
	local space = S " \t" ^ 0
	local number = C(P "-" ^ -1 * R "09" ^ 1) * space / tonumber
	local function eval(a, op, b)
		if op == "+" then
			return a + b
		end
		if op == "-" then
			return a - b
		end
		if op == "*" then
			return a * b
		end
		return a / b
	end
	local grammar = space
		* P {
			"sum",
			sum = V "product" * (C(S "+-") * space * V "product" % eval) ^ 0,
			product = V "factor" * (C(S "*/") * space * V "factor" % eval) ^ 0,
			factor = number + "(" * space * V "sum" * ")" * space,
		}
		* -1
	for _, text in ipairs { "1", "1+2*3", "(1+2)*3", "10 - 4 - 3", "2*(3+4)/(1+1)", "((((7))))", "1 + -2" } do
		equal(grammar:match(text), load("return " .. text)(), text)
	end
	equal(grammar:match "1+", nil)
	equal(grammar:match "(1", nil)
end

function cases.a_json_reader()
	local space = S " \t\r\n" ^ 0
	local function token(text)
		return P(text) * space
	end
	local escape = P "\\"
		/ ""
		* (
			S '"\\/'
			+ P "n" / "\n"
			+ P "t" / "\t"
			+ (P "u" * C(R("09", "af", "AF") ^ 4)) / function(hex)
				return utf8.char(tonumber(hex, 16))
			end
		)
	local text = '"' * Cs((escape + (1 - S '"\\')) ^ 0) * token '"'
	local number = C(P "-" ^ -1 * R "09" ^ 1 * (P "." * R "09" ^ 1) ^ -1 * (S "eE" * S "+-" ^ -1 * R "09" ^ 1) ^ -1)
		/ tonumber
		* space
	local null = {}
	local json = space
		* P {
			"value",
			value = V "object"
				+ V "array"
				+ text
				+ number
				+ token "true" * Cc(true)
				+ token "false" * Cc(false)
				+ token "null" * Cc(null),
			object = token "{" * Cf(Ct "" * (V "pair" * (token "," * V "pair") ^ 0) ^ -1, rawset) * token "}",
			pair = Cg(text * token ":" * V "value"),
			array = token "[" * Ct((V "value" * (token "," * V "value") ^ 0) ^ -1) * token "]",
		}
		* -1
	equal(
		json:match [[ {"a": [1, 2.5, -3e2], "b\n": {"c": true, "d": []}, "e": "\u00e9\"" } ]],
		{ a = { 1, 2.5, -300.0 }, ["b\n"] = { c = true, d = {} }, e = 'é"' }
	)
	equal(json:match "[1,2,]", nil)
	equal(json:match "{}", {})
	equal(json:match "null", null)
end

function cases.comma_separated_values()
	local field = '"' * Cs(((P(1) - '"') + P '""' / '"') ^ 0) * '"' + C((1 - S ',\n"') ^ 0)
	local record = Ct(field * ("," * field) ^ 0) * (P "\n" + -1)
	captures(record, 'a,"b ""c"", d",,e\n', { "a", 'b "c", d', "", "e" })
	captures(record * record, "1,2\n3,4", { "1", "2" }, { "3", "4" })
end

function cases.long_strings()
	local equals = P "=" ^ 0
	local opening = "[" * Cg(equals, "open") * "[" * P "\n" ^ -1
	local closing = "]" * C(equals) * "]"
	local closed = Cmt(closing * Cb "open", function(_, _, a, b)
		return a == b
	end)
	local text = opening * C((1 - closed) ^ 0) * closing / 1
	captures(text, "[==[\na]]b]=]c]==]d", "a]]b]=]c")
	equal(match(text, "[==[a]=]"), nil)
end

check.run(cases)
