-- How HTTP messages are framed (RFC 9110, RFC 9112): what our client makes of the bytes of a server.
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local sockethelper = require "http.sockethelper"
local check = require "check"
local listen = require "listening"

local cases = {}

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
		{
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			OPEN,
			{ 200, "" },
		},
		{
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			OPEN,
			{ 200, "hello" },
		},
		{
			'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ; a="b"\r\nhello\r\n000\r\nTrailer: x\r\n\r\n',
			OPEN,
			{ 200, "hello" },
		},
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
		{
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n",
			false,
			"error",
		},
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
	understood(
		"GET",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\n\r\n0\r\nA: 2\r\nB: 3\r\nContent-Length: 9\r\n\r\n",
		true,
		received
	)
	check.equal(
		{ received.a, received.b, received["content-length"] },
		{ "1", "3", nil },
		"a trailer adds fields, and changes none"
	)
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
		check.equal(
			{ ok, string.find(tostring(problem), "more than 10 bytes", 1, true) ~= nil },
			{ false, true },
			answer
		)
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
			socket.write(
				id,
				"HTTP/1.1 200 OK\r\n" .. fields .. "Content-Length: " .. #body .. "\r\n\r\n" .. body .. more
			)
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

check.run(cases)
