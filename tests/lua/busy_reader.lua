-- Takes the connections of a port, and does nothing else until the config has the key `busy_reader_may_go_on`. Then counts what
-- comes.
local skynet = require "skynet"
local socket = require "skynet.socket"

local count = 0

skynet.start(function()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(fd)
		socket.start(fd)
		repeat
		until skynet.getenv "busy_reader_may_go_on"
		while true do
			local bytes = socket.read(fd)
			if not bytes then
				return socket.close(fd)
			end
			count = count + #bytes
		end
	end)
	skynet.dispatch("lua", function(_, _, what)
		skynet.retpack(what == "port" and port or count)
	end)
end)
