-- Compressed WebSocket messages (RFC 7692): what the two sides agree to, messages by bytes, and the Python packages `websockets`
-- and `wsproto` as the other side. Settings: peer_port and wsproto_port (echo servers in Python that compress), python, scripts.
local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.deflate.core"
local crypt = require "skynet.crypt"
local websocket = require "http.websocket"
local frame = require "http.websocket.frame"
local check = require "check"

local cases = {}
local LIMIT <const> = 100000

-- An echo server with these options. Returns its port, and the problems that it has had.
local function serve(options)
	local problems = {}
	options.message = LIMIT
	local handler = {}
	function handler.message(id, message, kind)
		if message == "close" then
			websocket.close(id, 4000, "bye")
		else
			websocket.write(id, message, kind)
		end
	end
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, addr)
		local ok, problem = websocket.accept(id, handler, "ws", addr, options)
		problems[#problems + 1] = not ok and problem or nil
	end)
	return port, problems
end

local TAKEOVER <const> = { context_takeover = true, peer_context_takeover = true, threshold = 0 }

local function url(port)
	return string.format("ws://127.0.0.1:%d/", port)
end

local function texts()
	local list = { "", "a", string.rep("y", 126), string.rep("ü", 20000), string.rep("y", LIMIT) }
	for i = 1, 20 do
		list[#list + 1] = string.format('{"id":%d,"name":"player %d","position":[%d,%d]}', i, i * 7, i * 31, i * 77)
	end
	return list
end

local function exchange(id)
	for _, text in ipairs(texts()) do
		websocket.write(id, text)
		check.equal(websocket.read(id) == text, true, #text)
	end
	for _, size in ipairs { 0, 1, 125, 65536, LIMIT } do
		local bytes = size > 0 and string.sub(string.rep(crypt.randomkey(), size // 8 + 1), 1, size) or ""
		websocket.write(id, bytes, "binary")
		check.equal(websocket.read(id) == bytes, true, size)
	end
end

function cases.both_sides_here()
	for _, ours in ipairs {
		true,
		TAKEOVER,
		{ window_bits = 9, level = 1 },
		{ window_bits = 10, context_takeover = true, level = 9 },
	} do
		for _, theirs in ipairs { true, TAKEOVER, { context_takeover = true, window_bits = 9 } } do
			local port = serve { deflate = theirs }
			local id = websocket.connect(url(port), nil, nil, { deflate = ours })
			exchange(id)
			websocket.write(id, "close")
			local message, payload = websocket.read(id)
			check.equal({ message, frame.decode_close(payload) }, { false, 4000, "bye" })
		end
	end
end

---------------------------------------------------------------- by bytes

local KEY <const> = "dGhlIHNhbXBsZSBub25jZQ=="

-- A connection, and the server's Sec-WebSocket-Extensions.
local function open(port, offer)
	local id = assert(socket.open("127.0.0.1", port))
	socket.write(
		id,
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			.. "Sec-WebSocket-Key: "
			.. KEY
			.. "\r\n"
			.. (offer and "Sec-WebSocket-Extensions: " .. offer .. "\r\n" or "")
			.. "\r\n"
	)
	local head = socket.readline(id, "\r\n\r\n")
	return id,
		string.match(head, "Sec%-WebSocket%-Extensions: ([^\r]*)"),
		tonumber(string.match(head, "^HTTP/1.1 (%d+)"))
end

local opcodes = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

local function build(kind, payload, compressed, last)
	local first = opcodes[kind] | (compressed and 0x40 or 0) | (last ~= false and 0x80 or 0)
	local size = #payload > 65535 and string.pack(">BI8", 0xff, #payload)
		or #payload > 125 and string.pack(">BI2", 0xfe, #payload)
		or string.char(0x80 | #payload)
	return string.char(first) .. size .. "abcd" .. (payload ~= "" and crypt.xor_str(payload, "abcd") or "")
end

-- Returns the first byte of a frame and its payload.
local function read_frame(id)
	local first, size = string.byte(assert(socket.read(id, 2)), 1, 2)
	if size == 126 then
		size = string.unpack(">I2", socket.read(id, 2))
	elseif size == 127 then
		size = string.unpack(">I8", socket.read(id, 8))
	end
	return first, size > 0 and socket.read(id, size) or ""
end

local HELLO <const> = "\xf2\x48\xcd\xc9\xc9\x07\x00"
local AGAIN <const> = "\xf2\x00\x11\x00\x00"

function cases.messages_are_what_the_standard_says()
	local id = open(serve { deflate = TAKEOVER }, "permessage-deflate")
	local decompressor = core.decompressor()
	local function expect(payload)
		local first, bytes = read_frame(id)
		check.equal({ first, decompressor:decompress(bytes) }, { 0xc1, "Hello" })
		check.equal({ decompressor:finish(true), #bytes <= #HELLO }, { true, true })
		check.equal(payload or bytes, bytes)
	end
	socket.write(id, build("text", HELLO, true) .. build("text", AGAIN, true))
	expect(HELLO)
	expect(AGAIN)
	-- In frames, with a ping between them.
	socket.write(
		id,
		build("text", string.sub(HELLO, 1, 3), true, false)
			.. build("ping", "p")
			.. build("continuation", string.sub(HELLO, 4), false, false)
			.. build("continuation", "")
	)
	check.equal({ read_frame(id) }, { 0x8a, "p" })
	expect()
	-- Stored, with a last block, in two blocks; and not compressed at all, which is no part of what is repeated.
	socket.write(
		id,
		build("text", "\0\5\0\xfa\xffHello\0", true)
			.. build("text", "\xf3\x48\xcd\xc9\xc9\x07\0\0", true)
			.. build("text", AGAIN, true)
			.. build("text", "Hello")
			.. build("text", "\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0", true)
			.. build("text", "\0", true)
	)
	for _ = 1, 5 do
		expect()
	end
	check.equal({ read_frame(id) }, { 0x81, "" })
	socket.close(id)
end

function cases.messages_that_do_not_get_smaller_are_left_as_they_are()
	local id = open(serve { deflate = true }, "permessage-deflate")
	for _, text in ipairs { "", "Hello", string.rep("x", 127) } do
		socket.write(id, build("text", text))
		check.equal({ read_frame(id) }, { 0x81, text })
	end
	local noise = {} -- does not get smaller
	for i = 1, 50 do
		noise[i] = crypt.sha1(tostring(i))
	end
	socket.write(id, build("binary", table.concat(noise)))
	check.equal({ read_frame(id) }, { 0x82, table.concat(noise) })
	socket.write(id, build("text", string.rep("Hello", 100)))
	local first, payload = read_frame(id)
	check.equal({ first, #payload < 30 }, { 0xc1, true })
	socket.close(id)
end

function cases.servers_agree_to_what_they_can_keep()
	local port, own =
		serve { deflate = true }, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	local kept = serve { deflate = TAKEOVER }
	local small = serve { deflate = { window_bits = 10, context_takeover = true, peer_context_takeover = true } }
	local off = serve {}
	local function answered(to, offer, answer, code)
		local id, extensions, status = open(to, offer)
		check.equal({ extensions, status }, { answer, code or 101 }, offer)
		socket.close(id)
	end
	answered(port, nil, nil)
	answered(off, "permessage-deflate", nil)
	answered(port, "permessage-deflate", own)
	answered(kept, "permessage-deflate", "permessage-deflate")
	answered(kept, "permessage-deflate; client_max_window_bits", "permessage-deflate")
	answered(kept, "permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8")
	answered(kept, 'permessage-deflate;server_max_window_bits="12"', "permessage-deflate; server_max_window_bits=12")
	answered(kept, "permessage-deflate ; server_no_context_takeover", "permessage-deflate; server_no_context_takeover")
	answered(kept, "permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover")
	answered(small, "permessage-deflate", "permessage-deflate; server_max_window_bits=10")
	answered(small, "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9")
	answered(small, "permessage-deflate; server_max_window_bits=12", "permessage-deflate; server_max_window_bits=10")
	-- The first offer that it can keep.
	answered(
		kept,
		"x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8, ,\tpermessage-deflate; "
			.. "server_max_window_bits=9, permessage-deflate",
		"permessage-deflate; server_max_window_bits=9"
	)
	for _, parameters in ipairs {
		"server_max_window_bits=8",
		"server_max_window_bits",
		"server_max_window_bits=16",
		"server_max_window_bits=09",
		"client_max_window_bits=7",
		"client_max_window_bits=x",
		"unknown",
		"unknown=1",
		"server_no_context_takeover=1",
		"client_no_context_takeover; client_no_context_takeover",
		"client_max_window_bits; client_max_window_bits=10",
		"server_max_window_bits=1000000000000000000000",
	} do
		answered(kept, "permessage-deflate; " .. parameters, nil)
	end
	for _, malformed in ipairs {
		"permessage-deflate;",
		"permessage-deflate; =",
		"permessage-deflate; a=",
		'permessage-deflate; a="',
		"a b",
		'a; b=" "',
		"a; b=c d",
		"=",
		";",
		"a/b",
	} do
		answered(kept, malformed, nil, 400)
		answered(off, malformed, nil)
	end
end

-- The code with which a server leaves.
local function left(port, offer, ...)
	local id = open(port, offer or "permessage-deflate")
	for _, bytes in ipairs { ... } do
		socket.write(id, bytes)
	end
	local first, payload = read_frame(id)
	check.equal(first, 0x88, payload)
	socket.close(id)
	return (frame.decode_close(payload))
end

local function compressed(text)
	local compressor = core.compressor(9, 15)
	local bytes = compressor:compress(text)
	compressor:close()
	return bytes
end

function cases.malformed_messages_end_the_connection()
	local port, problems = serve { deflate = TAKEOVER }
	local long, large = compressed(string.rep("some text", 100)), compressed(string.rep("x", LIMIT + 1))
	for _, entry in ipairs {
		{ 1002, build("ping", HELLO, true) },
		{ 1002, build("close", "", true) },
		{ 1002, build("continuation", HELLO, true) },
		{ 1002, build("text", HELLO, true, false), build("continuation", "", true) },
		{ 1002, build("text", HELLO, true, false), build("text", HELLO, true) },
		{ 1002, "\xa1\x80abcd" }, -- RSV2
		{ 1002, "\xf1\x80abcd" }, -- all of them
		{ 1007, build("text", "\xff\xff\xff", true) }, -- no kind of block
		{ 1007, build("text", AGAIN, true) }, -- repeats what was not there
		{ 1007, build("text", string.sub(long, 1, -4), true) }, -- cut off
		{ 1007, build("text", "", true) },
		{ 1007, build("text", compressed "\xc3\x28", true) }, -- no UTF-8
		{ 1007, build("text", compressed "half a character \xe2\x82", true) },
		{ 1007, build("text", compressed(string.rep("x", 50000) .. "\xff" .. string.rep("x", 40000)), true) },
		{ 1009, build("binary", large, true) },
		{ 1009, build("binary", string.sub(large, 1, -9), true, false), build("continuation", string.sub(large, -8)) },
		{ 1009, build("binary", string.rep("\0\0\0\xff\xff", LIMIT // 5 * 2), true) }, -- much that stands for nothing
	} do
		check.equal(left(port, nil, table.unpack(entry, 2)), entry[1], entry[2])
	end
	while #problems == 0 do
		skynet.sleep(1)
	end
	-- Nobody has agreed to anything.
	check.equal(left(serve { deflate = true }, "other", build("text", HELLO, true)), 1002)
	check.equal(left(serve {}, nil, build("text", HELLO, true)), 1002)
end

function cases.messages_of_the_limit_pass()
	local port = serve { deflate = TAKEOVER }
	local id = open(port, "permessage-deflate")
	local noise = {}
	for i = 1, LIMIT // 20 do
		noise[i] = crypt.sha1(tostring(i))
	end
	local text = table.concat(noise)
	local bytes = compressed(text)
	check.equal(#bytes > LIMIT, true)
	socket.write(id, build("binary", bytes, true))
	local _, payload = read_frame(id)
	local decompressor, pieces, position = core.decompressor(), {}, 1
	repeat
		pieces[#pieces + 1], position = decompressor:decompress(payload, position)
	until not position
	check.equal(decompressor:finish(), true)
	check.equal(table.concat(pieces) == text, true)
	socket.close(id)
end

function cases.a_small_message_that_would_become_huge_costs_no_more_than_the_limit()
	local port = serve { deflate = true }
	local bomb = compressed(string.rep("\0", 64 * 1024 * 1024))
	check.equal(#bomb < LIMIT, true)
	local message = build("binary", bomb, true)
	collectgarbage()
	collectgarbage "stop"
	local before = collectgarbage "count"
	local code = left(port, nil, message)
	local used = collectgarbage "count" - before
	collectgarbage "restart"
	check.equal(code, 1009)
	check.equal(used < 8 * LIMIT / 1024, true, used)
end

---------------------------------------------------------------- our client

-- What a client says of a server that answers so; its request's extensions.
local function agree(answer, option)
	local offer
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		local head = socket.readline(id, "\r\n\r\n")
		offer = string.match(head, "\r\nSec%-WebSocket%-Extensions: *([^\r]*)")
		local key = string.match(head .. "\r", "\r\nSec%-WebSocket%-Key: *([^\r]*)")
		local accept = crypt.base64encode(crypt.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		socket.write(
			id,
			"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
				.. accept
				.. "\r\n"
				.. (answer and "Sec-WebSocket-Extensions: " .. answer .. "\r\n" or "")
				.. "\r\n"
		)
	end)
	local ok, id = pcall(websocket.connect, url(port), nil, 1000, { deflate = option })
	if ok then
		websocket.close(id)
	end
	socket.close(listener)
	return ok and "agreed" or id, offer
end

function cases.clients_offer_what_they_want_and_refuse_what_they_cannot_keep()
	local plain = "permessage-deflate; server_no_context_takeover"
	check.equal({ agree(nil, nil) }, { "agreed" })
	check.equal({ agree(nil, false) }, { "agreed" })
	check.equal({ agree(nil, true) }, {
		"agreed",
		"permessage-deflate; client_max_window_bits; client_no_context_takeover; server_no_context_takeover",
	})
	check.equal({ agree("permessage-deflate", TAKEOVER) }, { "agreed", "permessage-deflate; client_max_window_bits" })
	check.equal(
		{ agree("permessage-deflate; client_max_window_bits=10", { peer_context_takeover = true, window_bits = 11 }) },
		{ "agreed", "permessage-deflate; client_max_window_bits=11; client_no_context_takeover" }
	)
	check.equal(agree(plain .. "; server_max_window_bits=8; client_no_context_takeover", true), "agreed")
	for answer, problem in pairs {
		["permessage-deflate"] = "does not agree to server_no_context_takeover",
		[plain .. "; client_max_window_bits=8"] = "wants a window of 8 bits",
		[plain .. "; client_max_window_bits"] = "malformed",
		[plain .. "; server_max_window_bits=7"] = "malformed",
		[plain .. "; unknown"] = "malformed",
		[plain .. ", " .. plain] = "not offered",
		["x-deflate"] = "not offered",
		[plain .. ";"] = "not offered",
	} do
		local said = agree(answer, true)
		check.equal(string.find(said, problem, 1, true) ~= nil, true, answer .. " -> " .. said)
	end
	local said = agree(plain .. "; client_max_window_bits=12", { window_bits = 11 })
	check.equal(string.find(said, "wants a window of 12 bits", 1, true) ~= nil, true, said)
	check.equal(string.find(agree(plain, nil), "not offered", 1, true) ~= nil, true)
end

function cases.options_are_checked()
	for option, problem in pairs {
		[{ windowbits = 9 }] = "has no field windowbits",
		[{ window_bits = 8 }] = "deflate.window_bits has to be a number from 9 to 15, not 8",
		[{ level = 0 }] = "deflate.level",
		[{ threshold = "1" }] = "deflate.threshold",
		[{ context_takeover = 1 }] = "deflate.context_takeover has to be true or false",
		yes = "true, false or a table",
	} do
		check.raises(problem, websocket.connect, "ws://127.0.0.1:1/", nil, nil, { deflate = option })
		check.raises(problem, websocket.accept, 0, {}, "ws", nil, { deflate = option })
	end
end

---------------------------------------------------------------- others

local function run_peer(script, argument)
	local pipe = assert(
		io.popen(
			string.format(
				"'%s' '%s/%s' compressed %s 2>&1",
				skynet.getenv "python",
				skynet.getenv "scripts",
				script,
				argument
			)
		)
	)
	local output = pipe:read "a"
	pipe:close()
	check.equal(output, "ok\n")
end

function cases.python_clients()
	for _, option in ipairs { "plain", "kept", "small" } do
		local port = skynet.call(skynet.newservice("websocket_server", option), "lua", "port")
		run_peer("websocket_peer.py", url(port))
		run_peer("wsproto_peer.py", port)
	end
end

function cases.python_servers()
	for _, name in ipairs { "peer_port", "wsproto_port" } do
		for _, option in ipairs {
			true,
			TAKEOVER,
			{ context_takeover = true, window_bits = 9, peer_context_takeover = true },
		} do
			local header = { ["Sec-WebSocket-Protocol"] = "chat" }
			local id = websocket.connect(
				url(skynet.getenv(name)),
				name == "wsproto_port" and header or nil,
				nil,
				{ deflate = option }
			)
			exchange(id)
			websocket.close(id)
		end
	end
end

check.run(cases)
