-- How HTTP messages are framed (RFC 9110, RFC 9112), by bytes: what our client makes of a server's, and our server of
-- a client's.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local server = require "http.server"
local sockethelper = require "http.sockethelper"
local check = require "check"

local cases = {}

---------------------------------------------------------------- servers made of bytes

-- Listens and calls `serve(id, count)` for each connection. Returns the host.
local function listen(serve)
	local count = 0
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		count = count + 1
		serve(id, count, address)
	end)
	return "127.0.0.1:" .. port
end

local function answering(bytes, then_wait)
	return listen(function(id)
		socket.start(id)
		socket.readline(id, "\r\n\r\n")
		socket.write(id, bytes)
		if then_wait then
			socket.read(id) -- until the client closes
		end
		socket.close(id)
	end)
end

-- What the client makes of an answer: code and body, or "error".
local function understood(method, bytes, then_wait, received)
	local ok, code, body = pcall(httpc.request, method, answering(bytes, then_wait), "/", received)
	if ok then
		return { code, body }
	end
	return "error"
end

local function streamed(bytes)
	local parts = {}
	local ok = pcall(function()
		for piece in httpc.request_stream("GET", answering(bytes), "/") do
			parts[#parts + 1] = piece
		end
	end)
	return ok and table.concat(parts) or "error"
end

function cases.a_client_knows_where_a_body_ends()
	local OPEN <const> = true -- the server leaves the connection open: who waits for its end fails
	local table_of_answers = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5 \r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nContent-Length:\t5\t \r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", OPEN, { 304, "" } },
		{ "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", OPEN, { 304, "" } },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", OPEN, { 204, "" } },
		{ "HTTP/1.1 205 Reset Content\r\n\r\n", OPEN, { 205, "" } },
		{ "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", OPEN, { 205, "" } },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			OPEN, { 200, "" } },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n", OPEN, { 200, "hello" } },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ; a=\"b\"\r\nhello\r\n000\r\nTrailer: x\r\n\r\n", OPEN,
			{ 200, "hello" } },
		{ "HTTP/1.0 200 OK\r\n\r\nup to the end", false, { 200, "up to the end" } },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nup to the end", false, { 200, "up to the end" } },
		-- no answers at all
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false, "error" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!", false, "error" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", false, "error" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", false, "error" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", false, "error" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n", false, "error" },
		{ "HTTP/1.1 200 OK\r\nContent-Le", false, "error" },
		{ "HTTP/1.1 200 OK\r\nno field\r\n\r\n", false, "error" },
		{ "ICY 200 OK\r\n\r\n", false, "error" },
		{ string.rep("HTTP/1.1 100 Continue\r\n\r\n", 200), false, "error" },
	}
	for _, case in ipairs(table_of_answers) do
		check.equal(understood("GET", case[1], case[2]), case[3], case[1])
		if case[3] == "error" or case[3][1] == 200 then
			check.equal(streamed(case[1]), case[3] == "error" and "error" or case[3][2], "as a stream: " .. case[1])
		end
	end
	check.equal(understood("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true), { 200, "" })
	check.equal(understood("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true), { 200, "" })
	local received = {}
	understood("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n0\r\nA: 2\r\nB: 3\r\nContent-Length: 9\r\n\r\n", true,
		received)
	check.equal({ received.a, received.b, received["content-length"] }, { "1", "3", nil }, "a trailer adds fields, and changes none")
end

function cases.a_body_larger_than_the_limit_is_an_error()
	for _, answer in ipairs {
		"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
		"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\nhello world",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nhello world",
	} do
		httpc.limit = 10
		local ok, problem = pcall(httpc.get, answering(answer), "/")
		httpc.limit = 11
		local whole = understood("GET", answer)
		httpc.limit = nil
		check.equal({ ok, string.find(tostring(problem), "more than 10 bytes", 1, true) ~= nil }, { false, true }, answer)
		check.equal(whole, not string.find(answer, "9000000000", 1, true) and { 200, "hello world" } or "error", answer)
	end
end

function cases.a_body_that_a_time_limit_has_cut_is_an_error()
	local host = answering("HTTP/1.1 200 OK\r\n\r\nhel", true)
	httpc.timeout = 20
	local ok, problem = pcall(httpc.get, host, "/")
	httpc.timeout = nil
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
	assert(string.find(tostring(problem), "no answer from 127.0.0.1", 1, true), tostring(problem))
end

function cases.a_client_that_expects_100_sends_its_content_when_asked()
	local log = {}
	local function serve(answer)
		return listen(function(id)
			socket.start(id)
			socket.readline(id, "\r\n\r\n")
			answer(id)
			socket.close(id)
		end)
	end
	local header = { Expect = "100-continue" }
	local asks = serve(function(id)
		log.early = socket.pending(id)
		socket.write(id, "HTTP/1.1 100 Continue\r\n\r\n")
		socket.write(id, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" .. socket.read(id, 4))
	end)
	check.equal({ httpc.request("PUT", asks, "/", nil, header, "text") }, { 200, "text" })
	check.equal(log.early, 0)
	local refuses = serve(function(id)
		socket.write(id, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
		log.rest = socket.readall(id)
	end)
	check.equal({ httpc.request("PUT", refuses, "/", nil, header, "text") }, { 417, "" })
	local says_nothing = serve(function(id)
		socket.write(id, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" .. socket.read(id, 4))
	end)
	check.equal({ httpc.request("PUT", says_nothing, "/", nil, header, "text") }, { 200, "text" })
end

---------------------------------------------------------------- persistent connections

-- A server that answers with the number of the connection and of the request, with more fields as the path says.
local function counting(log)
	return listen(function(id, count)
		socket.start(id)
		log.connections = count
		local requests = 0
		while true do
			local head = socket.readline(id, "\r\n\r\n")
			if not head then
				break
			end
			requests = requests + 1
			local path = string.match(head, " /(%S*) ")
			if path == "end" then
				break
			elseif path == "post" then
				socket.read(id, 4)
			end
			local body = count .. "." .. requests
			local fields = path == "close" and "Connection: close\r\n" or ""
			local more = path == "more" and "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged" or ""
			socket.write(id, "HTTP/1.1 200 OK\r\n" .. fields .. "Content-Length: " .. #body .. "\r\n\r\n" .. body .. more)
			if path == "silent_end" then
				break
			end
		end
		socket.close(id)
	end)
end

function cases.connections_are_kept_when_asked_for()
	local log = {}
	local host = counting(log)
	local function get(path)
		return select(2, httpc.get(host, path))
	end
	check.equal({ get "/", get "/" }, { "1.1", "2.1" }, "each has its own by default")
	httpc.keepalive = 6000
	check.equal({ get "/", get "/", get "/" }, { "3.1", "3.2", "3.3" })
	check.equal(select(2, httpc.request("POST", host, "/post", nil, nil, "text")), "3.4")
	check.equal({ get "/close", get "/" }, { "3.5", "4.1" }, "the server says that it closes")
	check.equal({ get "/more", get "/" }, { "4.2", "5.1" }, "bytes that nobody asked for are nobody's answer")
	check.equal(get "/silent_end", "5.2")
	check.equal(get "/", "6.1", "a connection that has ended is not used")
	local stream = httpc.request_stream("GET", host, "/")
	check.equal(stream(), "6.2")
	check.equal(stream(), nil)
	check.equal(get "/", "6.3", "after a stream")
	stream = httpc.request_stream("GET", host, "/")
	stream:close()
	check.equal(get "/", "7.1", "not after a stream that was left")
	local ok = pcall(httpc.get, host, "/end")
	check.equal({ ok, log.connections }, { false, 8 }, "a request without an answer is sent once more")
	check.equal(get "/", "9.1")
	ok = pcall(httpc.request, "POST", host, "/end", nil, nil, "")
	check.equal({ ok, log.connections }, { false, 9 }, "unless that could do something twice")
	httpc.keepalive = nil
end

---------------------------------------------------------------- our server

local handled = {}

local handlers = {
	["/raise"] = function() error "as asked" end,
	["/nothing_to_say"] = function() return 204, "ignored" end,
	["/reset"] = function() return 205, "ignored" end,
	["/unchanged"] = function() return 304, "ignored", { ["content-length"] = 100 } end,
	["/pieces"] = function()
		local left = 3
		return 200, function()
			left = left - 1
			return left >= 0 and "piece" or nil
		end
	end,
	["/sized"] = function()
		local left = 2
		return 200, function()
			left = left - 1
			return left >= 0 and "12345" or nil
		end, { ["content-length"] = 10 }
	end,
	["/no_code"] = function() return "200" end,
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
	serving = serving or listen(function(id, _, address)
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
	local answer = raw("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
		.. "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n\r\n\r\n" .. LAST)
	local bodies = {}
	for body in string.gmatch(answer, "%u+ /[^\r\n]- %l*%f[H\0]") do
		bodies[#bodies + 1] = body
	end
	check.equal(bodies, { "GET /1 ", "POST /2 ab", "POST /3 c", "GET /last " })
	check.equal(codes("GET / HTTP/1.0\r\n\r\n" .. LAST), { 200 }, "HTTP/1.0 ends with the answer")
	assert(string.find(raw("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" .. LAST), "connection: keep-alive", 1, true))
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
	check.equal(body_of "GET /a b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /a b ")
	check.equal(body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nContent-Length:  2 \r\n\r\nab", "POST / ab")
	check.equal(body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: ,Chunked\r\n\r\n01 ;x\r\na\r\n0\r\n\r\n", "POST / a")
	check.equal(body_of "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\na", "POST / a")
	check.equal(handled[#handled].header.x, "a b")
	local many = {}
	for i = 1, 900 do many[i] = "1\r\n" .. string.char(97 + i % 26) .. "\r\n" end
	local answer = body_of("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" .. table.concat(many) .. "0\r\n\r\n")
	check.equal(#answer, 7 + 900)
end

function cases.a_trailer_says_nothing_that_belongs_into_the_header()
	check.equal(codes("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n"
		.. "Authorization: a\r\nCookie: a\r\nX-Real-IP: a\r\nX-Forwarded-For: a\r\nContent-Type: a\r\nHost: y\r\n\r\n"), { 200 })
	check.equal(handled[#handled].header,
		{ host = "x", connection = "close", ["transfer-encoding"] = "chunked", ["x-sum"] = "1" })
end

function cases.a_body_that_is_expected_is_asked_for()
	local id = assert(socket.open(our_server()))
	socket.write(id, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
	check.equal(socket.readline(id, "\r\n\r\n"), "HTTP/1.1 100 Continue")
	socket.write(id, "text")
	assert(string.find(socket.readall(id), "POST / text", 1, true))
	socket.close(id)
	check.equal(codes "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext", { 200 })
	check.equal(codes "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4000\r\n\r\n", { 413 })
	check.equal(codes "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\ntext", { 200 })
end

function cases.answers_have_the_body_that_their_code_allows()
	local function answer(method, path, version)
		return raw(string.format("%s %s HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n", method, path, version or "1.1"))
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
				websocket.accept(request.id, { message = websocket.write }, "ws", request.address, { upgrade = request })
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

function cases.https_is_served()
	local host = our_server { protocol = "https" }
	httpc.keepalive = 1000
	for i = 1, 3 do
		check.equal({ httpc.get("https://" .. host, "/" .. i) }, { 200, "GET /" .. i .. " " })
	end
	check.equal({ httpc.get("https://" .. host, "/pieces") }, { 200, "piecepiecepiece" })
	httpc.keepalive = nil
	check.equal(raw("no TLS at all\r\n\r\n", host) ~= nil, true)
	check.equal({ httpc.request("POST", "https://" .. host, "/", nil, nil, string.rep("x", 100000)) },
		{ 200, "POST / " .. string.rep("x", 100000) })
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
