-- Holds as many megabytes as it is told, until "exit"; answers everything else.
local skynet = require "skynet"

local megabytes = tonumber((...))
local kept = {}

skynet.start(function()
	for i = 1, megabytes do
		kept[i] = string.rep(string.char(i), 1 << 20)
	end
	skynet.dispatch("lua", function(_, _, what)
		if what == "exit" then
			skynet.exit()
		end
		skynet.retpack(what)
	end)
end)
