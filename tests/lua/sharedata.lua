-- Shared data: queries, updates, copies.
local skynet = require "skynet"
local sharedata = require "skynet.sharedata"
local check = require "check"

local cases = {}

function cases.data_reads_like_a_table()
	local data = { 1, 2, 3, name = "x", flag = true, ratio = 1.5, sub = { deep = { "a", "b" } }, [10] = "ten" }
	sharedata.new("reads", data)
	local view = sharedata.query "reads"
	check.equal(check.copy(view), data)
	check.equal(#view, 3)
	check.equal(view.sub.deep[2], "b")
	check.equal(view.nothing, nil)
	check.equal(view.sub, view.sub)
	check.equal(sharedata.query "reads", view)
	check.raises("Error newindex", function()
		view.sub.x = 1
	end)
	assert(not pcall(sharedata.new, "reads", {}))
	assert(not pcall(sharedata.query, "unknown"))
end

function cases.update_reaches_tables_that_are_kept()
	sharedata.new("updated", { a = 1, sub = { x = 1 }, gone = { x = 1 } })
	local view = sharedata.query "updated"
	local sub, gone = view.sub, view.gone
	check.equal(sub.x + gone.x, 2)
	sharedata.update("updated", { a = 2, sub = { x = 2 }, new = { x = 3 } })
	repeat
		skynet.yield()
	until view.a == 2
	check.equal(sub.x, 2)
	check.equal(view.new.x, 3)
	check.raises("doesn't exist after update", function()
		return gone.x
	end)
	sharedata.flush()
	check.equal(sharedata.query("updated").a, 2)
end

function cases.source_and_files_give_data()
	sharedata.new("source", "local n = ... ; return { n = n }", 5)
	check.equal(sharedata.query("source").n, 5)
	sharedata.new("globals", "a = 1 b = { 2 }")
	check.equal(check.copy(sharedata.query "globals"), { a = 1, b = { 2 } })
	local path = os.tmpname()
	local file = io.open(path, "w")
	file:write "return { from = ... }"
	file:close()
	sharedata.new("file", "@" .. path, "here")
	os.remove(path)
	check.equal(sharedata.query("file").from, "here")
	sharedata.new "empty"
	check.equal(check.copy(sharedata.query "empty"), {})
end

function cases.copies_are_plain_tables()
	sharedata.new("copied", { a = { b = { c = 1 } } })
	check.equal(sharedata.deepcopy "copied", { a = { b = { c = 1 } } })
	check.equal(sharedata.deepcopy("copied", "a", "b"), { c = 1 })
	check.equal(sharedata.deepcopy("copied", "a", "b", "c"), 1)
	check.equal(sharedata.deepcopy("copied", "nothing", "b"), nil)
	sharedata.query "copied"
	check.equal(sharedata.deepcopy("copied", "a", "b"), { c = 1 })
end

function cases.deleted_data_stays_with_those_that_have_it()
	sharedata.new("deleted", { a = 1 })
	local view = sharedata.query "deleted"
	skynet.yield() -- the C core's Lua layer forgets deleted data only after this
	sharedata.delete "deleted"
	check.equal(view.a, 1)
	repeat
		skynet.yield()
	until not pcall(sharedata.query, "deleted")
	sharedata.new("deleted", { a = 2 })
	check.equal(sharedata.query("deleted").a, 2)
end

-- With the C core's Lua layer nobody tells how many versions there are.
local CAN_COUNT <const> = check.ours

local function old_versions()
	return skynet.call(skynet.uniqueservice "sharedatad", "debug", "INFO").old
end

function cases.versions_that_nobody_reads_are_freed()
	if not CAN_COUNT then
		return
	end
	sharedata.new("reloaded", { 0, list = { 1, 2, 3 } })
	local view = sharedata.query "reloaded"
	local ended = skynet.newservice("data_user", "reloaded") -- a reader that ends
	skynet.newservice("data_user", "reloaded") -- and one that never looks again
	skynet.send(ended, "debug", "EXIT")
	for round = 1, 300 do
		sharedata.update("reloaded", { round, list = { 1, 2, 3 } })
		repeat
			skynet.yield()
		until view[1] == round
	end
	local count = old_versions()
	assert(count < 100, count) -- readers let go of some, now and then
	sharedata.flush()
	local other = skynet.newservice("data_user", "reloaded")
	sharedata.delete "reloaded"
	skynet.send(other, "debug", "EXIT")
end

function cases.readers_that_have_ended_keep_no_version()
	if not CAN_COUNT then
		return
	end
	sharedata.new("ended", { 0 })
	local before = old_versions()
	for _ = 1, 3 do
		skynet.send(skynet.newservice("data_user", "ended"), "debug", "EXIT")
	end
	for round = 1, 3 do
		sharedata.update("ended", { round })
	end
	sharedata.delete "ended"
	repeat
		skynet.sleep(10)
	until old_versions() <= before
end

check.run(cases)
