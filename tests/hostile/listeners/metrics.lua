-- The figures of the node for Prometheus.

local skynet = require "skynet"
local socket = require "skynet.socket"

local M = {}

M.bytes = {
	cheapest = "GET /nothing HTTP/1.1\r\n\r\n",
	slow = "GET /metrics HTTP/1.1\r\nX: " .. string.rep("s", 500) .. "\r\n\r\n",
	rows = "GET" .. string.rep(" ", 15000) .. "/\r\n\r\n",
	huge = "GET /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx",
}

function M.start()
	return skynet.call(skynet.newservice("metrics", 0), "lua", "port")
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	return function()
		socket.write(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
		assert(string.find(assert(socket.readall(fd)), "^HTTP/1.1 200 .*skynet_uptime_seconds"))
	end, function()
		socket.close(fd)
	end
end

return M
