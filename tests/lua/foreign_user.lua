-- Opens a module that another service has opened before.
local skynet = require "skynet"
local plain = require "plain54"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, number)
		skynet.retpack(plain.twice(number))
	end)
end)
