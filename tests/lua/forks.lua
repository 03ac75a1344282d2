-- Has many tasks fail in one message, and answers the next one.
local skynet = require "skynet"

local count = math.tointeger(tonumber(...))

skynet.start(function()
	for _ = 1, count do
		skynet.fork(error, "one of many errors, which is expected")
	end
	skynet.dispatch("lua", function()
		skynet.retpack()
	end)
end)
