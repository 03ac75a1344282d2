-- Has something to save when the node ends.
local skynet = require "skynet"

local number = ...

skynet.start(function()
	skynet.on_shutdown(function()
		skynet.sleep(1)
		skynet.call(".store", "lua", number)
	end)
end)
