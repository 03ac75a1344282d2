-- Starts the services of the game, and goes: they stay.
local skynet = require "skynet"

skynet.start(function()
	skynet.newservice "schema"
	local world = skynet.newservice("world", skynet.getenv "round" or 60)
	local watchdog = skynet.newservice("watchdog", world)
	local address, port = skynet.call(watchdog, "lua", "listen", {
		address = "127.0.0.1", -- "0.0.0.0": for the world
		port = tonumber(skynet.getenv "port") or 8888,
		maxclient = 1000,
		nodelay = true,
	})
	print(string.format("{{name}} listens at %s:%d", address, port))
	skynet.exit()
end)
