-- One pattern of lpeg, matched again and again; prints the microseconds of CPU time of one match, the least of five runs. Config:
-- `what`, a row below, and `n`, the matches of a run. With a `lpeg.so` on `lua_cpath` that one is measured, as a file goes before the
-- module in the executable; without, ours. Sides are compared by runs in turns.
local skynet = require "skynet"
require "skynet.manager"

local lpeg = require "lpeg"
local C, Cc, Cf, Cg, Cs, Ct = lpeg.C, lpeg.Cc, lpeg.Cf, lpeg.Cg, lpeg.Cs, lpeg.Ct
local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V

local blank = S " \n\t" ^ 0

-- A grammar of JSON, of which these make values.
local function grammar(text, number, list, map, pair, constant)
	return P {
		"value",
		value = blank * (V "map" + V "list" + text + number + constant),
		list = list(P "[" * blank * (V "value" * (P "," * blank * V "value") ^ 0) ^ -1 * "]") * blank,
		map = map(P "{" * blank * (V "pair" * (P "," * blank * V "pair") ^ 0) ^ -1 * "}") * blank,
		pair = pair(text * ":" * V "value"),
	}
end

local function as_it_is(pattern)
	return pattern
end

local digits = P "-" ^ -1 * R "09" ^ 1 * (P "." * R "09" ^ 1) ^ -1
local inner = (1 - S '"\\' + P "\\" * 1) ^ 0

local function json()
	local constant = P "true" * Cc(true) * blank + P "false" * Cc(false) * blank
	return grammar(P '"' * C(inner) * '"' * blank, C(digits) / tonumber * blank, Ct, Ct, Cg, constant)
end

local function players()
	local list = {}
	for i = 1, 300 do
		list[i] = string.format(
			'{"id": %d, "name": "player%d", "ratio": %g, "on": true, "tags": ["a", "b\\n", "c"], "pos": {"x": 1.5, "y": -2.25}}',
			i,
			i,
			i / 7
		)
	end
	return "[" .. table.concat(list, ", ") .. "]"
end

-- Each answers a pattern and a text, or a function.
local rows = {}

-- JSON into tables.
function rows.json()
	return json(), players()
end

-- JSON without values.
function rows.match()
	local constant = (P "true" + "false") * blank
	local text = P '"' * inner * '"' * blank
	return grammar(text, digits * blank, as_it_is, as_it_is, as_it_is, constant), players()
end

-- 1,000 lines with quotes in them, into tables.
function rows.csv()
	local field = P '"' * Cs((P(1) - '"' + P '""' / '"') ^ 0) * '"' + C((1 - S ',\n"') ^ 0)
	local record = Ct(field * (P "," * field) ^ 0)
	local lines = {}
	for i = 1, 1000 do
		lines[i] = string.format('%d,player%d,"said ""hi"" to %d",%g,,end', i, i, i, i / 7)
	end
	return Ct(record * (P "\n" * record) ^ 0) * -1, table.concat(lines, "\n")
end

-- Names by a table, and characters of HTML.
function rows.substitution()
	local name = P "%" * (R "az" ^ 1 / { name = "somebody", level = "42" }) * "%"
	local text = "hello %name%, you have & < level %level% and some more text that is copied. "
	return Cs((name + P "&" / "&amp;" + P "<" / "&lt;" + 1) ^ 0), string.rep(text, 500)
end

-- The sum of 3,001 numbers.
function rows.fold()
	local number = C(R "09" ^ 1) / tonumber
	local function add(a, b)
		return a + b
	end
	return Cf(number * Cg(P "+" * number) ^ 0, add), string.rep("12+345+6789+", 1000) .. "1"
end

-- A short line, 1,000 times.
function rows.line()
	local pattern = C(R("az", "AZ") ^ 1) * S " \t" ^ 0 * "=" * S " \t" ^ 0 * C(P(1) ^ 0)
	return function()
		for _ = 1, 1000 do
			pattern:match "key = some value"
		end
	end
end

-- A word at the end of 720 KiB.
function rows.search()
	local text = string.rep("some hay, and more hay, nothing else ", 20000) .. "needle"
	return P { P "needle" + 1 * V(1) }, text
end

-- The grammar of JSON.
function rows.build()
	return function()
		json():match "[]"
	end
end

skynet.start(function()
	local pattern, text = rows[skynet.getenv "what"]()
	local run = pattern
	if text then
		assert(pattern:match(text), "no match")
		run = function()
			pattern:match(text)
		end
	end
	local n = tonumber(skynet.getenv "n")
	local least = math.huge
	for _ = 1, 5 do
		collectgarbage()
		local began = os.clock()
		for _ = 1, n do
			run()
		end
		least = math.min(least, os.clock() - began)
	end
	print(string.format("us %.3f", least / n * 1e6))
	skynet.abort()
end)
