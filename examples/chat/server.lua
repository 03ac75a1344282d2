-- Starts the services of the server.
local skynet = require "skynet"

skynet.start(function()
	local room = skynet.newservice "room"
	local watchdog = skynet.newservice("watchdog", room)
	local address, port = skynet.call(watchdog, "lua", "listen", {
		address = "127.0.0.1",
		port = tonumber(skynet.getenv "chat_port"),
		maxclient = 1000,
		nodelay = true,
	})
	print(string.format("the chat server listens at %s:%d", address, port))
	skynet.exit() -- the others go on
end)
