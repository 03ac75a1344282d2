-- http.websocket against itself and the Python packages `websockets` and `wsproto`. Settings: peer_port and wsproto_port (echo
-- servers in Python), python (with the packages), scripts (folder of the tests).
-- What the C project's module does otherwise: clients do not mask their frames, which other servers refuse.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local websocket = require "http.websocket"
local frame = require "http.websocket.frame"
local check = require "check"

local cases = {}
local server, port, upgrade_port

local function start()
	if not server then
		server = skynet.newservice "websocket_server"
		port, upgrade_port = skynet.call(server, "lua", "port")
	end
	skynet.call(server, "lua", "events")
	return "ws://127.0.0.1:" .. port
end

-- What the server has noted, once it is `count` lines.
local function events(count)
	local all = {}
	repeat
		for _, event in ipairs(skynet.call(server, "lua", "events")) do
			all[#all + 1] = event
		end
		skynet.sleep(0)
	until #all >= count
	return all
end

local function exchange(id)
	for _, size in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 200000 } do
		local text = string.rep("y", size)
		websocket.write(id, text)
		check.equal(websocket.read(id) == text, true, size)
		websocket.write(id, text, "binary")
		check.equal(websocket.read(id) == text, true, size)
	end
end

function cases.both_sides_here()
	local id = websocket.connect(start() .. "/path?x", { ["x-mine"] = "field", ["X-Real-IP"] = "10.0.0.1" })
	check.equal(websocket.addrinfo(id), "127.0.0.1:" .. port)
	exchange(id)
	websocket.ping(id)
	websocket.write(id, "after the ping")
	check.equal(websocket.read(id), "after the ping")
	check.equal(websocket.is_close(id), false)
	websocket.write(id, "close")
	local message, payload = websocket.read(id)
	check.equal({ message, frame.decode_close(payload) }, { false, 4000, "bye" })
	check.equal(websocket.is_close(id), true)
	websocket.close(id) -- again: nothing
	check.equal(events(3), { "handshake /path?x field addr 10.0.0.1", "ping", "close" })
end

function cases.client_closes()
	local id = websocket.connect(start())
	websocket.close(id, 1001, "leaving")
	check.equal(events(2), { "handshake / - addr", "close 1001 leaving" })
	id = websocket.connect(start())
	websocket.close(id)
	check.equal(events(2), { "handshake / - addr", "close" })
	check.raises("is closed", websocket.write, id, "x")
end

function cases.requests_of_a_web_server_are_upgraded()
	start()
	local id = websocket.connect("ws://127.0.0.1:" .. upgrade_port .. "/upgrade")
	exchange(id)
	websocket.close(id)
end

function cases.lost_connections_are_errors_of_the_handler()
	local id = websocket.connect(start())
	socket.shutdown(id)
	check.equal(events(2), { "handshake / - addr", "error socket" })
	check.equal(pcall(websocket.read, id), false)
	websocket.close(id)
end

function cases.malformed_frames_end_the_connection()
	for _, bytes in ipairs {
		"\x83\x80\1\2\3\4", -- an unknown kind
		"\xc1\x80\1\2\3\4", -- a reserved bit
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", -- a length without bounds
		"\x81\xff\0\0\0\0\1\0\0\0", -- a length above the limit
	} do
		local id = websocket.connect(start())
		socket.write(id, bytes)
		check.equal((websocket.read(id)), false)
		local all = events(3)
		check.equal(all[2], "error")
		assert(string.find(all[3], "^failed"), all[3])
	end
end

function cases.requests_that_ask_for_something_else_are_refused()
	start()
	local host = "127.0.0.1:" .. port
	local good = {
		Upgrade = "websocket",
		Connection = "keep-alive, Upgrade",
		["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==",
		["Sec-WebSocket-Version"] = "13",
	}
	local function ask(method, changes)
		local header = {}
		for name, value in pairs(good) do
			header[name] = value
		end
		for name, value in pairs(changes or {}) do
			header[name] = value
		end
		local received = {}
		return httpc.head and httpc.request(method, host, "/", received, header), received
	end
	check.equal(ask("POST"), 400)
	check.equal(ask("GET", { Upgrade = "h2c" }), 426)
	check.equal(ask("GET", { Connection = "close" }), 400)
	check.equal(ask("GET", { ["Sec-WebSocket-Key"] = "short" }), 400)
	local code, received = ask("GET", { ["Sec-WebSocket-Version"] = "8" })
	check.equal({ code, received["sec-websocket-version"] }, { 426, "13" })
	check.equal(ask("GET", { ["Sec-WebSocket-Protocol"] = "other" }), 400)
	-- RFC 6455 §1.3 has this pair of key and answer.
	local id = assert(socket.open("127.0.0.1", port))
	local lines = { "GET / HTTP/1.1", "Host: x" }
	for name, value in pairs(good) do
		lines[#lines + 1] = name .. ": " .. value
	end
	socket.write(id, table.concat(lines, "\r\n") .. "\r\n\r\n\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
	local head = socket.readline(id, "\r\n\r\n")
	assert(string.find(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1, true), head)
	check.equal(socket.read(id, 7), "\x81\5Hello") -- §5.7
	socket.close(id)
end

function cases.web_servers_do_not_speak_it()
	local id = skynet.call(skynet.newservice "http_server", "lua")
	check.raises("code[404]", websocket.connect, "ws://127.0.0.1:" .. id .. "/nothing")
	check.raises("invalid protocol", websocket.connect, "http://127.0.0.1:" .. id)
end

local function run_peer(script, argument)
	local pipe = assert(
		io.popen(
			string.format(
				"'%s' '%s/%s' check %s 2>&1",
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

function cases.python_client()
	start()
	run_peer("websocket_peer.py", string.format("ws://127.0.0.1:%d/", port))
end

function cases.wsproto_client()
	start()
	run_peer("wsproto_peer.py", port)
end

function cases.wsproto_server()
	local id = websocket.connect(
		"ws://127.0.0.1:" .. skynet.getenv "wsproto_port" .. "/path",
		{ ["Sec-WebSocket-Protocol"] = "one, two" }
	)
	check.equal(websocket.subprotocol(id), "one")
	exchange(id)
	websocket.close(id, 1000)
end

function cases.python_server()
	local id = websocket.connect("ws://127.0.0.1:" .. skynet.getenv "peer_port" .. "/path")
	exchange(id)
	websocket.write(id, "fragments")
	check.equal(websocket.read(id), "fragments")
	websocket.write(id, "ping")
	check.equal(websocket.read(id), "ponged")
	websocket.write(id, "close")
	local message, payload = websocket.read(id)
	check.equal({ message, frame.decode_close(payload) }, { false, 4001, "as asked" })
end

check.run(cases)
