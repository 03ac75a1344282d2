-- What all connections of a service hold together is bounded: messages that are not whole, and answers that are not read. The
-- config keys http_memory and websocket_memory are 16 MiB here.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local server = require "http.server"
local websocket = require "http.websocket"
local check = require "check"
local listen = require "listening"

local cases = {}

local MB <const> = 1024 * 1024

local function serve(body)
	local ended = { count = 0 }
	local host = listen(function(id, _, address)
		server.serve(id, function(request)
			return 200, request.target == "/large" and body or "hello"
		end, { address = address })
		ended.count = ended.count + 1
	end)
	return host, ended
end

-- Opens connections that send some bytes and read nothing; some of them, but not all, have to be closed. An honest client beside
-- them is answered.
local function some_are_closed(count, host, ended, bytes, ask)
	local ids = {}
	for i = 1, count do
		ids[i] = assert(socket.open(host))
		socket.pause(ids[i])
		socket.write(ids[i], bytes)
	end
	repeat
		ask()
		skynet.sleep(2)
	until ended.count > 0
	assert(ended.count < count, "all of them")
	ask()
	for _, id in ipairs(ids) do
		socket.close(id)
	end
end

local function ask_for_small()
	local host = serve ""
	return function()
		check.equal({ httpc.get(host, "/small") }, { 200, "hello" })
	end
end

function cases.bodies_that_are_not_whole()
	local host, ended = serve ""
	local request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n" .. string.rep("x", 500000)
	some_are_closed(50, host, ended, request, ask_for_small())
end

function cases.answers_that_are_not_read()
	local host, ended = serve(string.rep("x", 8 * MB)) -- some of it is with the two systems
	some_are_closed(12, host, ended, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", ask_for_small())
end

function cases.clients_that_read_are_not_closed()
	local text = string.rep("x", MB)
	local host = serve(text)
	for _ = 1, 40 do
		local code, body = httpc.get(host, "/large")
		check.equal({ code, #body }, { 200, MB })
	end
end

function cases.messages_of_websockets_that_are_not_whole()
	local ended = { count = 0 }
	local function accept(id, _, address)
		websocket.accept(id, { message = websocket.write }, "ws", address)
	end
	local host = listen(function(...)
		accept(...)
		ended.count = ended.count + 1
	end)
	local honest = listen(accept)
	local request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		.. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	local frame = string.pack(">BBI8I4", 0x82, 0xff, 250000, 0) .. string.rep("x", 240000)
	some_are_closed(100, host, ended, request .. frame, function()
		local id = websocket.connect("ws://" .. honest)
		websocket.write(id, "hello")
		check.equal(websocket.read(id), "hello")
		websocket.close(id)
	end)
end

check.run(cases)
