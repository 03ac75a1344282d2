local socket = require "skynet.socket"

--- Listens and calls `serve(id, count, address)` for each connection. Returns the host.
return function(serve)
	local count = 0
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		count = count + 1
		serve(id, count, address)
	end)
	return "127.0.0.1:" .. port
end
