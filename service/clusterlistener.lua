-- Listens on one address of the node for other nodes of the cluster, and tells clusterd of each connection; clusteragents
-- take those over. A service for each address, so that what operators see stays what they know: who owns the listening
-- socket, and in the arguments of an agent, where its connection came in.

local skynet = require "skynet"
local socket = require "skynet.socket"

local clusterd = math.tointeger((...))

local listening -- its socket

--- false: listens no more, and ends
local function close()
	if listening then
		socket.close(listening)
	end
	skynet.retpack()
	skynet.exit()
end

--- host, port -> address and port that it listens on, or nil and why not
local function open(host, port)
	skynet.error("Listen on", host, port)
	local ok, listener, address, real_port = pcall(socket.listen, host, port)
	if not ok then
		skynet.fork(skynet.exit)
		return nil, listener
	end
	listening = listener
	socket.start(listener, function(fd, from)
		skynet.send(clusterd, "lua", "socket", "open", fd, from)
	end)
	if socket.accept_error then -- layers of others have none
		socket.accept_error(listener, function()
			skynet.send(clusterd, "lua", "socket", "starved")
		end)
	end
	return address or host, real_port or port -- the sockets of layers before v1.6.0 do not tell
end

skynet.start(function()
	skynet.dispatch("lua", function(_, source, host, port)
		if source ~= clusterd then
			error "clusterlistener obeys clusterd alone"
		end
		if host == false then
			return close()
		end
		skynet.retpack(open(host, port))
	end)
end)
