-- What a server takes for the target of a request, and for its host (RFC 9112 §3.2, RFC 9110 §7.2).
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local server = require "http.server"
local sockethelper = require "http.sockethelper"
local check = require "check"
local listen = require "listening"

local cases = {}

local serving

-- The code that a request is answered with.
local function code_of(request)
	serving = serving or listen(function(id)
		server.serve(id, function()
			return 200, "served"
		end)
	end)
	local id = assert(socket.open(serving))
	socket.write(id, request)
	local answer = socket.readall(id)
	socket.close(id)
	return tonumber(string.match(answer or "", "^HTTP/1%.1 (%d+)"))
end

function cases.a_host_that_is_none_is_refused()
	local function code(host)
		return code_of("GET / HTTP/1.1\r\nHost: " .. host .. "\r\nConnection: close\r\n\r\n")
	end
	for _, host in ipairs {
		"a b/c@d",
		"a\r\n b",
		"a/b",
		"a@b",
		"a?b",
		"a#b",
		"a\\b",
		"a:b",
		"a:1:2",
		"a:1 ",
		"::1",
		"[::1",
		"[::1]a",
		"[::1]80",
		"[]",
		"[a/b]",
		"a]",
		"http://a",
		'"a"',
		"<a>",
		"a, b",
		"a%",
		"a%zz",
		"a\tb",
		"a\1",
		"a\127",
	} do
		check.equal(code(host), host == "a:1 " and 200 or 400, host)
	end
	for _, host in ipairs {
		"",
		"x",
		"localhost:8080",
		"game_server.local",
		"a-b.example.com.",
		"127.0.0.1:80",
		"[::1]",
		"[::1]:8080",
		"[fe80::1%25eth0]:1",
		"a:",
		"a%20b",
		"a~b",
		"M\xc3\xbcller.example",
	} do
		check.equal(code(host), 200, host)
	end
end

function cases.a_target_that_its_method_does_not_have_is_refused()
	local function code(method, target)
		return code_of(method .. " " .. target .. " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	end
	for method, targets in pairs {
		GET = {
			"a",
			"*",
			"a:80",
			"?a",
			"http:///a",
			"http://",
			"http:/a",
			"http://a b/",
			"http://u@a/",
			"://a/",
			"\xff",
			"/\1",
			"/\127",
			"/a b",
		},
		OPTIONS = { "**", "*/" },
		CONNECT = { "/", "*", "a", ":80", "a:", "http://a/" },
	} do
		for _, target in ipairs(targets) do
			check.equal(code(method, target), 400, method .. " " .. target)
		end
	end
	for method, targets in pairs {
		GET = { "/", "//a", "/a?b=c:d", "/\xe4\xb8\xad", "/[a]|{b}", "http://a/b", "http://[::1]:80", "HTTPS://a?b" },
		OPTIONS = { "*", "/" },
		CONNECT = { "a:80", "[::1]:80" },
	} do
		for _, target in ipairs(targets) do
			check.equal(code(method, target), 200, method .. " " .. target)
		end
	end
end

function cases.httpd_takes_targets_without_a_slash_as_there()
	local target
	local host = listen(function(id)
		socket.start(id)
		local code
		code, target = httpd.read_request(sockethelper.readfunc(id))
		httpd.write_response(sockethelper.writefunc(id), code)
		socket.close(id)
	end)
	check.equal({ httpc.get(host, "login?a=b") }, { 200, "" })
	check.equal(target, "login?a=b")
	check.equal((httpc.get(host, "/a b")), 400)
end

check.run(cases)
