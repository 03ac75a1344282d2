-- skynet.sharetable.core
local skynet = require "skynet"
local check = require "check"
local core = require "skynet.sharetable.core"

local mode = ...

-- Reads everything of a table of `source` below, which depends on the version.
local function read_all(shared)
	local version = shared.version
	assert(#shared.list == 50)
	for i, value in ipairs(shared.list) do
		assert(value == i * version)
	end
	local count = 0
	for key, sub in pairs(shared.map) do
		assert(sub.name == key .. "/" .. version and #sub.long == 1000)
		count = count + 1
	end
	assert(count == 50 and shared.map["key" .. 7].name == "key7/" .. version)
	assert(shared.double(4) == 8)
	return version
end

local source = [[
	local version = ...
	local list, map = {}, {}
	for i = 1, 50 do
		list[i] = i * version
		local key = "key" .. i
		map[key] = { name = key .. "/" .. version, long = string.rep("l", 1000) }
	end
	local function double(n) return n * 2 end
	return { version = version, list = list, map = map, double = double }
]]

if mode == "reader" then
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, pointer)
			local shared = core.clone(pointer)
			local version = read_all(shared)
			for _ = 1, 20 do
				assert(read_all(shared) == version)
				local private = { shared.map.key1.name, shared.list } -- mixes with what is collected
				collectgarbage "step"
				skynet.yield()
				assert(private[1] == "key1/" .. version)
			end
			shared = nil
			collectgarbage()
			skynet.ret(skynet.pack(version))
		end)
	end)
	return
end

local cases = {}

local function share(text, ...)
	local matrix = core.matrix(text, ...)
	return core.clone(matrix:getptr()), matrix
end

function cases.a_shared_table_is_a_table()
	local shared, matrix = share(source, 3)
	check.equal(read_all(shared), 3)
	check.equal(core.is_sharedtable(shared), true)
	check.equal(core.is_sharedtable(shared.map.key1), true)
	check.equal(core.is_sharedtable {}, false)
	check.equal(core.is_sharedtable "x", false)
	check.equal(core.is_sharedtable(), false)
	assert(rawequal(shared, core.clone(matrix:getptr())))
	matrix:close()
end

function cases.nobody_writes_to_a_shared_table()
	local shared, matrix = share "return { 1, sub = {} }"
	assert(not pcall(function()
		shared[1] = 2
	end))
	assert(not pcall(function()
		shared.sub.x = 1
	end))
	assert(not pcall(rawset, shared, "new", 1))
	assert(not pcall(setmetatable, shared, {}))
	assert(not pcall(table.insert, shared, 2))
	check.equal(shared, { 1, sub = {} })
	matrix:close()
end

function cases.a_matrix_ends_once()
	local matrix = core.matrix "return {}"
	check.equal(type(matrix:getptr()), "userdata")
	assert(math.type(matrix:size()) == "integer" and matrix:size() > 1000)
	matrix:close()
	check.equal(matrix:size(), 0)
	check.equal(select("#", matrix:getptr()), 0)
	matrix:close()
end

function cases.arguments_reach_the_chunk()
	local shared, matrix = share("return { ... }", 1, 2.5, true, 7)
	check.equal({ shared[1], math.type(shared[2]), shared[3], shared[4] }, { 1, "float", true, 7 })
	matrix:close()
	local message, size = skynet.pack { a = { "deep" } }
	shared, matrix =
		share("local unpack, message, size = ... return unpack(message, size)", skynet.unpack, message, size)
	skynet.trash(message, size)
	check.equal(shared, { a = { "deep" } })
	matrix:close()
end

function cases.other_arguments_are_refused()
	check.raises("Type invalid", core.matrix, "return {}", "string")
	check.raises("Type invalid", core.matrix, "return {}", 1, {})
	check.raises("Type invalid", core.matrix, "return {}", nil)
	check.raises("Only support light C function", core.matrix, "return {}", function() end)
	check.raises("Only support light C function", core.matrix, "return {}", string.gmatch("", ""))
	check.raises("string expected", core.matrix)
end

function cases.what_cannot_be_shared_is_refused()
	check.raises("Not a table, it's a number.", core.matrix, "return 1")
	check.raises("Not a table, it's a nil.", core.matrix, "")
	check.raises("Can't share metatable", core.matrix, "return setmetatable({}, {})")
	check.raises("Can't share metatable", core.matrix, "return { { setmetatable({}, {}) } }")
	check.raises("Invalid function with upvalue", core.matrix, "local t = {} return { function() return t end }")
	check.raises("Invalid type [userdata]", core.matrix, "return { io.stdout }")
	check.raises("Invalid type [thread]", core.matrix, "return { [coroutine.create(print)] = 1 }")
end

function cases.errors_of_the_chunk_are_the_callers()
	check.raises("near", core.matrix, "return {")
	check.raises("in the chunk", core.matrix, "error 'in the chunk'")
	check.raises("no_such_file", core.matrix, "@no_such_file.lua")
end

function cases.files_are_read_without_the_cache()
	local name = os.tmpname()
	local function write(text)
		local file <close> = assert(io.open(name, "w"))
		file:write(text)
	end
	write "return { 'first', ... }"
	local first, one = share("@" .. name, 1)
	write "return { 'second', ... }"
	local second, two = share("@" .. name, 2)
	os.remove(name)
	check.equal(first, { "first", 1 })
	check.equal(second, { "second", 2 })
	one:close()
	two:close()
end

function cases.tables_may_contain_themselves_and_be_met_twice()
	local shared, matrix = share [[
		local part = { "part" }
		local t = { part, again = part }
		t.self = t
		return t
	]]
	assert(rawequal(shared.self.self, shared))
	assert(rawequal(shared[1], shared.again))
	matrix:close()
end

-- Only here: the C module looks at the value where the key is a table, and refuses this.
if pcall(core.matrix, "return { [{}] = 1 }") then
	function cases.tables_may_be_keys()
		local shared, matrix = share "local key = { 'key' } return { [key] = { 'value' }, key = key }"
		check.equal(shared[shared.key], { "value" })
		assert(core.is_sharedtable(shared.key))
		matrix:close()
	end
end

function cases.nesting_may_be_deep()
	local shared, matrix = share "local t = {} for i = 1, 3000 do t = { t, i } end return t"
	local depth = 0
	while shared[1] do
		depth, shared = depth + 1, shared[1]
	end
	check.equal(depth, 3000)
	matrix:close()
end

function cases.values_of_a_thread_that_has_not_begun_are_seen()
	local values = {}
	local function body() end
	local thread = coroutine.create(body)
	check.equal(core.stackvalues(thread, values), 1)
	check.equal(values, { body })
	check.equal(coroutine.resume(thread), true)
	check.equal(core.stackvalues(coroutine.running(), {}), 0)
	check.raises("thread expected", core.stackvalues, 1, {})
	check.raises("table expected", core.stackvalues, thread)
end

function cases.services_on_all_workers_read_at_once()
	local READERS <const>, ROUNDS <const> = 4, 15
	local readers = {}
	for i = 1, READERS do
		readers[i] = skynet.newservice("sharetable", "reader", skynet.self())
	end
	for round = 1, ROUNDS do
		local matrix = core.matrix(source, round)
		local answered = 0
		for _, reader in ipairs(readers) do
			skynet.fork(function()
				check.equal(skynet.call(reader, "lua", matrix:getptr()), round)
				answered = answered + 1
			end)
		end
		while answered < READERS do
			skynet.sleep(0)
		end
		matrix:close()
	end
end

check.run(cases)
