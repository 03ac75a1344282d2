-- Takes datagrams at a port: does nothing else from the first one on until the config has the key `busy_receiver_may_go_on`.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

skynet.start(function()
	local port = check.port(1)
	local id
	id = socket.udp_listen("127.0.0.1", port, function(text, from)
		if text == "begin" then
			repeat
			until skynet.getenv "busy_receiver_may_go_on"
		elseif text == "answer" then
			socket.sendto(id, from, "answered")
		end
	end)
	skynet.dispatch("lua", function()
		skynet.retpack(port)
	end)
end)
