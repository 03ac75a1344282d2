-- A fixed number of services that are started and end, for counting instructions.
local skynet = require "skynet"
require "skynet.manager"

local mode = ...

if mode == "leaf" then
	skynet.start(function()
		skynet.dispatch("lua", skynet.exit)
	end)
else
	skynet.start(function()
		for _ = 1, math.tointeger(skynet.getenv "count") do
			-- It ends without an answer: the call fails.
			pcall(skynet.call, skynet.newservice("count_spawn", "leaf"), "lua")
		end
		skynet.abort()
	end)
end
