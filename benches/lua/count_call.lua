-- A fixed number of calls between two services, for counting instructions.
local skynet = require "skynet"
require "skynet.manager"

local mode = ...

if mode == "answer" then
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, a, b)
			skynet.retpack(a, b)
		end)
	end)
else
	skynet.start(function()
		local peer = skynet.newservice("count_call", "answer")
		for i = 1, math.tointeger(skynet.getenv "count") do
			skynet.call(peer, "lua", "echo", i)
		end
		skynet.abort()
	end)
end
