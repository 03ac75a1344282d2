-- Shared tables, and how newer versions take the place of older ones.
local skynet = require "skynet"
require "skynet.manager" -- skynet.kill
local memory = require "skynet.memory"
local sharetable = require "skynet.sharetable"
local check = require "check"

local cases = {}

function cases.tables_come_from_source_files_and_values()
	sharetable.loadstring("text", "return { n = ..., list = { 1, 2 }, f = math.sqrt }", 7)
	local text = sharetable.query "text"
	check.equal({ text.n, #text.list, text.f }, { 7, 2, math.sqrt })
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write "return { from = 'file' }"
	file:close()
	sharetable.loadfile(path)
	check.equal(sharetable.query(path), { from = "file" })
	os.remove(path)
	sharetable.loadtable("value", { a = { b = 1 } })
	check.equal(sharetable.query "value", { a = { b = 1 } })
	check.equal(sharetable.query "nothing", nil)
	check.equal(sharetable.queryall { "text", "value", "nothing" }.value, { a = { b = 1 } })
	check.equal(sharetable.queryall()[path], { from = "file" })
	assert(not pcall(sharetable.loadstring, "bad", "return {"))
	assert(not pcall(function()
		sharetable.query("value").a = 1
	end))
end

function cases.services_share_one_copy()
	sharetable.loadtable("one", { a = 1 })
	check.equal(sharetable.query "one" == sharetable.query "one", true)
end

local upvalue

function cases.update_replaces_what_is_kept_anywhere()
	sharetable.loadtable("old", { n = 1, sub = { n = 1, deep = { n = 1 } }, gone = { n = 1 } })
	local t = sharetable.query "old"
	local sub, gone = t.sub, t.gone
	upvalue = t.sub.deep
	local kept = { field = t, [t.sub] = "key", nested = { { t.gone } } }
	local with_meta = setmetatable({}, t.sub)
	local from_task
	local token = {}
	skynet.fork(function(argument)
		local inside = argument.sub
		skynet.wait(token)
		from_task = { argument.n, inside.n }
	end, t)
	local suspended = coroutine.create(function(...)
		local first = ...
		coroutine.yield()
		return first.n, select(2, ...)
	end)
	coroutine.resume(suspended, t, t.sub.deep)
	skynet.yield()
	sharetable.loadtable("old", { n = 2, sub = { n = 2, deep = { n = 2 } } })
	check.equal(t.n, 1)
	sharetable.update "old"
	check.equal({ t.n, sub.n, upvalue.n }, { 2, 2, 2 }, "locals and upvalues")
	check.equal(gone, nil)
	check.equal({ kept.field.n, kept[t.sub], #kept.nested[1] }, { 2, "key", 0 }, "tables")
	check.equal(getmetatable(with_meta), t.sub)
	skynet.wakeup(token)
	skynet.yield()
	check.equal(from_task, { 2, 2 }, "tasks")
	local ok, n = coroutine.resume(suspended)
	check.equal({ ok, n }, { true, 2 }, "coroutines")
	sharetable.update "old" -- nothing to do
	check.equal(t, sharetable.query "old")
end

function cases.old_versions_are_freed_when_their_users_end()
	sharetable.loadtable("freed", { 1 })
	local user = skynet.newservice "table_user"
	check.equal(skynet.call(user, "lua", "freed"), { 1 })
	sharetable.loadtable("freed", { 1, 2 })
	local function history()
		return skynet.call(sharetable.address, "debug", "INFO").freed.history
	end
	check.equal(select(2, string.gsub(history(), skynet.address(user), "")), 1)
	skynet.send(user, "debug", "EXIT")
	repeat
		skynet.yield()
	until not history()
end

-- The C core's Lua layer frees a version when all of its readers have ended.
local FREES_BY_USE <const> = check.ours

-- Lines of the owner about versions of a name that somebody has got.
local function history(name)
	local text = skynet.call(sharetable.address, "debug", "INFO")[name].history or ""
	return select(2, string.gsub(text, "[^\n]+", "")), text
end

local function items(round)
	local list = {}
	for i = 1, 100 do
		list[i] = { name = "item" .. i, price = round, text = string.rep("a long text ", 5) .. i .. "/" .. round }
	end
	return list
end

function cases.a_version_goes_when_its_last_reader_has_updated()
	if not FREES_BY_USE then
		return
	end
	sharetable.loadtable("reloaded", items(0))
	local t = sharetable.query "reloaded"
	local reader = skynet.newservice "table_user"
	skynet.call(reader, "lua", "reloaded", "keep")
	local function reload(round)
		sharetable.loadtable("reloaded", items(round))
		sharetable.update "reloaded"
		skynet.call(reader, "lua", "reloaded", "update")
	end
	for round = 1, 20 do
		reload(round)
	end
	local before = memory.total()
	for round = 21, 220 do
		reload(round)
		check.equal(t[100].price, round)
	end
	check.equal(skynet.call(reader, "lua", "reloaded", "kept")[100].price, 220)
	check.equal(history "reloaded", 1)
	-- 200 versions would be more than 5 MB.
	local more = memory.total() - before
	assert(more < 2 << 20, more)
	skynet.send(reader, "debug", "EXIT")
end

function cases.a_version_stays_as_long_as_anything_of_it_is_used()
	if not FREES_BY_USE then
		return
	end
	sharetable.loadstring(
		"parts",
		"return { sub = { 'a short string' }, f = function() return 'from version one' end }"
	)
	local parts = sharetable.query "parts"
	local text, f = parts.sub[1], parts.f
	local key = { [text] = "key" }
	local function newer()
		sharetable.loadstring("parts", "return { sub = {} }")
		sharetable.update "parts"
		check.equal(#parts.sub, 0)
		return history "parts"
	end
	check.equal(newer(), 2, "strings, keys and functions stay valid")
	check.equal(
		{ text, f(), key["a short string"], (next(key)) },
		{ "a short string", "from version one", "key", text }
	)
	text, f = nil, nil
	check.equal(newer(), 2, "the key is still there")
	local upvalue = next(key)
	key[upvalue] = nil
	local suspended = coroutine.wrap(function(value)
		coroutine.yield()
		return value
	end)
	suspended(upvalue)
	upvalue = nil
	check.equal(newer(), 2, "a coroutine has it")
	check.equal(suspended(), "a short string")
	check.equal(newer(), 1)
end

function cases.a_text_from_a_file_that_the_source_has_loaded_stays_as_long_as_it_is_used()
	if not FREES_BY_USE then
		return
	end
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write "return 'of another file'"
	file:close()
	local source = string.format("return { text = dofile %q }", path)
	-- The file's code is there for the first version alone.
	skynet.cache.clear()
	sharetable.loadstring("loads", source)
	local text = sharetable.query("loads").text
	skynet.cache.clear()
	sharetable.loadstring("loads", source)
	sharetable.update "loads"
	check.equal(history "loads", 2)
	check.equal(text, table.concat({ "of", "another", "file" }, " "))
	text = nil
	sharetable.loadstring("loads", source)
	sharetable.update "loads"
	check.equal(history "loads", 1)
	os.remove(path)
end

function cases.who_asks_each_time_keeps_few_versions()
	if not FREES_BY_USE then
		return
	end
	for round = 1, 40 do
		sharetable.loadtable("asked", { round })
		check.equal(sharetable.query "asked"[1], round)
	end
	local count, text = history "asked"
	assert(count <= 9, text)
end

function cases.who_never_updates_keeps_its_version_until_it_ends()
	if not FREES_BY_USE then
		return
	end
	sharetable.loadtable("kept", { 0 })
	local reader = skynet.newservice "table_user"
	skynet.call(reader, "lua", "kept", "keep")
	local t = sharetable.query "kept"
	for round = 1, 20 do
		sharetable.loadtable("kept", { round })
		sharetable.update "kept"
		check.equal(t, { round })
	end
	check.equal(history "kept", 2)
	check.equal(skynet.call(reader, "lua", "kept", "kept"), { 0 })
	skynet.kill(reader)
	repeat
		skynet.yield()
	until history "kept" == 1
end

check.run(cases)
