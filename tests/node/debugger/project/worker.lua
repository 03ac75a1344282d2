local skynet = require "skynet"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, _, n)
		skynet.retpack(n + 100) -- works
	end)
end)
