-- Listens, and gives each connection to the next of some workers.
local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
	local notes = skynet.newservice "notes"
	local workers = {}
	for i = 1, tonumber(skynet.getenv "workers") or 4 do
		workers[i] = skynet.newservice("worker", notes)
		skynet.send(notes, "lua", "watch", workers[i])
	end
	local listener, address, port = socket.listen("127.0.0.1", tonumber(skynet.getenv "port") or 8080)
	print(string.format("{{name}}: curl http://%s:%d/notes", address, port))
	local turn = 0
	socket.start(listener, function(id, from)
		turn = turn % #workers + 1
		skynet.send(workers[turn], "lua", "serve", id, from)
	end)
end)
