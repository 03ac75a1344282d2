-- A module that waits while it loads, and finishes in an init function.
local skynet = require "skynet"

local M = {}
skynet.init(function()
	skynet.sleep(1)
	M.initialised = true
end)
skynet.sleep(1)
return M
