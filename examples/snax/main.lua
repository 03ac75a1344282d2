-- Uses a snax service, and mends it while it runs.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local snax = require "skynet.snax"

local function read(name)
	local file <close> = assert(io.open(name))
	return file:read "a"
end

skynet.start(function()
	local bank = snax.newservice("bank", "gold")
	print("the bank is", bank.type)

	bank.post.deposit("Alice", 10) -- does not wait
	print("Alice has", bank.req.balance "Alice") -- waits for the answer
	print("Alice withdraws 25, left:", bank.req.withdraw("Alice", 25))

	print("repaired accounts:", snax.hotfix(bank, read "examples/snax/fix.lua"))
	print("Alice has", bank.req.balance "Alice")
	local ok = pcall(bank.req.withdraw, "Alice", 25)
	print("Alice may withdraw 25:", ok)

	print("withdrawals:", snax.profile_info(bank).withdraw.count)
	snax.kill(bank, "good night")
	print "snax is done"
	skynet.abort()
end)
