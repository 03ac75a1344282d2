-- A web server for http_packages.lua: answers any message with its port.
local skynet = require "skynet"
local socket = require "skynet.socket"
local server = require "http.server"

local answers = {
	["/nothing"] = function()
		return 204
	end,
	["/unchanged"] = function()
		return 304
	end,
	["/raise"] = function()
		error "as asked"
	end,
	["/pieces"] = function()
		local left = 2
		return 200, function()
			left = left - 1
			return left >= 0 and "piece" or nil
		end
	end,
}

skynet.start(function()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		server.serve(id, function(request)
			local answer = answers[request.target]
			if answer then
				return answer()
			end
			return 200, request.method .. " " .. request.target .. " " .. request.body
		end, { address = address })
	end)
	skynet.dispatch("lua", function()
		skynet.retpack(port)
	end)
end)
