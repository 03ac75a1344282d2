-- Fields of tables that code stores by name: the interpreter has a way of its own for them (3rd/lua/docs/fields.md).

local check = require "check"

local cases = {}

-- A function that stores `count` fields by name, one by one.
local function storing(count)
	local lines = { "local t, value, step = ..." }
	for n = 1, count do
		lines[#lines + 1] = string.format("t.field%d = value step(t, %d)", n, n)
	end
	return assert(load(table.concat(lines, "\n")))
end

function cases.new_fields_find_their_chains_whenever_the_table_grows()
	local t, seen = {}, 0
	storing(300)(t, "here", function(now, n)
		seen = n
		-- In a table that has just grown, and in one that is full: what was there is there, and what was not is not.
		check.equal(now["field" .. n], "here")
		check.equal(now["field" .. n // 2 + 1], "here")
		check.equal(now["field" .. n + 1], nil)
	end)
	local count = 0
	for _ in pairs(t) do
		count = count + 1
	end
	check.equal(seen, 300)
	check.equal(count, 300)
end

function cases.fields_that_went_are_stored_again()
	local store = storing(100)
	local t = {}
	local function nothing() end
	for round = 1, 5 do
		store(t, round, nothing)
		for n = 1, 100 do
			if (n + round) % 3 > 0 then
				t["field" .. n] = nil
			end
		end
		collectgarbage() -- their keys are dead then
		store(t, -round, nothing)
		for n = 1, 100 do
			check.equal(t["field" .. n], -round)
		end
		local count = 0
		for _ in next, t do
			count = count + 1
		end
		check.equal(count, 100)
	end
end

function cases.what_is_not_there_goes_to_newindex()
	local target, calls = {}, {}
	local by_table = setmetatable({ there = 1 }, { __newindex = target })
	local by_function = setmetatable({ there = 1 }, {
		__newindex = function(t, key, value)
			calls[#calls + 1] = key
			rawset(t, key, value)
		end,
	})
	local through = setmetatable({}, { __newindex = by_table })
	for _, t in ipairs { by_table, by_function } do
		t.there = 2
		check.equal(rawget(t, "there"), 2)
	end
	by_table.new = 3
	by_function.new = 3
	by_function.new = 4 -- is there now
	check.equal(rawget(by_table, "new"), nil)
	check.equal(target.new, 3)
	check.equal(by_function.new, 4)
	check.equal(table.concat(calls, " "), "new")
	through.new = 6
	through.there = 7
	check.equal(next(through), nil)
	check.equal(target.new, 6)
	check.equal(by_table.there, 7)
	-- A field whose value is nil is not there, though its key has a place.
	by_table.there = nil
	by_function.there = nil
	by_table.there = 8
	by_function.there = 9
	check.equal(rawget(by_table, "there"), nil)
	check.equal(target.there, 8)
	check.equal(by_function.there, 9)
	check.equal(table.concat(calls, " "), "new there")
end

function cases.a_shared_prefix_of_names_makes_no_difference()
	-- Names of which some share a place, in tables of each size up to a few.
	for size = 1, 40 do
		local t = {}
		storing(size)(t, size, function() end)
		t.field1 = nil
		t.last = true
		t.field1 = "again"
		check.equal(t.field1, "again")
		check.equal(t.last, true)
		for n = 2, size do
			check.equal(t["field" .. n], size)
		end
	end
end

check.run(cases)
