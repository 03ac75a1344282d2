-- Starts the services of the game, and goes: they stay.
local skynet = require "skynet"

skynet.start(function()
	local board = skynet.newservice "board"
	local server = skynet.newservice("server", board)
	local address, port = skynet.call(server, "lua", "listen", "127.0.0.1", tonumber(skynet.getenv "port") or 8080)
	print(string.format("{{name}}: open http://%s:%d/ in two windows", address, port))
	skynet.exit()
end)
