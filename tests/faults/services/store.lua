-- A line of the file "saved" for each request.
local skynet = require "skynet"
require "skynet.manager"

skynet.start(function()
	local file = assert(io.open("saved", "w"))
	skynet.dispatch("lua", function(_, _, number)
		file:write(number, "\n")
		file:flush()
		skynet.retpack(true)
	end)
	skynet.register ".store"
end)
