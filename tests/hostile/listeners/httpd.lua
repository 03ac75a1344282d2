-- A web server of a request for each connection, as programs for the C core write it (http.httpd).

local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local http = require "listeners.http"

local M = { bytes = http.bytes }

function M.start()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		local code, target = httpd.read_request(sockethelper.readfunc(id), 8192)
		if code then
			httpd.write_response(sockethelper.writefunc(id), code, code == 200 and target or nil)
		end
		socket.close(id)
	end)
	return port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	return function()
		socket.write(fd, "GET /path HTTP/1.1\r\nHost: localhost\r\n\r\n")
		assert(string.find(assert(socket.readall(fd)), "^HTTP/1.1 200 .*/path$"))
	end, function()
		socket.close(fd)
	end
end

return M
