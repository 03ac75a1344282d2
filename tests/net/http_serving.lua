local listen = require "listening"
local server = require "http.server"

--- Serves an app. Returns its host, and how many connections have ended: { count }.
return function(app, options)
	local ended = { count = 0 }
	local host = listen(function(id, _, address)
		options = options or {}
		options.address = address
		server.serve(id, app, options)
		ended.count = ended.count + 1
	end)
	return host, ended
end
