-- A node with a debug console where the config key `console` says.
local skynet = require "skynet"

skynet.start(function()
	skynet.newservice("debug_console", skynet.getenv "console")
end)
