-- `skynet test` runs this file in a node of its own, after `cargo build --release`.
local skynet = require "skynet"
local test = require "skynet.test"
require "skynet.manager"

local counter

test.before(function()
	counter = assert(skynet.launch("counter", 100), "no counter: cargo build --release")
end)

test.after(function()
	skynet.kill(counter)
end)

test("it counts", function()
	test.equal(skynet.call(counter, "lua", "add", 5), 105)
	test.equal(skynet.call(counter, "lua", "add", -5), 100)
end)

test("what is no number is an error for the caller", function()
	test.raises(function()
		skynet.call(counter, "lua", "add", "five")
	end, "call failed")
end)
