-- The rules of RFC 6455 by bytes: what our client makes of a server's frames.
local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local websocket = require "http.websocket"
local sockethelper = require "http.sockethelper"
local check = require "check"
local websocket_bytes = require "websocket_bytes"

local cases = {}

local opcodes, from_server = websocket_bytes.opcodes, websocket_bytes.from_server

-- A server that answers the handshake and sends bytes. Returns a connected client; `seen` gets the client's frames.
local function connect_to(bytes, seen, fields, options)
	local listener, _, there = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		local head = socket.readline(id, "\r\n\r\n")
		local key = string.match(head, "Sec%-WebSocket%-Key:(%S+)")
		socket.write(
			id,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
				.. (fields or "")
				.. "Sec-WebSocket-Accept: "
				.. crypt.base64encode(crypt.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
				.. "\r\n\r\n"
				.. bytes
		)
		while true do
			local start = socket.read(id, 2)
			if not start then
				break
			end
			local first, size = string.byte(start, 1, 2)
			assert(size & 0x80 ~= 0 and size & 0x7f < 126, "a client has to mask")
			local mask = socket.read(id, 4)
			local payload = size & 0x7f > 0 and crypt.xor_str(socket.read(id, size & 0x7f), mask) or ""
			seen[#seen + 1] = { first & 0x0f, payload }
			if first & 0x0f == opcodes.close and not seen.silent then
				break
			end
		end
		seen.ended = true
		socket.close(id)
	end)
	return websocket.connect("ws://127.0.0.1:" .. there, nil, 500, options)
end

local function client_refuses(bytes, code, options)
	local seen = {}
	local id = connect_to(bytes, seen, nil, options)
	local ok, problem = pcall(websocket.read, id)
	check.equal({ ok, type(problem), websocket.is_close(id) }, { false, "string", true }, bytes)
	while not seen.ended do
		skynet.sleep(1)
	end
	check.equal({ seen[1][1], (string.unpack(">I2", seen[1][2])) }, { 8, code }, bytes)
end

function cases.a_client_holds_its_server_to_the_rules()
	client_refuses(from_server("text", "x", { masked = true }), 1002)
	client_refuses(from_server("text", "\xff"), 1007)
	client_refuses(from_server("text", "x", { reserved = 0x40 }), 1002)
	client_refuses(from_server(3, "x"), 1002)
	client_refuses(from_server("ping", string.rep("p", 126)), 1002)
	client_refuses(from_server("continuation", "x"), 1002)
	client_refuses(from_server("text", "x", { fin = false }) .. from_server("text", "x"), 1002)
	client_refuses(from_server("close", "\x03\xed"), 1002)
	client_refuses(from_server("close", "\x03\xe8\xff"), 1007)
	client_refuses(from_server("binary", "", { size = 1 << 40 }), 1009)
	client_refuses(string.pack(">BBI8", 0x82, 0x7f, 1 << 63) .. "abcd", 1002)
	client_refuses(string.pack(">BBI2", 0x82, 0x7e, 4) .. "abcd", 1002)
	client_refuses(string.pack(">BBI8", 0x82, 0x7f, 200) .. string.rep("x", 200), 1002)
	client_refuses(from_server("binary", "more than ten"), 1009, { received = 10 })
end

function cases.a_client_reads_what_a_server_may_send()
	local seen = {}
	local id = connect_to(
		from_server("text", "a", { fin = false })
			.. from_server("ping", "p")
			.. from_server("pong", "")
			.. from_server("continuation", "b")
			.. from_server("binary", "\xff")
			.. from_server("close", "\x0f\xa1bye"),
		seen
	)
	check.equal({ websocket.read(id), websocket.read(id) }, { "ab", "\xff" })
	check.equal({ websocket.read(id) }, { false, "\x0f\xa1bye" })
	while not seen.ended do
		skynet.sleep(1)
	end
	check.equal(seen, { { 10, "p" }, { 8, "\x0f\xa1" }, ended = true })
end

function cases.a_client_waits_for_its_server_to_close()
	local seen = { silent = true }
	local id = connect_to(from_server("text", "on its way"), seen, nil, { close_time = 20 })
	websocket.close(id, 1000, string.rep("ü", 100))
	check.equal(websocket.is_close(id), true)
	while not seen.ended do
		skynet.sleep(1)
	end
	check.equal(seen[1], { 8, "\x03\xe8" .. string.rep("ü", 61) }, "as much of the reason as there is room for")
end

function cases.a_client_was_given_what_it_asked_for()
	check.raises("not offered", connect_to, "", {}, "Sec-WebSocket-Protocol: chat\r\n")
	check.raises("not offered", connect_to, "", {}, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
end

function cases.an_option_that_is_not_known_is_named_with_the_one_that_was_meant()
	local meant = "websocket.connect: there is no option 'recieved'; did you mean 'received'?"
	check.raises(meant, websocket.connect, "ws://127.0.0.1:1/", nil, nil, { recieved = 5 })
	-- Programs of before the options gave `accept` tables of their own: it serves, and says it once.
	local write, lines = skynet.error, {}
	skynet.error = function(text)
		lines[#lines + 1] = text
	end
	local listener, _, there = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		websocket.accept(id, {}, "ws", nil, { idle_tme = 5 })
	end)
	local ok, problem = pcall(function()
		for _ = 1, 2 do
			websocket.close(websocket.connect("ws://127.0.0.1:" .. there .. "/"))
		end
	end)
	skynet.error = write
	socket.close(listener)
	assert(ok, problem)
	check.equal(#lines, 1)
	check.raises("websocket.accept: there is no option 'idle_tme'; did you mean 'idle_time'?", error, lines[1])
end

function cases.connecting_has_a_time_limit()
	local listener, _, there = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
	end)
	for _, url in ipairs { "ws://127.0.0.1:", "wss://127.0.0.1:" } do
		local ok, problem = pcall(websocket.connect, url .. there, nil, 30)
		check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
		assert(string.find(tostring(problem), "no answer", 1, true), tostring(problem))
	end
	socket.close(listener)
end

check.run(cases)
