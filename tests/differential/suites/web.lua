-- HTTP and websockets, both sides; names of hosts.
local skynet = require "skynet"
local socket = require "skynet.socket"
local sweep = require "sweep"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local internal = require "http.internal"
local sockethelper = require "http.sockethelper"
local websocket = require "http.websocket"

local LIMIT <const> = 200 -- 1/100 s

local function case(subject, name, func, ...)
	sweep.limited(subject, name, LIMIT, func, ...)
end

local eventually <const> = sweep.eventually

-- Serves one text to every connection, as soon as it has sent something; then closes.
local function canned(text)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		socket.read(id)
		socket.write(id, text)
		socket.close(id)
	end)
	return listener, port
end

local function answers_to_requests()
	for name, text in pairs {
		["without a length"] = "HTTP/1.1 200 OK\r\n\r\nuntil the end",
		["with a length"] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef",
		["in chunks"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
		["with a trailer"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Last: 1\r\n\r\n",
		["in chunks with extensions"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
		["with other encoding"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
		["of version 1.0"] = "HTTP/1.0 200 OK\r\n\r\nold",
		["without a reason"] = "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
		["with repeated fields"] = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
		["no content"] = "HTTP/1.1 204 No Content\r\n\r\n",
		["not HTTP"] = "hello\r\n\r\n",
		["empty"] = "",
		["length that is no number"] = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
		["continued field"] = "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
		["redirect"] = "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
	} do
		case("http.httpc answer", name, function()
			local listener, port = canned(text)
			local header = {}
			local results = table.pack(pcall(httpc.get, "127.0.0.1:" .. port, "/", header))
			socket.close(listener)
			if not results[1] then
				results[2] = tostring(results[2])
			end
			return results, header
		end)
	end
end

local function requests()
	local server = skynet.newservice "differential_http"
	local host = "127.0.0.1:" .. skynet.call(server, "lua")
	case("http.httpc.get", "right", httpc.get, host, "/path?x=1")
	case("http.httpc.get", "header of the answer", function()
		local header = {}
		local status = httpc.get(host, "/", header)
		return status, header["x-answer"], header["content-length"]
	end)
	case("http.httpc.get", "own header", httpc.get, host, "/", {}, { ["x-test"] = "mine" })
	case("http.httpc.get", "content", httpc.get, host, "/", {}, {}, "content")
	case("http.httpc.get", "other status", httpc.get, host, "/?status=404")
	case("http.httpc.get", "with a protocol", httpc.get, "http://" .. host, "/")
	case("http.httpc.get", "unknown protocol", httpc.get, "gopher://" .. host, "/")
	case("http.httpc.get", "no host", httpc.get)
	case("http.httpc.get", "no url", httpc.get, host)
	case("http.httpc.get", "refused", httpc.get, "127.0.0.1:1", "/")
	case("http.httpc.post", "form", function()
		local status, body = httpc.post(host, "/form", { a = "1 2&=" })
		return status, body
	end)
	case("http.httpc.post", "no form", httpc.post, host, "/form")
	case("http.httpc.head", "right", httpc.head, host, "/", {})
	case("http.httpc.head", "no header", httpc.head, host, "/")
	case("http.httpc.request", "method", httpc.request, "PUT", host, "/", {}, {}, "text")
	case("http.httpc.request", "header with a list", httpc.request, "GET", host, "/", {}, { ["x-test"] = { "a", "b" } })
	case("http.httpc.request", "number as content", httpc.request, "POST", host, "/", {}, {}, 12)
	case("http.httpc.request_stream", "right", function()
		local stream = httpc.request_stream("GET", host, "/stream", nil, nil, nil)
		local parts = {}
		while true do
			local part = stream:padding()
			if not part then
				break
			end
			parts[#parts + 1] = part
		end
		local status, ended = stream.status, stream.connected
		stream:close()
		return status, table.concat(parts), ended
	end)
	answers_to_requests()
	case("http.httpc", "timeout", function()
		local listener, _, port = socket.listen("127.0.0.1", 0)
		socket.start(listener, function(id)
			socket.start(id)
		end)
		local before = httpc.timeout
		httpc.timeout = 10
		local ok, problem = pcall(httpc.get, "127.0.0.1:" .. port, "/")
		httpc.timeout = before
		socket.close(listener)
		return before, ok, tostring(problem)
	end)
end

-- A reader of a text, as `readfunc` makes one of a socket.
local function reader(text)
	local at = 1
	return function(size)
		if at > #text then
			error(sockethelper.socket_error)
		end
		local part = string.sub(text, at, size and at + size - 1 or at + 4)
		if size and #part < size then
			error(sockethelper.socket_error)
		end
		at = at + #part
		return part
	end
end

local function reading_requests()
	for name, text in pairs {
		get = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n",
		post = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
		chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		["header of two"] = "GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n",
		["version 1.0"] = "GET / HTTP/1.0\r\n\r\n",
		["version 2"] = "GET / HTTP/2.0\r\n\r\n",
		["no version"] = "GET /\r\n\r\n",
		["not HTTP"] = "hello\r\n\r\n",
		["too large"] = "POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n" .. string.rep("x", 5000),
		["large header"] = "GET / HTTP/1.1\r\nX: " .. string.rep("x", 10000) .. "\r\n\r\n",
		["bad field"] = "GET / HTTP/1.1\r\nnonsense\r\n\r\n",
		["other encoding"] = "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nx",
		["cut"] = "GET / HTTP/1.1\r\nHost",
		["empty"] = "",
		["cut body"] = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel",
	} do
		case("http.httpd.read_request", name, function()
			return httpd.read_request(reader(text), 4000)
		end)
	end
	case("http.httpd.read_request", "without a limit", function()
		return httpd.read_request(reader "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello")
	end)
	case("http.httpd.read_request", "nothing", httpd.read_request)
end

local function written(...)
	local parts = {}
	local results = table.pack(httpd.write_response(function(text)
		parts[#parts + 1] = text
	end, ...))
	return table.concat(parts), table.unpack(results, 1, results.n)
end

local function writing_responses()
	case("http.httpd.write_response", "text", written, 200, "body")
	case("http.httpd.write_response", "no body", written, 404)
	case("http.httpd.write_response", "unknown code", written, 299, "x")
	case("http.httpd.write_response", "header", written, 200, "x", { a = "1" })
	case("http.httpd.write_response", "list in the header", written, 200, "x", { a = { "1", "2" } })
	case("http.httpd.write_response", "function as body", function()
		local parts = { "one", "two" }
		return written(200, function()
			return table.remove(parts, 1)
		end)
	end)
	case("http.httpd.write_response", "empty body", written, 200, "")
	case("http.httpd.write_response", "number as body", written, 200, 5)
	case("http.httpd.write_response", "code as text", written, "200", "x")
	case("http.httpd.write_response", "writer fails", function()
		return httpd.write_response(function()
			error(sockethelper.socket_error)
		end, 200, "x")
	end)
	case("http.httpd.write_response", "writer fails otherwise", function()
		return httpd.write_response(function()
			error "of the writer"
		end, 200, "x")
	end)
end

local function headers_and_chunks()
	case("http.internal.recvheader", "right", function()
		local lines = {}
		return internal.recvheader(reader "A: 1\r\nB: 2\r\n\r\nrest", lines, ""), lines
	end)
	case("http.internal.parseheader", "right", function()
		return internal.parseheader({ "GET / HTTP/1.1", "A: 1", "B: 2", "A: 3" }, 2, {})
	end)
	case("http.internal.parseheader", "bad", internal.parseheader, { "nonsense" }, 1, {})
	case("http.internal.recvchunkedbody", "right", function()
		return internal.recvchunkedbody(reader "3\r\nabc\r\n0\r\n\r\n", nil, {}, "")
	end)
	case("http.internal.recvchunkedbody", "too large", function()
		return internal.recvchunkedbody(reader "9\r\nabcdefghi\r\n0\r\n\r\n", 5, {}, "")
	end)
end

local function requests_and_streams()
	-- A connection of two functions, as httpc makes one.
	local function connection(answer)
		local written = {}
		return {
			read = reader(answer),
			write = function(text)
				written[#written + 1] = text
			end,
			readall = function()
				return ""
			end,
		},
			written
	end
	case("http.internal.request", "right", function()
		local interface, written = connection "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
		local header = {}
		local code, body = internal.request(interface, "GET", "host", "/place", header, nil, "content")
		return table.concat(written), code, internal.response(interface, code, body, header), header
	end)
	case("http.internal.response_stream", "right", function()
		local interface = connection "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
		local header = {}
		local code, body = internal.request(interface, "GET", "host", "/", header)
		local stream = internal.response_stream(interface, code, body, header)
		return stream.status, (stream()), (stream())
	end)
	case("http.internal stream", "padding and close", function()
		local interface = connection "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
		local header = {}
		local code, body = internal.request(interface, "GET", "host", "/", header)
		local stream = internal.response_stream(interface, code, body, header)
		return (stream:padding()), select("#", stream:close())
	end)
	case("http.sockethelper.shutdown", "right", function()
		local listener, host, port = socket.listen("127.0.0.1", 0)
		local id = sockethelper.connect(host, port, LIMIT)
		socket.close(listener)
		return select("#", sockethelper.shutdown(id))
	end)
end

local function helpers_of_sockets()
	case("http.httpc.dns", "no server", function()
		return select("#", httpc.dns("127.0.0.1", 1))
	end)
	case("http.internal.recvchunkedbody", "bad size", function()
		return internal.recvchunkedbody(reader "x\r\nabc\r\n0\r\n\r\n", nil, {}, "")
	end)
	case("http.sockethelper.connect", "refused", function()
		local ok, problem = pcall(sockethelper.connect, "127.0.0.1", 1, 100)
		return ok, problem == sockethelper.socket_error, tostring(problem)
	end)
	case("http.sockethelper.readfunc", "closed", function()
		local listener, port = canned "abc"
		local id = sockethelper.connect("127.0.0.1", port)
		local read, write = sockethelper.readfunc(id), sockethelper.writefunc(id)
		local written = table.pack(write "x")
		local text = read(3)
		local ok, problem = pcall(read, 1)
		sockethelper.close(id)
		socket.close(listener)
		return written.n, text, ok, problem == sockethelper.socket_error
	end)
	case("http.sockethelper.readfunc", "what was read before", function()
		return sockethelper.readfunc(0, "before")()
	end)
	case("http.sockethelper.readall", "right", function()
		local listener, port = canned "abc"
		local id = sockethelper.connect("127.0.0.1", port)
		socket.write(id, "x")
		local text = sockethelper.readall(id)
		sockethelper.close(id)
		socket.close(listener)
		return text
	end)
end

local function parsing()
	reading_requests()
	writing_responses()
	headers_and_chunks()
	requests_and_streams()
	helpers_of_sockets()
end

local function messages_of_websockets(take, client)
	case("http.websocket.write", "text", function()
		return websocket.write(client, "hello"), websocket.read(client)
	end)
	case("http.websocket.write", "binary", function()
		return websocket.write(client, "\0\1", "binary"), websocket.read(client)
	end)
	case("http.websocket.write", "empty", function()
		return websocket.write(client, ""), websocket.read(client)
	end)
	case("http.websocket.write", "long", function()
		websocket.write(client, string.rep("x", 70000))
		return #websocket.read(client)
	end)
	case("http.websocket.write", "unknown format", websocket.write, client, "x", "no such")
	case("http.websocket.write", "number", websocket.write, client, 5)
	case("http.websocket.write", "nil", websocket.write, client)
	case("http.websocket.write", "unknown id", websocket.write, 0x7ffffff, "x")
	take()
	case("http.websocket.ping", "right", function()
		return websocket.ping(client), take()
	end)
	case("http.websocket.ping", "unknown id", websocket.ping, 0x7ffffff)
	case("http.websocket.addrinfo", "right", function()
		return type(websocket.addrinfo(client))
	end)
	case("http.websocket.addrinfo", "unknown id", websocket.addrinfo, 0x7ffffff)
	case("http.websocket.real_ip", "unknown id", websocket.real_ip, 0x7ffffff)
	case("http.websocket.is_close", "open", websocket.is_close, client)
	case("http.websocket.is_close", "unknown id", websocket.is_close, 0x7ffffff)
	case("http.websocket.read", "unknown id", websocket.read, 0x7ffffff)
end

local function websockets_refused(results, port)
	case("http.websocket.connect", "refused", websocket.connect, "ws://127.0.0.1:1/")
	case("http.websocket.connect", "no url", websocket.connect)
	case("http.websocket.connect", "not a websocket url", websocket.connect, "http://127.0.0.1/")
	case("http.websocket.connect", "no websocket there", function()
		local other, other_port = canned "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
		local observed = sweep.observe(websocket.connect, "ws://127.0.0.1:" .. other_port)
		socket.close(other)
		return observed
	end)
	case("http.websocket.accept", "no upgrade", function()
		local count = #results
		local id = socket.open("127.0.0.1", port)
		socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		local answer = socket.readline(id, "\r\n")
		socket.close(id)
		eventually(function()
			return #results > count
		end)
		return answer
	end)
	case("http.websocket.accept", "the other side goes", function()
		local count = #results
		local id = socket.open("127.0.0.1", port)
		socket.close(id)
		eventually(function()
			return #results > count
		end)
		return #results - count
	end)
	case("http.websocket.accept", "nothing", websocket.accept)
end

local function websockets()
	local events = {}
	local handle = {}
	for _, name in ipairs { "connect", "handshake", "message", "ping", "pong", "close", "error", "warning" } do
		handle[name] = function(id, ...)
			local arguments = table.pack(...)
			for i = 1, arguments.n do
				if type(arguments[i]) == "table" then
					arguments[i] = "table"
				end
			end
			if name ~= "connect" then
				events[#events + 1] = { name, math.type(id), table.unpack(arguments, 1, arguments.n) }
			end
			if name == "message" then
				if arguments[1] == "close me" then
					websocket.close(id, 1000, "bye")
				else
					websocket.write(id, "<" .. arguments[1], arguments[2])
				end
			end
		end
	end
	local results = {}
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, address)
		local ok, problem = websocket.accept(id, handle, "ws", address)
		results[#results + 1] = { ok, problem and tostring(problem) }
	end)
	local url = string.format("ws://127.0.0.1:%d/path?x=1", port)
	local function take()
		skynet.sleep(3)
		local list = events
		events = {}
		return list
	end
	local client
	case("http.websocket.connect", "right", function()
		client = websocket.connect(url)
		return math.type(client), take()
	end)
	messages_of_websockets(take, client)
	case("http.websocket.close", "by the other side", function()
		websocket.write(client, "close me")
		local result = table.pack(websocket.read(client))
		return result, websocket.is_close(client)
	end)
	case("http.websocket", "events of the close", take)
	case("http.websocket.close", "afterwards", websocket.close, client)
	case("http.websocket.close", "right", function()
		local other = websocket.connect(url)
		events = {}
		local result = table.pack(websocket.close(other, 1001, "reason"))
		return result, take(), websocket.is_close(other)
	end)
	case("http.websocket.close", "unknown id", websocket.close, 0x7ffffff)
	websockets_refused(results, port)
	socket.close(listener)
	events = {}
end

-- The fields of a name server's answer: a header, the question, and records of type A.
local function answer_of(query, addresses, code)
	local id = string.sub(query, 1, 2)
	local question = string.sub(query, 13)
	local records = {}
	for i, address in ipairs(addresses) do
		local a, b, c, d = string.match(address, "(%d+)%.(%d+)%.(%d+)%.(%d+)")
		records[i] = string.pack(">I2I2I2I4I2BBBB", 0xc00c, 1, 1, 60, 4, a, b, c, d)
	end
	return id .. string.pack(">I2I2I2I2I2", 0x8180 | code, 1, #addresses, 0, 0) .. question .. table.concat(records)
end

local function names()
	local dns = require "skynet.dns"
	local port = tonumber(string.match(skynet.getenv "ports", "%d+"))
	local asked = 0
	local server
	server = socket.udp(function(query, from)
		asked = asked + 1
		local name = string.match(query, "^............%z?.(%l+)")
		local list, code = { "10.0.0.1", "10.0.0.2" }, 0
		if name == "missing" then
			list, code = {}, 3
		elseif name == "empty" then
			list = {}
		end
		socket.sendto(server, from, answer_of(query, list, code))
	end, "127.0.0.1", port)
	case("skynet.dns.server", "right", dns.server, "127.0.0.1", port)
	case("skynet.dns.resolve", "right", dns.resolve, "known.example")
	case("skynet.dns.resolve", "again", function()
		local before = asked
		return dns.resolve "known.example", asked - before
	end)
	case("skynet.dns.flush", "right", function()
		local results = table.pack(dns.flush())
		local before = asked
		dns.resolve "known.example"
		return results.n, asked - before
	end)
	case("skynet.dns.resolve", "missing", dns.resolve, "missing.example")
	case("skynet.dns.resolve", "empty", dns.resolve, "empty.example")
	case("skynet.dns.resolve", "address", dns.resolve, "127.0.0.1")
	case("skynet.dns.resolve", "bad name", dns.resolve, "bad name")
	case("skynet.dns.resolve", "nothing", dns.resolve)
	case("skynet.dns.resolve", "empty name", dns.resolve, "")
	case("skynet.dns.resolve", "name of an own table", function()
		dns.flush()
		local first, list = dns.resolve "other.example"
		return first, list
	end)
	case("skynet.dns.resolve", "two at once", function()
		dns.flush()
		local answers = {}
		for i = 1, 2 do
			skynet.fork(function()
				answers[i] = dns.resolve "twice.example"
			end)
		end
		eventually(function()
			return answers[1] and answers[2]
		end)
		return answers
	end)
end

sweep.run(function()
	requests()
	parsing()
	require "parts.httpfields"()
	websockets()
	names()
end)
