-- Shared tables, and how newer versions take the place of older ones.
local skynet = require "skynet"
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
	assert(not pcall(function() sharetable.query("value").a = 1 end))
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
	repeat skynet.yield() until not history()
end

check.run(cases)
