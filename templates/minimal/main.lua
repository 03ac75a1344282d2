-- The first service of the node: it starts the others.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort

skynet.start(function()
	-- Starts service/shop.lua. What follows the name is what that script gets as `...`.
	local shop = skynet.newservice("shop", "Bob")

	-- A send does not wait. A call waits for the answer; meanwhile this service handles other messages.
	skynet.send(shop, "lua", "fill", "apple", 3)
	print("one apple:", skynet.call(shop, "lua", "sell", "apple"))
	print("one sword:", skynet.call(shop, "lua", "sell", "sword"))

	print "{{name}} is done"
	-- Ends the node. A server leaves this out, and runs until ^C.
	skynet.abort()
end)
