-- Datasheets: their documents, queries and updates.
local skynet = require "skynet"
local builder = require "skynet.datasheet.builder"
local datasheet = require "skynet.datasheet"
local dump = require "skynet.datasheet.dump"
local check = require "check"

local cases = {}

local DATA <const> = { 1, -2, "three", { 4 }, flag = true, off = false, ratio = 0.5, sub = { deep = { "a", "a" } } }

function cases.a_document_holds_the_table()
	check.equal((dump.undump(dump.dump(DATA))), DATA)
	check.equal((dump.undump(dump.dump {})), {})
	check.raises("Unsupport value", dump.dump, { print })
	assert(not pcall(dump.dump, { [2] = 1 }))
	assert(not pcall(dump.dump, { [true] = 1 }))
end

function cases.the_bytes_are_those_of_the_format()
	local expected = string.pack("<I4I4I4I4", 16 + 16 + 20, 2, 0, 16) -- offset of the strings, 2 tables
		.. string.pack("<i4i4", 1, 0)
		.. "\4\0\0\0"
		.. string.pack("<I4", 1)
		.. string.pack("<i4i4", 0, 1)
		.. "\5\0\0\0"
		.. string.pack("<I4I4", 0, 2)
		.. "k\0v\0"
	check.equal(dump.dump { { k = "v" } }, expected)
end

function cases.tables_keep_their_numbers_from_version_to_version()
	local first = dump.dump { a = { x = 1 }, b = { y = 2 } }
	local second = dump.diff(first, dump.dump { b = { y = 3 }, c = { z = 4, b = { 5 } } })
	local root, numbers = dump.undump(second)
	check.equal(root, { b = { y = 3 }, c = { z = 4, b = { 5 } } })
	local old_root, old_numbers = dump.undump(first)
	check.equal(numbers[root.b], old_numbers[old_root.b])
	assert(numbers[root.c] > 2 and numbers[root.c.b] > 2)
	check.equal((dump.undump(dump.diff(second, first))), old_root)
end

function cases.data_reads_like_a_table()
	builder.new("reads", DATA)
	local view = datasheet.query "reads"
	check.equal(check.copy(view), DATA)
	check.equal(#view, 4)
	check.equal(view.sub.deep[2], "a")
	check.equal(datasheet.query "reads", view)
	builder.new("compiled", builder.compile { 7 })
	check.equal(datasheet.query("compiled")[1], 7)
	assert(not pcall(builder.new, "reads", {}))
	assert(not pcall(builder.update, "unknown", {}))
	check.raises("call failed", datasheet.query, "unknown")
end

-- With the C core's Lua layer, a builder that reads its own sheets misses updates.
local MAY_READ_OWN_SHEETS <const> = check.ours

function cases.updates_reach_tables_that_are_kept()
	if not MAY_READ_OWN_SHEETS then
		return
	end
	builder.new("updated", { a = 1, list = { 1, 2, 3 }, sub = { x = 1 } })
	local view = datasheet.query "updated"
	local sub, list = view.sub, view.list
	check.equal(sub.x + #list, 4)
	for i = 2, 20 do
		builder.update("updated", { a = i, sub = { x = i }, list = { i } })
		repeat
			skynet.yield()
		until view.a == i
		check.equal({ sub.x, #list, list[1] }, { i, 1, i })
	end
end

function cases.old_versions_are_freed()
	if not MAY_READ_OWN_SHEETS then
		return
	end
	builder.new("freed", { 1 })
	local owner = require "skynet.service".query "datasheet"
	local view = datasheet.query "freed"
	for i = 2, 5 do
		builder.update("freed", { i })
		repeat
			skynet.yield()
		until view[1] == i
	end
	local function versions()
		local n = 0
		for key in pairs(skynet.call(owner, "debug", "INFO")) do
			n = n + (type(key) == "userdata" and 1 or 0)
		end
		return n
	end
	repeat
		skynet.yield()
	until versions() == 0 -- only present ones
end

check.run(cases)
