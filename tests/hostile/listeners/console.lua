-- The debug console.

local skynet = require "skynet"
local socket = require "skynet.socket"

local M = { stays = true }

M.bytes = {
	cheapest = "getenv harbor\n",
	slow = "getenv " .. string.rep("s", 500) .. "\n",
	rows = "GET " .. string.rep(" ", 4000) .. "\r\n\r\n",
	huge = "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
}

function M.start()
	local port = require "ports".free()
	skynet.newservice("debug_console", port)
	return port
end

function M.open(port)
	local fd = assert(socket.open("127.0.0.1", port))
	assert(socket.readline(fd) == "Welcome to skynet console")
	return function()
		socket.write(fd, "getenv thread\n")
		assert(string.find(assert(socket.readline(fd)), "^thread\t%d+$"))
		assert(socket.readline(fd) == "<CMD OK>")
	end, function()
		socket.close(fd)
	end
end

return M
