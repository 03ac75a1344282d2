-- http.server and httpc against the Python packages `h11` and `hypercorn`. Settings: peer_port (hypercorn), python (with the
-- packages), scripts (folder of the tests).
local skynet = require "skynet"
local httpc = require "http.httpc"
local check = require "check"

local cases = {}

function cases.h11_is_served()
	local port = skynet.call(skynet.newservice "http_packages_server", "lua")
	local pipe = assert(
		io.popen(
			string.format(
				"'%s' '%s/http_packages.py' check %d 2>&1",
				skynet.getenv "python",
				skynet.getenv "scripts",
				port
			)
		)
	)
	local output = pipe:read "a"
	pipe:close()
	check.equal(output, "ok\n")
end

function cases.hypercorn_serves()
	local host = "127.0.0.1:" .. skynet.getenv "peer_port"
	httpc.keepalive = 1000
	local client
	local function ask(method, path, content, header)
		local received = {}
		local code, body = httpc.request(method, host, path, received, header, content)
		client = client or received["x-client"]
		check.equal(received["x-client"], client, "one connection")
		return { code, body }
	end
	check.equal(ask("POST", "/", "text"), { 200, "text" })
	check.equal(ask("GET", "/pieces"), { 200, "first second third" })
	check.equal(ask("GET", "/unchanged"), { 304, "" })
	check.equal(ask("GET", "/nothing"), { 204, "" })
	check.equal(ask("HEAD", "/pieces"), { 200, "" })
	check.equal(ask("POST", "/", "asked for", { Expect = "100-continue" }), { 200, "asked for" })
	check.equal(ask("POST", "/", string.rep("x", 1024 * 1024)), { 200, string.rep("x", 1024 * 1024) })
	local parts = {}
	for piece in httpc.request_stream("GET", host, "/pieces") do
		parts[#parts + 1] = piece
	end
	check.equal(table.concat(parts), "first second third")
	for i = 1, 20 do
		check.equal(ask("POST", "/", "text " .. i), { 200, "text " .. i })
	end
	httpc.keepalive = nil
end

check.run(cases)
