-- A web server with persistent connections (http.server).

local socket = require "skynet.socket"
local server = require "http.server"

local M = { stays = true }

M.bytes = {
	cheapest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	slow = "GET / HTTP/1.1\r\nHost: x\r\nX: " .. string.rep("s", 500) .. "\r\n\r\n",
	rows = "GET" .. string.rep(" ", 15000) .. "/\r\n\r\n",
	huge = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9223372036854775807\r\n\r\nx",
}

function M.start()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		server.serve(id, function(request)
			return 200, request.target
		end, { address = address, body = 8192 })
	end)
	return port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	local count = 0
	return function()
		count = count + 1
		local path = "/" .. count
		socket.write(fd, "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		assert(string.find(assert(socket.readline(fd, "\r\n\r\n")), "^HTTP/1.1 200 "))
		assert(socket.read(fd, #path) == path)
	end, function()
		socket.close(fd)
	end
end

return M
