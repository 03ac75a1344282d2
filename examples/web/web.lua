-- Listens, and gives each connection to the next of some workers.
local skynet = require "skynet"
local socket = require "skynet.socket"

local WORKERS <const> = 4

skynet.start(function()
	local guestbook = skynet.newservice "guestbook"
	local workers = {}
	for i = 1, WORKERS do
		workers[i] = skynet.newservice("worker", guestbook)
		skynet.send(guestbook, "lua", "watch", workers[i])
	end
	local listener, address, port = socket.listen("127.0.0.1", tonumber(skynet.getenv "web_port"))
	print(string.format("the web server listens at http://%s:%d/", address, port))
	local turn = 0
	socket.start(listener, function(id, from)
		turn = turn % WORKERS + 1
		skynet.send(workers[turn], "lua", "serve", id, from)
	end)
end)
