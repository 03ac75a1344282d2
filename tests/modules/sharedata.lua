-- skynet.sharedata.core
local skynet = require "skynet"
local check = require "check"
local core = require "skynet.sharedata.core"

local mode, maker = ...

local VERSIONS <const> = 300

-- Data of the stress test: everything in it depends on the version.
local function data(version)
	local list, map = {}, {}
	for i = 1, 20 do
		list[i] = version * i
		map["key" .. i] = { name = "name" .. version * i }
	end
	return { version = version, list = list, map = map }
end

local function read(root, key, ...)
	local value = core.index(root, key)
	if ... == nil then
		return value
	end
	return read(value, ...)
end

if mode == "reader" then
	local function follow()
		local root = skynet.call(maker, "lua", "get")
		local box = core.box(root)
		skynet.send(maker, "lua", "got", root)
		while true do
			local version = core.index(root, "version")
			local i = math.random(20)
			assert(read(root, "list", i) == version * i)
			assert(read(root, "map", "key" .. i, "name") == "name" .. version * i)
			if version == VERSIONS then
				break
			end
			if core.isdirty(root) then
				local newer = skynet.call(maker, "lua", "get")
				core.update(box, newer, { core.box(newer) })
				skynet.send(maker, "lua", "got", newer)
				local next_root, value = core.needupdate(box)
				assert(next_root == newer)
				root, box = next_root, value[1]
				collectgarbage "step"
			end
			skynet.yield()
		end
		skynet.send(maker, "lua", "done")
		skynet.exit()
	end
	skynet.start(function()
		skynet.fork(follow)
	end)
	return
end

local cases = {}

-- A plain copy, by the functions of the module.
local function copy(root)
	local result, key = {}, core.nextkey(root)
	while key ~= nil do
		local value = core.index(root, key)
		result[key] = type(value) == "userdata" and copy(value) or value
		key = core.nextkey(root, key)
	end
	return result
end

local function round_trip(value)
	local root = core.new(value)
	check.equal(type(root), "userdata")
	check.equal(copy(root), value)
	core.delete(root)
end

function cases.tables_come_back_as_they_were()
	round_trip {}
	round_trip { 1, 2, 3 }
	round_trip { a = 1, b = "two", c = true, d = false, e = 1.5, f = -1, g = math.mininteger }
	round_trip { { { {} } }, x = { y = { z = "deep" } } }
	round_trip { "array", [0] = "zero", [-1] = "minus", [1000000] = "far", key = "string" }
	round_trip { [""] = "", ["a\0b"] = "c\0d", long = string.rep("x", 10000), [string.rep("k", 300)] = 1 }
	round_trip { 1, 2, nil, 4 }
	local large = {}
	for i = 1, 5000 do
		large[i] = i
		large["key" .. i] = { i }
	end
	round_trip(large)
end

-- skynet's module has no copy: its Lua code does it.
if core.copy then
	function cases.a_copy_is_a_table_with_the_same_contents()
		local shared = { "twice" }
		local hole = { 1, 2, nil, 4 }
		local data = {
			1,
			2.5,
			{ "x", { y = "z" } },
			n = false,
			text = "long " .. ("t"):rep(100),
			[-3] = true,
			[1 << 40] = 7,
			map = { one = shared, two = shared, empty = {} },
			hole = hole,
		}
		local root = core.new(data)
		local copy = core.copy(root)
		check.equal(copy, data)
		assert(math.type(copy[1]) == "integer" and getmetatable(copy) == nil)
		copy.map.one[1] = "changed"
		check.equal(core.copy(root), data)
		check.equal(core.copy((core.index(root, "map"))), data.map)
		core.delete(root)
	end

	function cases.a_copy_may_be_deep()
		local data = {}
		for level = 1, 20000 do
			data = { level = level, data }
		end
		local root = core.new(data)
		local copy = core.copy(root)
		for level = 20000, 1, -1 do
			assert(copy.level == level)
			copy = copy[1]
		end
		assert(next(copy) == nil)
		core.delete(root)
		check.raises("Need a conf object", core.copy, {})
	end
end

