-- The data, without any network.
local skynet = require "skynet"
local test = require "skynet.test"

local notes

test.before(function()
	notes = test.service "notes"
end)

local function ask(...)
	return skynet.call(notes, "lua", ...)
end

test("notes are kept in the order in which they came", function()
	ask("add", "first")
	ask("add", "second")
	test.equal(ask "list", { { id = 1, text = "first" }, { id = 2, text = "second" } })
end)

test("a note that was removed is gone, and its number is not used again", function()
	ask("add", "first")
	test.equal(ask("remove", 1), true)
	test.equal(ask("remove", 1), false)
	test.equal(ask("get", 1), nil)
	test.equal(ask("add", "second").id, 2)
end)

test("workers are told of changes", function()
	local worker = test.fake(nil, { changed = true })
	skynet.send(notes, "lua", "watch", worker.address)
	ask("add", "first")
	ask("remove", 1)
	test.equal(ask("remove", 1), false)
	test.wait_for(function()
		return worker:count "changed" == 2
	end)
end)

test("there are no more than a thousand", function()
	for i = 1, 1000 do
		test.check(ask("add", "note " .. i))
	end
	test.equal({ ask("add", "one more") }, { nil, "full" })
end)
