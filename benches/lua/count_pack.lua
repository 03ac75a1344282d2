-- A fixed number of messages packed and unpacked, for counting instructions.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
	local player = { id = 10000017, name = "somebody", level = 42, online = true, gold = 123456789,
		position = { x = 1.5, y = -2.25 }, bag = { 1001, 1002, 1003, 0, 0, 2001 } }
	for i = 1, math.tointeger(skynet.getenv "count") do
		local message, size = skynet.pack("update", i, player)
		skynet.unpack(message, size)
		skynet.trash(message, size)
	end
	skynet.abort()
end)