function cases.numbers_keep_their_kind()
	local root = core.new { 1, 1.0, k = 2.0 }
	check.equal(math.type(core.index(root, 1)), "integer")
	check.equal(math.type(core.index(root, 2)), "float")
	check.equal(math.type(core.index(root, "k")), "float")
	core.delete(root)
end

function cases.a_missing_key_is_nothing()
	local root = core.new { 1, a = 1 }
	for _, key in ipairs { "b", "", 0, 2, -1, "1", 1 << 31 } do
		check.equal(select("#", core.index(root, key)), 0, key)
		check.equal(select("#", core.nextkey(root, key)), 0, key)
	end
	check.equal(select("#", core.index(root, nil)), 0)
	check.equal(select("#", core.nextkey(root, 1.5)), 0)
	check.raises("Invalid key 1.5", core.index, root, 1.5)
	check.raises("string expected", core.index, root, true)
	check.raises("string expected", core.nextkey, root, {})
	core.delete(root)
end

function cases.lengths_are_those_of_the_table()
	local root = core.new { 1, 2, 3, a = 1, [10] = 2 }
	check.equal(core.len(root), 3)
	check.equal(core.hashlen(root), 2)
	core.delete(root)
end

function cases.what_cannot_be_shared_is_refused()
	check.raises("table expected", core.new, 1)
	check.raises("Unsupport value type function", core.new, { f = print })
	check.raises("Unsupport value type userdata", core.new, { { io.stdout } })
	check.raises("Invalid key 1.5", core.new, { [1.5] = 1 })
	check.raises("Invalid key type boolean", core.new, { [true] = 1 })
	local endless = {}
	endless.self = { endless }
	assert(not pcall(core.new, endless))
	check.raises("Need a conf object", core.index, nil, 1)
	check.raises("Need a conf object", core.len)
	round_trip { "and it works after that" }
end

function cases.references_are_counted()
	local root = core.new { 1 }
	check.equal(core.getref(root), 0)
	check.equal(core.incref(root), 1)
	local box = core.box(root)
	check.equal(core.getref(root), 2)
	check.equal(core.decref(root), 1)
	assert(box)
	box = nil
	collectgarbage()
	check.equal(core.getref(root), 0)
	core.delete(root)
end

function cases.readers_learn_of_a_newer_version()
	local old, new = core.new { v = 1, sub = {} }, core.new { v = 2 }
	local box = core.box(old)
	check.equal(core.isdirty(old), false)
	check.equal(select("#", core.needupdate(box)), 0)
	core.markdirty(old)
	check.equal(core.isdirty(old), true)
	check.equal(core.isdirty(core.index(old, "sub")), true)
	local value = {}
	check.raises("You should update a new object", core.update, box, old, value)
	check.raises("table expected", core.update, box, new)
	core.update(box, new, value)
	local root, same = core.needupdate(box)
	assert(root == new and rawequal(same, value))
	box = nil
	collectgarbage()
	core.delete(old)
	core.delete(new)
end

function cases.services_on_all_workers_follow_the_versions()
	local READERS <const> = 4
	local current = core.new(data(1))
	core.incref(current)
	local done, old = 0, {}
	local command = {}
	function command.get()
		core.incref(current)
		return skynet.ret(skynet.pack(current))
	end
	function command.got(root)
		core.decref(root)
	end
	function command.done()
		done = done + 1
	end
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
	for _ = 1, READERS do
		skynet.newservice("sharedata", "reader", skynet.self())
	end
	local freed = 0
	local function free()
		for root in pairs(old) do
			if core.getref(root) <= 0 then
				old[root] = nil
				core.delete(root)
				freed = freed + 1
			end
		end
	end
	for version = 2, VERSIONS do
		local last = current
		current = core.new(data(version))
		core.incref(current)
		core.markdirty(last)
		core.decref(last)
		old[last] = true
		free()
		skynet.yield()
	end
	while done < READERS or next(old) do
		skynet.sleep(1)
		free()
	end
	check.equal(freed, VERSIONS - 1)
	while core.getref(current) > 1 do
		skynet.sleep(1)
	end
	core.delete(current)
end

check.run(cases)
