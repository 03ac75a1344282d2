-- Two ends of a connection over the loopback, for tests.
local skynet = require "skynet"
local socket = require "skynet.socket"

-- Gives the id that connected and the id that was accepted, both started. Yields.
return function()
	local accepted, waiter
	local listener, host, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		accepted = id
		if waiter then
			skynet.wakeup(waiter)
		end
	end)
	local id = assert(socket.open(host, port))
	if not accepted then
		waiter = {}
		skynet.wait(waiter)
	end
	socket.close(listener)
	return id, accepted
end
