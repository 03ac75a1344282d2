-- skynet.datasheet.core
local skynet = require "skynet"
local check = require "check"
local core = require "skynet.datasheet.core"
local dump = require "skynet.datasheet.dump"

local mode = ...

local function data(version)
	local list = {}
	for i = 1, 30 do
		list[i] = { id = i * version, name = "name" .. i .. "/" .. version }
	end
	return { version = version, list = list }
end

local function read_all(sheet)
	local version = sheet.version
	assert(#sheet.list == 30)
	for i, item in ipairs(sheet.list) do
		assert(item.id == i * version and item.name == "name" .. i .. "/" .. version)
	end
	return version
end

if mode == "reader" then
	local sheet
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, pointer)
			if sheet then
				core.update(sheet, pointer)
			else
				sheet = core.new(pointer)
			end
			local version = read_all(sheet)
			collectgarbage "step"
			skynet.yield()
			assert(read_all(sheet) == version)
			skynet.ret(skynet.pack(version))
		end)
	end)
	return
end

local cases = {}
local kept = {} -- documents: the module knows but their addresses

local function pointer(document)
	kept[#kept + 1] = document
	return core.stringpointer(document)
end

local function sheet_of(value)
	return core.new(pointer(dump.dump(value)))
end

-- A plain copy, by the metamethods.
local function copy(sheet)
	local result = {}
	for key, value in pairs(sheet) do
		result[key] = type(value) == "table" and copy(value) or value
	end
	return result
end

function cases.values_come_back()
	local value = {
		1,
		-1,
		2.5,
		true,
		false,
		"text",
		{ "deep", { x = { y = "z" } } },
		key = "value",
		[""] = "",
		map = { a = 1, b = 0x7fffffff, c = -0x80000000 },
	}
	check.equal(copy(sheet_of(value)), value)
	check.equal(copy(sheet_of {}), {})
end

function cases.a_table_fills_itself_when_it_is_used()
	for _, use in ipairs {
		function(sheet)
			check.equal(sheet.b, 2)
		end,
		function(sheet)
			check.equal(#sheet, 2)
		end,
		function(sheet)
			for _ in pairs(sheet) do
				break
			end
		end,
		function(sheet)
			check.equal(sheet.missing, nil)
		end,
	} do
		local sheet = sheet_of { "x", "y", b = 2 }
		check.equal(next(sheet), nil)
		assert(getmetatable(sheet))
		use(sheet)
		check.equal(getmetatable(sheet), nil)
		check.equal(rawlen(sheet), 2)
		check.equal(rawget(sheet, "b"), 2)
	end
end

function cases.a_document_has_one_table()
	local address = pointer(dump.dump { sub = { 1 } })
	local sheet = core.new(address)
	assert(rawequal(sheet, core.new(address)))
	local sub = sheet.sub
	assert(rawequal(sub, sheet.sub))
end

function cases.tables_in_use_get_new_values()
	local first = dump.dump { v = 1, sub = { v = 1, deep = { v = 1 } }, gone = { v = 1 } }
	local second = dump.diff(first, dump.dump { v = 2, sub = { v = 2, deep = { v = 2 }, more = { v = 2 } } })
	local third = dump.diff(second, dump.dump { v = 3, sub = { v = 3 } })
	local sheet = core.new(pointer(first))
	local sub, deep, gone = sheet.sub, sheet.sub.deep, sheet.gone
	check.equal({ sheet.v, sub.v, deep.v, gone.v }, { 1, 1, 1, 1 })
	core.update(sheet, pointer(second))
	check.equal({ deep.v, sub.v, sheet.v }, { 2, 2, 2 })
	assert(rawequal(sheet.sub, sub) and rawequal(sub.deep, deep))
	check.equal(sub.more.v, 2)
	check.equal(sheet.gone, nil)
	check.raises("Invalid proxy", function()
		return gone.v
	end)
	core.update(sub, pointer(third)) -- any table of the document will do
	check.equal({ sheet.v, sub.v, sub.deep }, { 3, 3 })
end

function cases.documents_do_not_mix()
	local one, other = sheet_of { v = "one", t = { 1 } }, sheet_of { v = "other", t = { 2 } }
	check.equal({ one.t[1], other.t[1] }, { 1, 2 })
	core.update(one, pointer(dump.dump { v = "new", t = { 3 } }))
	check.equal({ one.v, one.t[1], other.v, other.t[1] }, { "new", 3, "other", 2 })
end

function cases.unused_tables_are_collected()
	local address = pointer(dump.dump { sub = {} })
	local weak = setmetatable({ core.new(address).sub }, { __mode = "v" })
	collectgarbage()
	collectgarbage()
	check.equal(weak[1], nil)
	check.equal(copy(core.new(address)), { sub = {} })
end

function cases.wrong_arguments_are_errors()
	check.raises("string expected", core.stringpointer, {})
	check.raises("userdata expected", core.new, "document")
	check.raises("Invalid proxy table", core.update, {}, pointer(dump.dump {}))
	check.raises("userdata expected", core.update, sheet_of {}, "document")
end

-- Only here: documents are checked. Elsewhere the C module believes them.
if not pcall(core.stringpointer, "no document") then
	function cases.what_is_no_document_is_refused()
		local document = dump.dump { 1, "two", three = { 3 } }
		check.raises("it ends too early", core.stringpointer, "")
		for length = 0, #document - 12 do
			assert(not pcall(core.stringpointer, string.sub(document, 1, length)), length)
		end
		check.raises("no table", core.stringpointer, string.rep("\0", 8))
		assert(core.stringpointer(document .. "17"))
	end
end

function cases.services_on_all_workers_follow_the_versions()
	local READERS <const>, VERSIONS <const> = 4, 40
	local readers = {}
	for i = 1, READERS do
		readers[i] = skynet.newservice("datasheet", "reader")
	end
	local last
	for version = 1, VERSIONS do
		local document = dump.dump(data(version))
		document = (last and dump.diff(last, document) or document) .. version
		local address, answered = core.stringpointer(document), 0
		for _, reader in ipairs(readers) do
			skynet.fork(function()
				check.equal(skynet.call(reader, "lua", address), version)
				answered = answered + 1
			end)
		end
		while answered < READERS do
			skynet.sleep(0)
		end
		last = document -- nobody uses the one before
		collectgarbage()
	end
end

check.run(cases)
