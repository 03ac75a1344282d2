-- A fixed number of messages packed and unpacked, for counting instructions.
local skynet = require "skynet"
require "skynet.manager"

--- Which keys collide in a table depends on the seed of this run; so there are many tables, of other keys each.
local function player(i)
	local function key(name)
		return name .. i
	end
	return {
		[key "id"] = 10000017,
		[key "name"] = "somebody",
		[key "level"] = 42,
		[key "online"] = true,
		[key "gold"] = 123456789,
		[key "position"] = { [key "x"] = 1.5, [key "y"] = -2.25 },
		[key "bag"] = { 1001, 1002, 1003, 0, 0, 2001 },
	}
end

skynet.start(function()
	local players = {}
	for i = 1, 64 do
		players[i] = player(i)
	end
	for i = 1, math.tointeger(skynet.getenv "count") do
		local message, size = skynet.pack("update", i, players[i % #players + 1])
		skynet.unpack(message, size)
		skynet.trash(message, size)
	end
	skynet.abort()
end)
