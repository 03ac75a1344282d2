-- Gives back what it gets; "sleep" is never answered; "count" is counted, and "total" asks for the number.
local skynet = require "skynet"

local count = 0

skynet.start(function()
	skynet.dispatch("lua", function(session, _, what, ...)
		if what == "sleep" then
			skynet.wait()
		elseif what == "count" then
			count = count + 1
		elseif what == "total" then
			skynet.retpack(count)
		elseif session ~= 0 then
			skynet.retpack(what, ...)
		end
	end)
end)
