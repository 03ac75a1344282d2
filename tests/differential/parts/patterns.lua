-- lpeg, for the suite of protocols.
local sweep = require "sweep"

local case, gives = sweep.case, sweep.gives

local function patterns()
	local lpeg = require "lpeg"
	local P, R, S, V, C, Ct, Cc, Cg, Cb, Cs, Cf, Cp, Cmt =
		lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.C, lpeg.Ct, lpeg.Cc, lpeg.Cg, lpeg.Cb, lpeg.Cs, lpeg.Cf, lpeg.Cp, lpeg.Cmt
	for name, entry in pairs {
		literal = { P "abc", "abcd" },
		any = { P(2), "abc" },
		negative = { P(-1), "" },
		range = { R "az" ^ 1, "abc1" },
		set = { S "+-" ^ 0, "+-+x" },
		choice = { P "a" + P "b", "b" },
		difference = { (P(1) - "c") ^ 0, "abc" },
		["not"] = { -P "a", "b" },
		ahead = { #P "a", "a" },
		capture = { C(P(1) ^ 0), "text" },
		list = { Ct((C(R "az") * P "," ^ -1) ^ 0), "a,b,c" },
		constant = { Cc(1, nil, "x"), "" },
		position = { P(2) * Cp(), "abc" },
		group = { Ct(Cg(C "a", "name")), "a" },
		back = { Cg(P(1), "n") * Cb "n", "x" },
		substitution = { Cs((P "a" / "b" + 1) ^ 0), "banana" },
		["function"] = { C(R "09" ^ 1) / tonumber, "12" },
		query = { C(P(1)) / { a = "found" }, "a" },
		number = { C "a" * C "b" / 2, "ab" },
		fold = { Cf(C(R "09") ^ 1 / tonumber, function(a, b)
			return a .. b
		end), "123" },
		["match time"] = { Cmt(P(1), function(_, i, c)
			return i, c .. "!"
		end), "a" },
		no = { P "x", "abc" },
		grammar = { P { "S", S = "(" * V "S" * ")" + "" }, "(())" },
	} do
		case("lpeg.match", name, lpeg.match, entry[1], entry[2])
	end
	case("lpeg.match", "from a place", lpeg.match, C "b", "ab", 2)
	case("lpeg.match", "from the end", lpeg.match, C "b", "ab", -1)
	case("lpeg.match", "more arguments", lpeg.match, lpeg.Carg(1), "", 1, "argument")
	case("lpeg.match", "nothing", lpeg.match)
	case("lpeg.match", "no text", lpeg.match, P "a", {})
	case("lpeg.P", "left recursion", P, { V(1) * "a" })
	case("lpeg.P", "unknown rule", P, { "S", S = V "T" })
	case("lpeg.P", "endless loop", function()
		return P "" ^ 0
	end)
	case("lpeg.P", "nil", P, nil)
	case("lpeg.R", "three letters", R, "abc")
	case("lpeg.V", "nothing", V)
	case("lpeg.type", "pattern", lpeg.type, P "a")
	case("lpeg.type", "text", lpeg.type, "a")
	case("lpeg.setmaxstack", "right", lpeg.setmaxstack, 400)
	case("lpeg.version", "is", function()
		return lpeg.version
	end)
	case("lpeg.locale", "shape", function()
		local names = {}
		for name, value in pairs(lpeg.locale()) do
			names[name] = lpeg.type(value)
		end
		return names
	end)
	case("lpeg.utfR", "right", lpeg.match, C(lpeg.utfR(0x4e00, 0x9fff)), "\u{4f60}x")
	local type_name = { B = P "a", C = P "a", Cs = P "a", Ct = P "a", Cp = nil, S = "abc" }
	for name, argument in pairs(type_name) do
		sweep.sweep("lpeg." .. name, function(...)
			return lpeg.type(lpeg[name](...))
		end, gives(argument))
	end
end

return patterns
