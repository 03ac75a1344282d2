-- Holds as many megabytes as it is told, until "exit"; answers everything else.
local skynet = require "skynet"

local megabytes = tonumber((...))
local kept = {}

skynet.start(function()
	for i = 1, megabytes do
		-- Of a kilobyte: a megabyte of single characters is a million copies, which takes seconds on a slow machine.
		kept[i] = string.rep(string.rep(string.char(i), 1 << 10), 1 << 10)
	end
	skynet.dispatch("lua", function(_, _, what)
		if what == "exit" then
			kept = nil -- used here, or it is garbage as soon as the service has started, and collected when that is quiet
			skynet.exit()
		end
		skynet.retpack(what)
	end)
end)
