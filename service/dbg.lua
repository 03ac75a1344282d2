-- Asks the launcher and prints the answer: "dbg list", "dbg mem", "dbg stat" ...

local skynet = require "skynet"
local listing = require "skynet.internal.listing"

local request = { ... }

skynet.start(function()
	local list = skynet.call(".launcher", "lua", table.unpack(request))
	for _, line in ipairs(listing(list or {})) do
		print(line)
	end
	skynet.exit()
end)
