-- Loops of one kind each: rows.lua ROW [SCALE] prints the CPU seconds of one, rows.lua list their names.
local rows = {}
local function row(name, n, f)
	rows[#rows + 1] = name
	rows[name] = { n, f }
end

local here = string.match(arg[0], "^.*/") or ""
for _, kind in ipairs { "fields", "functions", "objects" } do
	assert(loadfile(here .. "rows/" .. kind .. ".lua"))(row)
end

local name, scale = arg[1], tonumber(arg[2] or 1)
if name == "list" then
	print(table.concat(rows, " "))
	return
end
local r = rows[name]
local n = name == "fib" and r[1] + math.floor(math.log(scale, 1.618) + 0.5) or math.max(1, r[1] * scale // 1)
n = math.tointeger(n)
local c = os.clock()
r[2](n)
print(string.format("%.4f", os.clock() - c))
