-- The rules of RFC 6455 by bytes, in the groups of the Autobahn test suite: what our server makes of a client's frames.
local skynet = require "skynet"
local socket = require "skynet.socket"
local websocket = require "http.websocket"
local sockethelper = require "http.sockethelper"
local check = require "check"
local websocket_bytes = require "websocket_bytes"

local cases = {}

local from_client, read_frame = websocket_bytes.from_client, websocket_bytes.read_frame

local port
local events = {} -- of the last connection
local given -- options of the next connections

local function note(...)
	events[#events + 1] = table.concat({ ... }, " ")
end

local function start()
	if port then
		return
	end
	local handler = {
		message = function(id, text, kind)
			if text == "raise" then
				error "as asked"
			end
			if text == "close" then
				return websocket.close(id, 4001, "bye")
			end
			websocket.write(id, text, kind)
		end,
		ping = function()
			note "ping"
		end,
		pong = function()
			note "pong"
		end,
		close = function(_, code, reason)
			note("close", code, reason)
		end,
		error = function(_, problem)
			note("error", problem == sockethelper.socket_error and "lost" or problem)
		end,
	}
	local listener, _
	listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		local ok, problem = websocket.accept(id, handler, "ws", address, given)
		note(ok and "done" or "failed", not ok and string.match(tostring(problem), "[^\n]*") or nil)
	end)
end

local function shake_hands(fields)
	start()
	events = {}
	local id = assert(socket.open("127.0.0.1", port))
	socket.write(
		id,
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			.. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
			.. (fields or "")
			.. "\r\n"
	)
	return id, socket.readline(id, "\r\n\r\n")
end

local function await_event(wanted)
	check.await(function()
		for _, event in ipairs(events) do
			if string.find(event, wanted, 1, true) == 1 then
				return true
			end
		end
	end)
end

