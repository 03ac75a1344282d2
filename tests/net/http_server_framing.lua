-- How HTTP messages are framed (RFC 9110, RFC 9112): what our server makes of the bytes of a client.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local server = require "http.server"
local sockethelper = require "http.sockethelper"
local check = require "check"
local listen = require "listening"

local cases = {}

local handled = {}

local handlers = {
	["/raise"] = function()
		error "as asked"
	end,
	["/nothing_to_say"] = function()
		return 204, "ignored"
	end,
	["/reset"] = function()
		return 205, "ignored"
	end,
	["/unchanged"] = function()
		return 304, "ignored", { ["content-length"] = 100 }
	end,
	["/pieces"] = function()
		local left = 3
		return 200, function()
			left = left - 1
			return left >= 0 and "piece" or nil
		end
	end,
	["/sized"] = function()
		local left = 2
		return 200,
			function()
				left = left - 1
				return left >= 0 and "12345" or nil
			end,
			{ ["content-length"] = 10 }
	end,
	["/no_code"] = function()
		return "200"
	end,
}

local function handle(request)
	handled[#handled + 1] = request
	local handler = handlers[request.target]
	if handler then
		return handler(request)
	end
	return 200, request.method .. " " .. request.target .. " " .. request.body
end

local serving

local function our_server(options)
	if options then
		return listen(function(id, _, address)
			options.address = address
			server.serve(id, handle, options)
		end)
	end
	serving = serving
		or listen(function(id, _, address)
			server.serve(id, handle, { address = address, body = 1000 })
		end)
	return serving
end

-- Sends bytes and returns all that comes back, until the server closes.
local function raw(bytes, host)
	local id = assert(socket.open(host or our_server()))
	socket.write(id, bytes)
	local answer = socket.readall(id)
	socket.close(id)
	return answer or ""
end

local function codes(bytes)
	local all = {}
	for code in string.gmatch(raw(bytes), "HTTP/1%.1 (%d+)") do
		all[#all + 1] = math.tointeger(tonumber(code))
	end
	return all
end

local LAST <const> = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

function cases.a_server_answers_one_request_after_the_other()
	local answer = raw(
		"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
			.. "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n\r\n\r\n"
			.. LAST
	)
	local bodies = {}
	for body in string.gmatch(answer, "%u+ /[^\r\n]- %l*%f[H\0]") do
		bodies[#bodies + 1] = body
	end
	check.equal(bodies, { "GET /1 ", "POST /2 ab", "POST /3 c", "GET /last " })
	check.equal(codes("GET / HTTP/1.0\r\n\r\n" .. LAST), { 200 }, "HTTP/1.0 ends with the answer")
	assert(
		string.find(raw("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" .. LAST), "connection: keep-alive", 1, true)
	)
	check.equal(#codes(string.rep("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 500) .. LAST), 501)
end

function cases.what_could_be_understood_in_two_ways_is_refused()
	local function refused(code, fields, body, first)
		local before = #handled
		local request = (first or "POST / HTTP/1.1") .. "\r\nHost: x\r\n" .. fields .. "\r\n" .. (body or "") .. LAST
		local id = assert(socket.open(our_server()))
		socket.write(id, request)
		local head = socket.readline(id, "\r\n\r\n") or ""
		check.equal(string.match(head, "^HTTP/1.1 (%d+)"), tostring(code), request)
		assert(string.find(head, "connection: close", 1, true), head)
		socket.close(id)
		check.equal(#handled, before, request)
	end
	local chunks = "1\r\na\r\n0\r\n\r\n"
	refused(400, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", chunks)
	refused(400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks)
	refused(400, "Transfer-Encoding: chunked, identity\r\n", chunks)
	refused(501, "Transfer-Encoding: gzip\r\n", chunks)
	refused(501, "Transfer-Encoding: \x0bchunked\r\n", chunks)
	refused(501, "Transfer-Encoding: xchunked\r\n", chunks)
	refused(400, "Transfer-Encoding: chunked\r\n", chunks, "POST / HTTP/1.0")
	refused(400, "Transfer-Encoding : chunked\r\n", chunks)
	refused(400, "Content-Length: 1\r\nContent-Length: 2\r\n", "a")
	refused(400, "Content-Length: 1, 2\r\n", "a")
	refused(400, "Content-Length: -1\r\n", "a")
	refused(400, "Content-Length: 0x1\r\n", "a")
	refused(400, "Content-Length: 1 1\r\n", "a")
	refused(400, "Content-Length:\r\n", "a")
	refused(400, "Content-Length: 18446744073709551617\r\n", "a")
	refused(400, "Host: y\r\n")
	refused(400, "a\r\n")
	refused(400, "a: b\rc\r\n")
	refused(400, "a: b\0\r\n")
	refused(400, "", nil, "GET / HTTP/1.1 HTTP/1.1")
	refused(400, "", nil, "GET /\1 HTTP/1.1")
	refused(400, "", nil, "G(T / HTTP/1.1")
	refused(400, "", nil, "GET / HTTP/1.1.1")
	refused(505, "", nil, "GET / HTTP/2.0")
	refused(400, "", nil, "GET / HTTP/1.")
	refused(400, "", nil, "GET / HTTP/1.10")
	refused(400, "Transfer-Encoding: chunked\r\n", chunks, "POST / HTTP/1.05")
	refused(400, "", nil, "GET /a b HTTP/1.1")
	refused(400, "", nil, "GET" .. string.rep(" ", 15000) .. "/")
	refused(400, "Transfer-Encoding: chunked\r\n", "1;a\nb\r\na\r\n0\r\n\r\n")
	refused(400, "Transfer-Encoding: chunked\r\n", "1\na\n0\n\n")
	refused(400, "Transfer-Encoding: chunked\r\n", "1\r\naa0\r\n\r\n")
	refused(400, "Transfer-Encoding: chunked\r\n", "-1\r\na\r\n0\r\n\r\n")
	refused(400, "Transfer-Encoding: chunked\r\n", "1" .. string.rep(";a", 1000) .. "\r\na\r\n0\r\n\r\n")
	refused(413, "Transfer-Encoding: chunked\r\n", "10000000000000001\r\na\r\n0\r\n\r\n")
	refused(413, "Transfer-Encoding: chunked\r\n", "3e9\r\n")
	refused(413, "Content-Length: 1001\r\n")
	refused(413, string.rep("a: b\r\n", 300))
	refused(413, "a: " .. string.rep("b", 17000) .. "\r\n")
	check.equal(codes("GET / HTTP/1.1\r\n\r\n" .. LAST), { 400 }, "a request without Host")
end

function cases.what_is_only_unusual_is_served()
	local function body_of(request)
		return string.match(raw(request), "\r\n\r\n(.*)$")
	end
	check.equal(body_of "M-SEARCH / HTTP/1.1\nHost: x\nConnection: close\n\n", "M-SEARCH / ")
	check.equal(body_of "\r\n\r\nGET /  HTTP/1.1\r\nHost:x\r\nConnection: Foo ,\tClose\r\n\r\n", "GET / ")
	check.equal(
		body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nContent-Length:  2 \r\n\r\nab",
		"POST / ab"
	)
	check.equal(
		body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: ,Chunked\r\n\r\n01 ;x\r\na\r\n0\r\n\r\n",
		"POST / a"
	)
	check.equal(
		body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\na",
		"POST / a"
	)
	check.equal(handled[#handled].header.x, "a b")
	local many = {}
	for i = 1, 900 do
		many[i] = "1\r\n" .. string.char(97 + i % 26) .. "\r\n"
	end
	local answer = body_of(
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
			.. table.concat(many)
			.. "0\r\n\r\n"
	)
	check.equal(#answer, 7 + 900)
end

function cases.a_trailer_says_nothing_that_belongs_into_the_header()
	check.equal(
		codes(
			"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n"
				.. "Authorization: a\r\nX-User: a\r\nTrue-Client-IP: a\r\nHost: y\r\n\r\n"
		),
		{ 200 }
	)
	local request = handled[#handled]
	check.equal(request.header, { host = "x", connection = "close", ["transfer-encoding"] = "chunked" })
	check.equal(request.trailers["x-sum"], "1")
	check.equal(request.trailers["x-user"], "a")
end

function cases.a_body_that_is_expected_is_asked_for()
	local id = assert(socket.open(our_server()))
	socket.write(
		id,
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
	)
	check.equal(socket.readline(id, "\r\n\r\n"), "HTTP/1.1 100 Continue")
	socket.write(id, "text")
	assert(string.find(socket.readall(id), "POST / text", 1, true))
	socket.close(id)
	check.equal(
		codes "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext",
		{ 200 }
	)
	check.equal(codes "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4000\r\n\r\n", { 413 })
	check.equal(codes "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\ntext", { 200 })
end

function cases.answers_have_the_body_that_their_code_allows()
	local function answer(method, path, version)
		return raw(
			string.format("%s %s HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n", method, path, version or "1.1")
		)
	end
	assert(not string.find(answer("GET", "/nothing_to_say"), "content-length"), "204 has no length")
	check.equal(string.match(answer("GET", "/reset"), "content%-length: (.*)$"), "0\r\n\r\n")
	assert(string.find(answer("GET", "/unchanged"), "content-length: 100\r\n", 1, true))
	check.equal(string.match(answer("GET", "/unchanged"), "\r\n\r\n(.*)$"), "")
	local head = answer("HEAD", "/")
	assert(string.find(head, "content-length: 7\r\n", 1, true), head)
	check.equal(string.match(head, "\r\n\r\n(.*)$"), "")
	assert(string.find(answer("GET", "/pieces"), "transfer-encoding: chunked\r\n\r\n5\r\npiece\r\n", 1, true))
	check.equal(string.match(answer("GET", "/pieces", "1.0"), "\r\n\r\n(.*)$"), "piecepiecepiece")
	check.equal(string.match(answer("GET", "/sized"), "\r\n\r\n(.*)$"), "1234512345")
end

function cases.a_handler_that_raises_is_a_500_and_the_end()
	check.equal(codes("GET /raise HTTP/1.1\r\nHost: x\r\n\r\n" .. LAST), { 500 })
	check.equal(codes("GET /no_code HTTP/1.1\r\nHost: x\r\n\r\n" .. LAST), { 500 })
	check.equal({ httpc.get(our_server(), "/raise") }, { 500, "" })
end

function cases.a_client_that_is_too_slow_loses_its_connection()
	local host = our_server { idle_time = 20, header_time = 20, body_time = 20 }
	check.equal(raw("", host), "")
	check.equal(raw("GET / HTT", host), "")
	check.equal(raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nte", host), "")
	host = our_server { idle_time = 100 }
	assert(string.find(raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n", host), "GET / ", 1, true), "answered, then idle")
	local slow = our_server { header_time = 100, idle_time = 0 }
	local id = assert(socket.open(slow))
	local sent = 0
	while socket.disconnected(id) == false do -- a byte now and then is not enough
		socket.write(id, "G")
		sent = sent + 1
		skynet.sleep(10)
	end
	socket.close(id)
	assert(sent < 60, sent)
end

function cases.a_body_that_flows_is_not_cut_however_it_is_framed()
	local host = our_server { body_time = 100, address = "a" }
	for _, framing in ipairs { "Content-Length: 12000", "Transfer-Encoding: chunked" } do
		local id = assert(socket.open(host))
		socket.write(id, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" .. framing .. "\r\n\r\n")
		local chunked = string.find(framing, "chunked", 1, true)
		for _ = 1, 12 do -- twice the time, at ten times the rate that is needed
			local piece = string.rep("x", 1000)
			socket.write(id, chunked and "3e8\r\n" .. piece .. "\r\n" or piece)
			skynet.sleep(20)
		end
		socket.write(id, chunked and "0\r\n\r\n" or "")
		local answer = socket.readall(id)
		socket.close(id)
		assert(string.find(answer, "200 OK", 1, true), framing)
		check.equal(#handled[#handled].body, 12000)
	end
end

function cases.connections_are_counted()
	local host = our_server { connections = 2, per_address = 1 }
	local one = assert(socket.open(host))
	socket.write(one, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	socket.readline(one, "\r\n\r\n")
	check.equal(raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n", host), "", "a second one of an address")
	socket.close(one)
	local answer
	repeat -- the server hears of the end in its own time
		answer = raw(LAST, host)
	until answer ~= ""
	assert(string.find(answer, "GET /last", 1, true))
end

function cases.a_client_that_does_not_read_is_not_served_on()
	local made = 0
	local host = listen(function(id)
		server.serve(id, function()
			made = made + 1
			return 200, string.rep("x", 256 * 1024)
		end, { body_time = 100 })
	end)
	local id = assert(socket.open(host))
	socket.pause(id)
	socket.write(id, string.rep("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 2000))
	local before
	repeat
		before = made
		skynet.sleep(30)
	until made == before and made > 0
	assert(made < 200, made)
	socket.close(id)
end

function cases.a_handler_may_make_its_connection_a_websocket()
	local websocket = require "http.websocket"
	local host = listen(function(id, _, address)
		server.serve(id, function(request)
			if request.target == "/socket" then
				websocket.accept(
					request.id,
					{ message = websocket.write },
					"ws",
					request.address,
					{ upgrade = request }
				)
				return
			end
			return 200, "plain"
		end, { address = address })
	end)
	check.equal({ httpc.get(host, "/") }, { 200, "plain" })
	local id = websocket.connect("ws://" .. host .. "/socket")
	websocket.write(id, "echo")
	check.equal(websocket.read(id), "echo")
	websocket.close(id)
end

-- As without a certificate.
function cases.a_connection_that_cannot_be_served_is_closed()
	local interfaces = require "http.interface"
	local make = interfaces.server
	interfaces.server = function()
		error "no certificate"
	end
	local ok, problem
	local host = listen(function(id)
		ok, problem = server.serve(id, function()
			return 200, ""
		end)
	end)
	check.equal(raw(LAST, host), "")
	interfaces.server = make
	check.equal(ok, false)
	assert(string.find(problem, "no certificate", 1, true))
end

function cases.https_is_served()
	local host = our_server { protocol = "https" }
	httpc.keepalive = 1000
	for i = 1, 3 do
		check.equal({ httpc.get("https://" .. host, "/" .. i) }, { 200, "GET /" .. i .. " " })
	end
	check.equal({ httpc.get("https://" .. host, "/pieces") }, { 200, "piecepiecepiece" })
	httpc.keepalive = nil
	check.equal(raw("no TLS at all\r\n\r\n", host) ~= nil, true)
	check.equal(
		{ httpc.request("POST", "https://" .. host, "/", nil, nil, string.rep("x", 100000)) },
		{ 200, "POST / " .. string.rep("x", 100000) }
	)
end

---------------------------------------------------------------- the functions of httpd

function cases.read_request_goes_on_behind_a_request()
	local host = listen(function(id)
		socket.start(id)
		local read, write = sockethelper.readfunc(id), sockethelper.writefunc(id)
		for _ = 1, 2 do
			local code, target, method, header, body = httpd.read_request(read, 100)
			httpd.write_response(write, code, method .. target .. body .. tostring(header.host))
		end
		socket.close(id)
	end)
	local answer = raw("POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST /2 HTTP/1.1\r\nHost: b\r\n\r\n", host)
	assert(string.find(answer, "POST/1anil", 1, true) and string.find(answer, "POST/2b", 1, true), answer)
end

function cases.read_request_has_time_limits()
	local problems = {}
	local host = listen(function(id)
		socket.start(id)
		local code, problem = httpd.read_request(sockethelper.readfunc(id), 100, { header_time = 20, idle_time = 20 })
		problems[#problems + 1] = { code, problem == sockethelper.socket_error }
		socket.close(id)
	end)
	raw("GET / HTTP/1.1\r\n", host)
	raw("", host)
	check.equal(problems, { { nil, true }, { nil, true } })
	check.raises("option header", httpd.read_request, function() end, nil, { header = "much" })
end

check.run(cases)
