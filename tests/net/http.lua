-- http.httpc and http.httpd against each other, curl, and a Python server (its port: setting peer_port).
-- What the C project's modules do otherwise: no code for malformed requests, no continued lines that begin with
-- a space, chunks with extensions and bodies that end with the connection fail, any response is taken for the
-- final one, line breaks in header fields are sent.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local urllib = require "http.url"
local sockethelper = require "http.sockethelper"
local check = require "check"

local cases = {}
local server_port

local function host()
	if not server_port then
		server_port = skynet.call(skynet.newservice "http_server", "lua")
	end
	return "127.0.0.1:" .. server_port
end

local peer = "http://127.0.0.1:" .. skynet.getenv "peer_port"

-- Runs curl and returns what it prints. Blocks this thread; the server runs on another one.
local function curl(arguments)
	local pipe = assert(io.popen("curl --silent --show-error --max-time 20 " .. arguments .. " 2>&1"))
	local output = pipe:read "a"
	pipe:close()
	return output
end

-- Sends bytes as they are and returns all that comes back.
local function raw(bytes)
	local id = assert(socket.open(host()))
	socket.write(id, bytes)
	local answer = socket.readall(id)
	socket.close(id)
	return answer
end

local function status(bytes)
	return tonumber(string.match(raw(bytes) or "", "^HTTP/1.1 (%d+)"))
end

---------------------------------------------------------------- our client, our server