-- Sends bytes. Returns what the server answers up to its close, as { kind, payload, kind, payload ... }; of a close the code.
local function answers(bytes)
	local id = shake_hands()
	socket.write(id, bytes)
	local all = {}
	for kind, payload in read_frame, id do
		all[#all + 1] = kind
		all[#all + 1] = kind == "close" and #payload >= 2 and string.unpack(">I2", payload) or payload
		if kind == "close" then
			break
		end
	end
	socket.close(id)
	return all
end

local BYE <const> = from_client("close", "\x03\xe8")

-- What the server answers to good frames, and then to a close.
local function echoes(bytes, expected, what)
	expected[#expected + 1] = "close"
	expected[#expected + 1] = 1000
	check.equal(answers(bytes .. BYE), expected, what)
end

-- The server closes with a code, tells the service, and does not answer what follows.
local function refused(bytes, code, what)
	check.equal(answers(bytes .. from_client("text", "never") .. BYE), { "close", code }, what)
	await_event "error"
	await_event "failed"
end

function cases.group_1_messages_of_any_size()
	for _, size in ipairs { 0, 1, 125, 126, 127, 128, 65535, 65536, 256 * 1024 } do
		for _, kind in ipairs { "text", "binary" } do
			local payload = string.rep("*", size)
			echoes(from_client(kind, payload), { kind, payload }, kind .. size)
		end
	end
end

function cases.group_2_pings()
	echoes(from_client "ping", { "pong", "" })
	echoes(from_client("ping", string.rep("\xfe", 125)), { "pong", string.rep("\xfe", 125) })
	refused(from_client("ping", string.rep("p", 126)), 1002)
	refused(from_client("ping", string.rep("p", 65536)), 1002)
	echoes(from_client "pong" .. from_client("pong", "unasked") .. from_client("ping", "x"), { "pong", "x" })
	check.equal(events[1], "pong")
	local pings, pongs = {}, {}
	for i = 1, 10 do
		pings[i] = from_client("ping", "p" .. i)
		pongs[#pongs + 1] = "pong"
		pongs[#pongs + 1] = "p" .. i
	end
	echoes(table.concat(pings), pongs)
end

function cases.groups_3_and_4_reserved_bits_and_opcodes()
	for _, reserved in ipairs { 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70 } do
		refused(from_client("text", "x", { reserved = reserved }), 1002, reserved)
	end
	refused(from_client("ping", "x", { reserved = 0x40 }), 1002)
	refused(from_client("close", "\x03\xe8", { reserved = 0x10 }), 1002)
	for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
		refused(from_client(opcode), 1002, opcode)
		refused(from_client(opcode, "payload"), 1002, opcode)
	end
end

function cases.group_5_fragments()
	local OPEN <const> = { fin = false }
	echoes(from_client("text", "a", OPEN) .. from_client("continuation", "b"), { "text", "ab" })
	echoes(
		from_client("binary", "a", OPEN)
			.. from_client("ping", "p")
			.. from_client("continuation", "b", OPEN)
			.. from_client("continuation", ""),
		{ "pong", "p", "binary", "ab" }
	)
	echoes(
		from_client("text", "", OPEN) .. from_client("continuation", "", OPEN) .. from_client "continuation",
		{ "text", "" }
	)
	refused(from_client("ping", "p", OPEN), 1002, "a ping in parts")
	refused(from_client("close", "\x03\xe8", OPEN), 1002, "a close in parts")
	refused(from_client("continuation", "x"), 1002, "it continues nothing")
	refused(from_client("continuation", "x", OPEN), 1002, "it continues nothing")
	check.equal(answers(from_client("text", "a") .. from_client("continuation", "x")), { "text", "a", "close", 1002 })
	refused(from_client("text", "a", OPEN) .. from_client("text", "b"), 1002, "a text inside of a message")
	refused(from_client("text", "a", OPEN) .. from_client("binary", "b", OPEN), 1002, "a message inside of a message")
	local parts = { from_client("binary", "", OPEN) }
	for i = 1, 3000 do
		parts[#parts + 1] = from_client("continuation", string.char(i % 256), OPEN)
	end
	parts[#parts + 1] = from_client "continuation"
	local answer = answers(table.concat(parts) .. BYE)
	check.equal({ answer[1], #answer[2], string.byte(answer[2], 3000) }, { "binary", 3000, 3000 % 256 })
end

function cases.group_6_texts_are_utf8()
	local OPEN <const> = { fin = false }
	for _, text in ipairs {
		"κόσμε",
		"\0",
		"\x7f",
		"\u{80}",
		"\u{7ff}",
		"\u{800}",
		"\u{ffff}",
		"\u{10000}",
		"\u{10ffff}",
		"\u{d7ff}",
		"\u{e000}",
	} do
		echoes(from_client("text", text), { "text", text }, text)
		echoes(
			from_client("text", string.sub(text, 1, 1), OPEN) .. from_client("continuation", string.sub(text, 2)),
			{ "text", text }
		)
	end
	for _, text in ipairs {
		"\xce\xba\xed\xa0\x80edited",
		"\x80",
		"\xc0\x80",
		"\xe0\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xf4\x90\x80\x80",
		"\xed\xbf\xbf",
		"\xc3",
		"\xf0\x90\x80",
		"\xfe",
		"\xff",
		"ends in the middle \xe2\x82",
	} do
		refused(from_client("text", text), 1007, text)
		refused(
			from_client("text", string.sub(text, 1, 1), OPEN) .. from_client("continuation", string.sub(text, 2)),
			1007,
			text
		)
		echoes(from_client("binary", text), { "binary", text })
	end
end

function cases.a_text_that_is_no_utf8_is_refused_before_its_end()
	refused(
		from_client("text", "a\xe2\x82", { fin = false }) .. from_client("continuation", "\xac\xff", { fin = false }),
		1007
	)
	refused(from_client("text", "a\xf4\x90", { fin = false }), 1007)
end

function cases.group_7_closing()
	local function closing(payload)
		return answers(from_client("close", payload))
	end
	check.equal(closing "", { "close", "" })
	for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999 } do
		check.equal(closing(string.pack(">I2", code) .. "because"), { "close", code })
		await_event("close " .. code .. " because")
	end
	check.equal(closing("\x03\xe8" .. string.rep("*", 123)), { "close", 1000 })
	check.equal(closing("\x03\xe8" .. string.rep("*", 124)), { "close", 1002 })
	check.equal(closing "\x03", { "close", 1002 })
	for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 } do
		check.equal(closing(string.pack(">I2", code)), { "close", 1002 }, code)
	end
	check.equal(closing "\x03\xe8\xce\xba\xed\xa0\x80", { "close", 1007 })
	check.equal(answers(BYE .. from_client("text", "after the close") .. BYE), { "close", 1000 })
	check.equal(answers(from_client("text", "close") .. from_client("text", "on its way") .. BYE), { "close", 4001 })
	await_event "close"
	await_event "done"
	check.equal(answers(from_client("text", "raise")), { "close", 1011 })
	await_event "failed"
end

function cases.group_9_limits()
	refused(from_client("binary", "", { size = 256 * 1024 + 1 }), 1009)
	refused(from_client("binary", "", { size = math.maxinteger }), 1009)
	refused(string.pack(">BBI8", 0x82, 0xff, 1 << 63) .. "abcd", 1002)
	refused(
		from_client("binary", string.rep("x", 200000), { fin = false })
			.. from_client("continuation", "", { size = 100000 }),
		1009
	)
	given = { message = 10 }
	refused(from_client("text", "more than ten"), 1009)
	given = nil
end

function cases.lengths_take_no_more_bytes_than_they_need()
	refused(string.pack(">BBI2", 0x82, 0xfe, 4) .. "keyxabcd", 1002)
	refused(string.pack(">BBI2", 0x82, 0xfe, 125) .. "keyx" .. string.rep("x", 125), 1002)
	refused(from_client("binary", "abc", { wide = true }), 1002)
	refused(string.pack(">BBI8", 0x82, 0xff, 0xffff) .. "keyx" .. string.rep("x", 0xffff), 1002)
	given = { strict = false }
	echoes(string.pack(">BBI2", 0x82, 0x7e, 4) .. "abcd", { "binary", "abcd" })
	echoes(from_client("binary", "abc", { wide = true }), { "binary", "abc" })
	given = nil
end

function cases.clients_have_to_mask()
	refused(from_client("text", "x", { masked = false }), 1002)
	refused(from_client("ping", "x", { masked = false }), 1002)
	given = { strict = false }
	echoes(from_client("text", "\xff", { masked = false }), { "text", "\xff" })
	given = nil
end

function cases.frames_may_come_in_any_pieces()
	local id = shake_hands()
	local bytes = from_client("text", "a", { fin = false })
		.. from_client("ping", "p")
		.. from_client("continuation", string.rep("b", 200))
	for i = 1, #bytes do
		socket.write(id, string.sub(bytes, i, i))
		skynet.sleep(0)
	end
	check.equal({ read_frame(id) }, { "pong", "p" })
	check.equal({ read_frame(id) }, { "text", "a" .. string.rep("b", 200) })
	socket.close(id)
end

---------------------------------------------------------------- what a client may take

function cases.pings_of_a_client_that_does_not_read_are_bounded()
	local id = shake_hands()
	local flood = string.rep(from_client("ping", string.rep("p", 125)), 2000)
	socket.pause(id)
	for _ = 1, 40 do -- 10 MB
		socket.write(id, flood)
		skynet.sleep(1)
	end
	local waits, unread = 0, nil
	repeat -- until the server has read it all
		skynet.sleep(2)
		for _, one in ipairs(socket.netstat()) do
			if one.id == id then
				unread = one.wbuffer
			else
				waits = math.max(waits, one.wbuffer or 0)
			end
		end
	until not unread or unread == 0
	socket.close(id)
	assert(waits < 2 * 1024 * 1024, waits)
end

function cases.endless_empty_fragments_take_no_memory()
	local id = shake_hands()
	socket.write(id, from_client("binary", "", { fin = false }))
	local many = string.rep(from_client("continuation", "", { fin = false }), 10000)
	for _ = 1, 3 do
		socket.write(id, many)
	end
	socket.write(id, from_client("ping", "there") .. from_client "continuation")
	check.equal({ read_frame(id) }, { "pong", "there" })
	check.equal({ read_frame(id) }, { "binary", "" })
	socket.close(id)
end

function cases.silent_clients_lose_their_connection()
	start()
	given = { handshake_time = 20 }
	local id = assert(socket.open("127.0.0.1", port))
	socket.write(id, "GET / HTTP/1.1\r\n")
	check.equal(socket.readall(id) or "", "")
	socket.close(id)
	given = { idle_time = 100 }
	id = shake_hands()
	check.equal({ read_frame(id) }, { "ping", "" })
	socket.write(id, from_client "pong")
	check.equal({ read_frame(id) }, { "ping", "" })
	check.equal(read_frame(id), nil)
	socket.close(id)
	await_event "error"
	given = nil
end

function cases.a_client_that_stops_in_a_message_loses_its_connection_and_one_between_two_messages_does_not()
	start()
	given = { message_time = 20 }
	local patient = shake_hands()
	local whole = from_client("text", string.rep("*", 70000))
	local halves = {
		string.sub(whole, 1, 1),
		string.sub(whole, 1, 5),
		string.sub(from_client("text", string.rep("*", 200)), 1, 100),
		from_client("text", "one", { fin = false }),
		from_client("text", "one", { fin = false }) .. from_client "ping",
	}
	for _, half in ipairs(halves) do
		local id = shake_hands()
		socket.write(id, half)
		repeat
			local kind = read_frame(id)
		until not kind
		socket.close(id)
		await_event "error"
	end
	socket.write(patient, from_client("text", "here"))
	check.equal({ read_frame(patient) }, { "text", "here" })
	socket.close(patient)
	given = nil
end

function cases.connections_are_counted()
	given = { per_address = 1 }
	local id, answer = shake_hands()
	assert(answer)
	local second, none = shake_hands()
	check.equal(none, false)
	socket.close(id)
	socket.close(second)
	given = nil
end

function cases.subprotocols_are_chosen()
	local function chosen(fields)
		local id, head = shake_hands(fields)
		socket.close(id)
		return string.match(head, "Sec%-WebSocket%-Protocol: ([^\r]*)") or string.match(head, "HTTP/1.1 (%d+)")
	end
	given = { protocols = { "one", "two" } }
	check.equal(chosen "Sec-WebSocket-Protocol: three, two,one\r\n", "two")
	check.equal(chosen "Sec-WebSocket-Protocol: three\r\nSec-WebSocket-Protocol: one\r\n", "one")
	check.equal(chosen "Sec-WebSocket-Protocol: three\r\n", "101")
	given = nil
	check.equal(chosen "Sec-WebSocket-Protocol: other,chat\r\n", "chat")
	check.equal(chosen "Sec-WebSocket-Protocol: other\r\n", "400")
end

check.run(cases)
