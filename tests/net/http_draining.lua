-- A web server that drains: a service of its own, as it does so once.
local skynet = require "skynet"
local routers = require "http.router"
local server = require "http.server"
local listen = require "listening"

local reasons = {}
local app = routers.new()
app:get("/slow", function()
	skynet.sleep(50)
	return "slow"
end)
app:get("/events", function(request)
	return request:events(function(send)
		send "hello"
		local _, reason = send:wait()
		reasons[#reasons + 1] = reason
	end)
end)

skynet.start(function()
	local host = listen(function(id)
		server.serve(id, app)
	end)
	local command = {}
	function command.port()
		return tonumber(string.match(host, "%d+$"))
	end
	function command.drain()
		return server.drain(1000)
	end
	function command.reasons()
		return reasons
	end
	skynet.dispatch("lua", function(_, _, name)
		skynet.retpack(command[name]())
	end)
end)