function cases.client_sends_and_receives()
	check.equal({ httpc.get(host(), "/echo?a=1") }, { 200, "GET /echo?a=1\n" })
	check.equal({ httpc.request("POST", host(), "/echo", nil, nil, "content") }, { 200, "POST /echo\ncontent" })
	check.equal({ httpc.post(host(), "/form", { a = "1&2", ["b c"] = "ü" }) }, { 200, "1&2|ü" })
	local received = {}
	check.equal({ httpc.get(host(), "/header?name=x-mine", received, { ["x-mine"] = "yes" }) }, { 200, "yes" })
	check.equal(received["x-list"], { "one", "two" })
	check.equal(received["x-single"], "1")
	check.equal(httpc.get(host(), "/nothing"), 404)
	check.equal({ httpc.get(host(), "/none") }, { 204, "" })
	check.equal(#select(2, httpc.get(host(), "/large")), 1024 * 1024)
	check.equal({ httpc.get(host(), "/chunked") }, { 200, string.rep("chunk ", 3000) })
	check.equal({ httpc.get(host(), "/unframed") }, { 200, "until the end" })
	received = {}
	check.equal(httpc.head(host(), "/echo", received), 200)
	check.equal(received["content-length"], "11")
end

function cases.host_field_is_sent_unless_given()
	check.equal(select(2, httpc.get(host(), "/header?name=host")), host())
	check.equal(select(2, httpc.get(host(), "/header?name=host", nil, { Host = "other" })), "other")
end

function cases.streams_come_in_pieces()
	for path, size in pairs { ["/chunked"] = 18000, ["/large"] = 1024 * 1024, ["/none"] = 0, ["/unframed"] = 13 } do
		local total, last = 0, nil
		for piece, stream in httpc.request_stream("GET", host(), path) do
			total = total + #piece
			last = stream
		end
		check.equal({ path, total, last.connected }, { path, size, nil })
	end
	local stream = httpc.request_stream("GET", host(), "/large")
	check.equal(stream.status, 200)
	check.equal(stream.connected, true)
	assert(#stream:padding() > 0)
	stream:close()
end

function cases.broken_connections_raise()
	local ok, problem = pcall(httpc.get, host(), "/broken")
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
	local pieces = {}
	local stream = httpc.request_stream("GET", host(), "/broken")
	ok, problem = pcall(function()
		for piece in stream do
			pieces[#pieces + 1] = piece
		end
	end)
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
	check.equal(table.concat(pieces), "only this")
	check.equal(stream.connected, false)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.close(listener)
	ok, problem = pcall(httpc.get, "127.0.0.1:" .. port, "/")
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
	assert(string.find(tostring(problem), "connect failed", 1, true), tostring(problem))
end

function cases.timeout_ends_a_request()
	httpc.timeout = 10
	local ok, problem = pcall(httpc.get, host(), "/silent")
	httpc.timeout = nil
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
end

function cases.hosts_are_checked()
	check.raises("bare IPv6", httpc.get, "::1", "/")
	check.raises("Invalid protocol", httpc.get, "gopher://127.0.0.1", "/")
	for _, url in ipairs { "http://127.0.0.1:1/path", "127.0.0.1/", "http://127.0.0.1:1?x=1" } do
		check.raises("'" .. url .. "' is more than a host", httpc.get, url)
		check.raises("is more than a host", httpc.new().request_stream, "GET", url, "/")
	end
	check.raises("the host is a string", httpc.get)
end

function cases.what_cannot_be_sent_is_refused()
	check.raises(
		"the content is a string (cjson.encode makes one of a table), not a table",
		httpc.request,
		"POST",
		host(),
		"/echo",
		nil,
		nil,
		{ a = 1 }
	)
	check.raises("the header is a table of fields", httpc.request, "GET", host(), "/echo", nil, "x-mine: yes")
	check.raises("a form is a table of fields", httpc.post, host(), "/form", "a=1")
	check.raises("timeout is a number, not 5s", httpc.new, { timeout = "5s" })
	check.equal(httpc.get(host(), "/echo"), 200)
	-- `condition and value` may be false: nothing.
	check.equal(httpc.request("GET", host(), "/echo", nil, false, false), 200)
	-- In pieces a list of strings is sent as it is.
	local chunks = { "3\r\nabc\r\n", "0\r\n\r\n" }
	check.equal(httpc.request("POST", host(), "/echo", nil, { ["transfer-encoding"] = "chunked" }, chunks), 200)
end

function cases.interim_responses_are_passed_over()
	check.equal({ httpc.get(host(), "/continue") }, { 200, "done" })
end

function cases.header_lines_cannot_be_forged()
	local received = {}
	check.equal(httpc.get(host(), "/split", received), 500)
	check.equal(received["set-cookie"], nil)
	check.raises("line break", httpc.get, host(), "/ HTTP/1.1\r\nx: y")
end

---------------------------------------------------------------- what servers are sent

function cases.requests_may_come_in_any_pieces()
	local request = "POST /echo HTTP/1.1\r\nhost: x\r\nX-Folded: a\r\n b\r\ncontent-length: 5\r\n\r\nhello"
	local id = assert(socket.open(host()))
	for i = 1, #request do
		socket.write(id, string.sub(request, i, i))
		skynet.sleep(0)
	end
	assert(string.find(socket.readall(id), "POST /echo\nhello", 1, true))
	socket.close(id)
end

function cases.chunked_requests_are_joined()
	local answer =
		raw "POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nx-trailer: z\r\n\r\n"
	assert(string.find(answer, "POST /echo\nhello world", 1, true), answer)
end

-- The module of the HTTP layer as it is where skynet.http.core is missing.
local function fields_in_lua()
	local name, core = "http.fields", "skynet.http.core"
	local module, core_module, preload = package.loaded[name], package.loaded[core], package.preload[core]
	package.loaded[name], package.loaded[core] = nil, nil
	package.preload[core] = function()
		error "none"
	end
	local plain = require(name)
	package.loaded[name], package.loaded[core], package.preload[core] = module, core_module, preload
	return plain
end

function cases.header_fields_are_read_alike_with_and_without_the_module_in_rust()
	local has_fields, internal = pcall(require, "http.fields")
	if not has_fields then
		return -- the C project has no such module
	end
	local plain = fields_in_lua()
	local heads = { -- text -> what a client's header says, and a server's where that is something else
		["Host: a:1\r\nX-Mixed:b \t\r\n"] = { { host = "a:1", ["x-mixed"] = "b" } },
		["a: 1\r\nA:\t2\r\na:3\r\n"] = { { a = { "1", "2", "3" } } },
		["a: 1\r\n more\r\n\tand more\r\n"] = { { a = "1 more and more" } },
		["a: 1\r\na: 2\r\n  x\r\n"] = { { a = { "1", "2 x" } } },
		["a:\r\n b\r\n \r\n"] = { { a = "b" } },
		["a:\r\nb: \r\n"] = { { a = "", b = "" } },
		["a: 1\nb: 2\n"] = { { a = "1", b = "2" } },
		["a: no end"] = { { a = "no end" } },
		["a: b\r"] = { { a = "b" } },
		[string.rep("Long", 100) .. ": x\r\n"] = { { [string.rep("long", 100)] = "x" } },
		[""] = { {} },
		["a : b\r\n"] = { false, { a = "b" } },
		["\xff x: y\r\n"] = { false, { ["\xff x"] = "y" } },
		["a: x\rb: y\r\n"] = { false },
		["a: x\0\r\n"] = { false },
		["no colon\r\n"] = { false },
		[": no name\r\n"] = { false },
		[" continues nothing\r\n"] = { false },
		["a\rb: c\r\n"] = { false },
		["a: b\r\n\r\n"] = { false },
	}
	for text, expected in pairs(heads) do
		for _, module in ipairs { internal, plain } do
			local lenient = expected[#expected]
			check.equal(module.read_fields(text, 1) or false, expected[1], text)
			check.equal(module.read_fields(text, 1, nil, nil, true) or false, lenient, text)
			local header = {}
			check.equal(module.read_fields("xx" .. text, 3, header) and header or false, expected[1], text)
		end
	end
	for _, module in ipairs { internal, plain } do
		check.equal(module.read_fields("a: 1\r\nb: 2\r\n", 1, nil, 2), { a = "1", b = "2" })
		check.equal(module.read_fields("a: 1\r\nb: 2\r\n", 1, nil, 1), false)
	end
	local lists = setmetatable({}, {
		__index = function(_, name)
			return name == "a" and { "0" } or nil
		end,
	})
	check.equal(internal.read_fields("a: 1\r\n", 1, lists).a, { "0" }, "the table's own way to look up")
end

function cases.utf8_is_known_alike_with_and_without_the_module_in_rust()
	local has_fields, fields = pcall(require, "http.fields")
	if not has_fields then
		return
	end
	local plain = fields_in_lua()
	local pieces = { "", "a", "é", "€", "𐍈", "\u{10ffff}", "\xed\x9f\xbf" }
	local bad = {
		"\x80",
		"\xc0\x80",
		"\xc1",
		"\xe0\x80",
		"\xed\xa0",
		"\xed\xa0\x80",
		"\xf0\x80",
		"\xf4\x90",
		"\xf5",
		"\xff",
		"é\x80",
		"\xe2\x82a",
	}
	for _, module in ipairs { fields, plain } do
		for _, first in ipairs(pieces) do
			for _, second in ipairs(pieces) do
				local text = first .. second
				check.equal(module.utf8(text), 0, text)
				for size = 0, #second - 1 do
					local cut = first .. string.sub(second, 1, size)
					check.equal(module.utf8(cut, true), size, cut)
					check.equal(module.utf8(cut), size == 0 and 0, cut)
				end
			end
			for _, text in ipairs(bad) do
				check.equal(module.utf8(first .. text, true), false, text)
				check.equal(module.utf8(first .. text .. "more", true), false, text)
			end
		end
	end
end

function cases.header_fields_are_written_alike_with_and_without_the_module_in_rust()
	local has_fields, internal = pcall(require, "http.fields")
	if not has_fields then
		return
	end
	local plain = fields_in_lua()
	local headers = {
		{ {}, "" },
		{ { a = "b" }, "a: b\r\n" },
		{ { a = 1 }, "a: 1\r\n" },
		{ { a = 1.5 }, "a: 1.5\r\n" },
		{ { a = true }, "a: true\r\n" },
		{ { a = { "b", 2 } }, "a: b\r\na: 2\r\n" },
		{ { [1] = "x" }, "1: x\r\n" },
		{ { HOST = "x" }, "HOST: x\r\n", 1 },
		{ { ["Content-Length"] = 5 }, "Content-Length: 5\r\n", 2 },
		{ { ["transfer-Encoding"] = "chunked" }, "transfer-Encoding: chunked\r\n", 3 },
		{ setmetatable({}, {
			__pairs = function()
				return next, { a = "b" }
			end,
		}), "a: b\r\n" },
		{ { a = string.rep("x", 5000) }, "a: " .. string.rep("x", 5000) .. "\r\n" },
	}
	for _, case in ipairs(headers) do
		for _, module in ipairs { internal, plain } do
			local result = table.pack(module.write_fields(case[1], ": "))
			check.equal(result[1], case[2])
			for place = 1, 3 do
				check.equal(result[place + 1] and true or false, place == case[3], "flag " .. place)
			end
		end
	end
	for _, module in ipairs { internal, plain } do
		check.raises("line break", module.write_fields, { a = "b\r\nc: d" }, ": ")
		check.raises("line break", module.write_fields, { ["a\nb"] = "c" }, ": ")
		check.raises("line break", module.write_fields, { a = { "b", "c\rd" } }, ": ")
		-- Names that other readers take for another one, which hides it from checks.
		for _, name in ipairs { "Transfer-Encoding ", "a:b", "a b", "", "a\tb", "a\0" } do
			check.raises("no name of a HTTP field", module.write_fields, { [name] = "c" }, ": ")
		end
		check.raises("NUL", module.write_fields, { a = "b\0c" }, ": ")
	end
end

function cases.bad_requests_are_refused()
	check.equal(status "nonsense\r\n\r\n", 400)
	check.equal(status "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400)
	check.equal(status "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400)
	check.equal(status "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400)
	check.equal(status "GET / HTTP/2.0\r\n\r\n", 505)
	check.equal(status "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 501)
	check.equal(status "POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n", 413)
	check.equal(status "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n20000\r\n", 413)
	check.equal(status("GET / HTTP/1.1\r\nx: " .. string.rep("y", 20000)), 413)
	check.equal(status("GET / HTTP/1.1\r\n" .. string.rep("x:\r\n", 300) .. "\r\n"), 413)
	check.equal(status "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400)
end

function cases.lost_clients_are_told_apart()
	local code, problem = httpd.read_request(function()
		error(sockethelper.socket_error)
	end)
	check.equal({ code, problem == sockethelper.socket_error }, { nil, true })
end

function cases.urls_are_taken_apart()
	check.equal({ urllib.parse "/a%20b+c?x=1&y=%26" }, { "/a b c", "x=1&y=%26" })
	check.equal(urllib.parse_query "x=1&y=%26&z=&x=2&x=3", { x = { "1", "2", "3" }, y = "&", z = "" })
end

function cases.urls_are_made_of_any_text()
	check.equal(urllib.escape "a/b?c=1 &\xc3\xbc-._~", "a%2Fb%3Fc%3D1%20%26%C3%BC%2D%2E_%7E")
	local fields = { x = { "10", "2" }, y = "&=%+ \xc3\xbc", ["a b"] = "" }
	check.equal(urllib.query(fields), "a%20b=&x=10&x=2&y=%26%3D%25%2B%20%C3%BC")
	check.equal(urllib.parse_query(urllib.query(fields)), fields)
	check.equal(urllib.query { n = 7, yes = true, none = {} }, "n=7&yes=true")
end

---------------------------------------------------------------- others

function cases.curl_is_served()
	local base = "http://" .. host()
	check.equal(curl(base .. "/echo?q=1"), "GET /echo?q=1\n")
	check.equal(curl("--data 'a=1&b+c=2' " .. base .. "/form"), "1|2")
	check.equal(
		curl("--header 'Transfer-Encoding: chunked' --data 'in chunks' " .. base .. "/echo"),
		"POST /echo\nin chunks"
	)
	check.equal(curl(base .. "/chunked"), string.rep("chunk ", 3000))
	check.equal(#curl(base .. "/large"), 1024 * 1024)
	check.equal(curl("--head " .. base .. "/nothing"):match "^HTTP/1.1 404 Not Found", "HTTP/1.1 404 Not Found")
	-- curl waits before it sends the body, so the refusal cannot meet bytes that nobody reads.
	check.equal(
		curl(
			"--output /dev/null --write-out '%{http_code}' --header 'Expect: 100-continue' --expect100-timeout 20"
				.. " --data-binary @/bin/sh "
				.. base
				.. "/echo"
		),
		"413"
	)
end

function cases.python_serves()
	local received = {}
	check.equal({ httpc.get(peer, "/length", received) }, { 200, "with a length" })
	check.equal(received["set-cookie"], { "a=1", "b=2" })
	check.equal({ httpc.get(peer, "/chunked", received) }, { 200, "first second third" })
	check.equal({ httpc.get(peer, "/unframed") }, { 200, "until the end" })
	check.equal({ httpc.request("PUT", peer, "/echo", nil, nil, "sent") }, { 201, "PUT sent" })
	check.equal({ httpc.post(peer, "/echo", { name = "a b" }) }, { 201, "POST name=a%20b" })
	check.equal(httpc.head(peer, "/length"), 200)
	local pieces = {}
	for piece in httpc.request_stream("GET", peer, "/chunked") do
		pieces[#pieces + 1] = piece
	end
	check.equal(table.concat(pieces), "first second third")
end

check.run(cases)
