-- Starts a second service, plays ping-pong with it, and ends the node.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort

local ROUNDS <const> = 10000

skynet.start(function()
	local pong = skynet.newservice("pong", "Bob")
	print(string.format("main is service %s, pong is service %s", skynet.address(skynet.self()), skynet.address(pong)))

	-- A call waits for the answer, and lets this service do other work meanwhile.
	print("pong says:", skynet.call(pong, "lua", "greet", "Alice"))

	local started = skynet.hpc()
	for round = 1, ROUNDS do
		assert(skynet.call(pong, "lua", "ping", round) == round)
	end
	local seconds = (skynet.hpc() - started) / 1e9
	print(string.format("%d rounds of ping-pong in %.3f s", ROUNDS, seconds))

	-- A send does not wait; the call behind it arrives after it.
	skynet.send(pong, "lua", "ping")
	local count = skynet.call(pong, "lua", "count")
	print("pong has counted", count)
	assert(count == ROUNDS + 1)

	print "hello is done"
	skynet.abort()
end)
