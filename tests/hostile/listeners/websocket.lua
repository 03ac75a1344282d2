-- A WebSocket server that sends every message back.

local socket = require "skynet.socket"
local websocket = require "http.websocket"

local M = { stays = true }

local HELLO <const> = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	.. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

M.bytes = {
	hello = HELLO,
	cheapest = "\x89\x80abcd", -- a ping
	slow = string.sub(HELLO, 1, -3) .. "X: " .. string.rep("s", 300) .. "\r\n\r\n",
	rows = "GET" .. string.rep(" ", 15000) .. "/\r\n\r\n",
	huge = HELLO .. "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffabcdx",
}

function M.start()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		websocket.accept(id, { message = websocket.write }, "ws", address)
	end)
	return port
end

function M.open(port)
	local id = websocket.connect("ws://127.0.0.1:" .. port)
	local count = 0
	return function()
		count = count + 1
		websocket.write(id, "message " .. count)
		assert(websocket.read(id) == "message " .. count)
	end, function()
		websocket.close(id)
	end
end

return M
