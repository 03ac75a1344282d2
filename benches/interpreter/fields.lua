-- Reads and writes of three fields, with 22 sets of names: nanoseconds of one, on average and of each set.
local names = {
	"hp",
	"mp",
	"level",
	"exp",
	"gold",
	"name",
	"id",
	"pos",
	"kind",
	"owner",
	"state",
	"target",
	"x",
	"y",
	"z",
	"w",
	"vx",
	"vy",
	"count",
	"time",
	"next",
	"prev",
	"data",
	"list",
}
local times = 200000

local function least(f)
	local best = math.huge
	for _ = 1, 4 do
		local start = os.clock()
		f(times)
		best = math.min(best, os.clock() - start)
	end
	return best * 1e9 / times / 3
end

local reads, writes, all = 0, 0, {}
for i = 1, #names - 2 do
	local a, b, c = names[i], names[i + 1], names[i + 2]
	local head = ("local n = ... local t = {%s = 1, %s = 2, %s = 3} local s = 0 for i = 1, n do "):format(a, b, c)
	local read = least(load(head .. ("s = s + t.%s + t.%s + t.%s end return s"):format(a, b, c)))
	local write = least(load(head .. ("t.%s = i t.%s = i t.%s = i end return s"):format(a, b, c)))
	reads, writes = reads + read, writes + write
	all[i] = ("%.1f/%.1f"):format(read, write)
end
print(("%.1f %.1f"):format(reads / #all, writes / #all), table.concat(all, " "))
