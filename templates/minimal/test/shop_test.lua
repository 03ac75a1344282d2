-- `skynet test` runs this file in a node of its own.
local skynet = require "skynet"
local test = require "skynet.test"

local shop

-- Before each test: a new shop, which goes when the test ends.
test.before(function()
	shop = test.service("shop", "Bob")
end)

test("what was filled in can be bought, and no more", function()
	skynet.call(shop, "lua", "fill", "apple", 1)
	test.equal({ skynet.call(shop, "lua", "sell", "apple") }, { true, "0 left" })
	test.equal({ skynet.call(shop, "lua", "sell", "apple") }, { false, "Bob has no apple" })
end)

test("a command that does not exist raises in the caller", function()
	test.raises(function()
		skynet.call(shop, "lua", "steal", "apple")
	end, "call failed")
end)
