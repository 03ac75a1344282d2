local skynet = require "skynet"

skynet.start(function()
	local here = skynet.self() -- starts
	print("same " .. (here and "started"))
end)
