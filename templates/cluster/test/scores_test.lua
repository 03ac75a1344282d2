-- The service by itself.
local skynet = require "skynet"
local test = require "skynet.test"

test("points add up, player by player", function()
	local scores = test.service "scores"
	skynet.call(scores, "lua", "add", "Alice", 10)
	test.equal(skynet.call(scores, "lua", "add", "Alice", 5), 15)
	test.equal(skynet.call(scores, "lua", "get", "Bob"), 0)
end)

test("points are integers", function()
	local scores = test.service "scores"
	test.raises(function()
		skynet.call(scores, "lua", "add", "Alice", "many")
	end)
	test.equal(skynet.call(scores, "lua", "get", "Alice"), 0)
end)
