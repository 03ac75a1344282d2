-- HTTP and WebSockets over TLS: against each other, curl, openssl s_server (its port: setting peer_port) and
-- the Python package `websockets` (setting python). The certificate: settings certfile, keyfile.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local websocket = require "http.websocket"
local check = require "check"

local cases = {}
local LARGE <const> = string.rep("0123456789abcdef", 16 * 1024)

local web_port, ws_port

local function start()
	if not web_port then
		web_port, ws_port = skynet.call(skynet.newservice "tls_server", "lua")
	end
end

-- Runs a program and returns what it prints. Blocks this thread; the server runs on another one.
local function run(...)
	local pipe = assert(io.popen(string.format(...) .. " 2>&1"))
	local output = pipe:read "a"
	pipe:close()
	return output
end

function cases.both_sides_here()
	start()
	local host = "https://127.0.0.1:" .. web_port
	check.equal({ httpc.get(host, "/path") }, { 200, "GET /path " })
	check.equal({ httpc.request("POST", host, "/path", nil, nil, "content") }, { 200, "POST /path content" })
	check.equal(select(2, httpc.get(host, "/large")) == LARGE, true)
	local pieces = {}
	for piece in httpc.request_stream("GET", host, "/large") do
		pieces[#pieces + 1] = piece
	end
	check.equal(table.concat(pieces) == LARGE, true)
	local id = websocket.connect("wss://127.0.0.1:" .. ws_port .. "/")
	for _, size in ipairs { 0, 1, 1000, 100000 } do
		websocket.write(id, string.rep("x", size))
		check.equal(#websocket.read(id), size)
	end
	websocket.close(id)
end

function cases.plain_connections_are_refused()
	start()
	check.equal(pcall(httpc.get, "http://127.0.0.1:" .. web_port, "/"), false)
end

function cases.curl_and_python_are_served()
	start()
	check.equal(
		run("curl --silent --show-error --max-time 20 --insecure https://127.0.0.1:%d/curl", web_port),
		"GET /curl "
	)
	check.equal(
		run(
			"curl --silent --show-error --max-time 20 --cacert %s https://localhost:%d/verified",
			skynet.getenv "certfile",
			web_port
		),
		"GET /verified "
	)
	check.equal(
		run(
			"'%s' '%s/websocket_tls.py' wss://localhost:%d/ %s",
			skynet.getenv "python",
			skynet.getenv "scripts",
			ws_port,
			skynet.getenv "certfile"
		),
		"ok\n"
	)
end

-- A server that says `response` to the first request, and ends TLS, the connection, or both.
local function ending_server(response, tls_ends, closes)
	local tlshelper = require "http.tlshelper"
	local context = tlshelper.newctx()
	context:set_cert(skynet.getenv "certfile", skynet.getenv "keyfile")
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		local session = tlshelper.newtls("server", context)
		tlshelper.init_responsefunc(id, session)()
		tlshelper.readfunc(id, session)()
		socket.write(id, session:write(response) .. (tls_ends and session:close_notify() or ""))
		if closes then
			socket.close(id)
		end
		socket.close(listener)
	end)
	return "https://127.0.0.1:" .. port
end

function cases.an_end_before_the_announced_length_is_an_error()
	local short = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
	local cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"
	for _, response in ipairs { short, cut, "HTTP/1.1 200 OK\r\nConte" } do
		for _, ends in ipairs { { true, false }, { true, true }, { false, true } } do
			check.equal(pcall(httpc.get, ending_server(response, table.unpack(ends)), "/"), false)
		end
	end
	-- Without a length the notice of the end is the end.
	local open = "HTTP/1.1 200 OK\r\n\r\nall"
	for _, closes in ipairs { false, true } do
		check.equal({ httpc.get(ending_server(open, true, closes), "/") }, { 200, "all" })
	end
end

function cases.openssl_serves()
	local code, body = httpc.get("https://127.0.0.1:" .. skynet.getenv "peer_port", "/")
	check.equal(code, 200)
	assert(string.find(body, "s_server", 1, true), body)
end

check.run(cases)
