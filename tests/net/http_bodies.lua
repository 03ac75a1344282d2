-- Bodies of requests that are read in pieces.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local middleware = require "http.middleware"
local routers = require "http.router"
local server = require "http.server"
local check = require "check"
local serve = require "http_serving"

local cases = {}

local MB <const> = 1024 * 1024

-- Sends bytes, and returns the code of the first answer. It does not wait for the end: the server reads on for a second.
local function first_code(host, bytes)
	local id = assert(socket.open(host))
	socket.write(id, bytes)
	local head = socket.readline(id, "\r\n\r\n")
	socket.close(id)
	return string.match(head or "", "^HTTP/1.1 (%d+)")
end

-- Sends bytes, and returns all that comes back.
local function raw(host, bytes)
	local id = assert(socket.open(host))
	socket.write(id, bytes)
	local answer = socket.readall(id)
	socket.close(id)
	return answer or ""
end

local function post(target, header, body)
	return "POST " .. target .. " HTTP/1.1\r\nHost: x\r\n" .. header .. "\r\n" .. body
end

local LAST <const> = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

local function upload_app()
	local app, seen = routers.new(), {}
	app:post("/count", function(request)
		local bytes = 0
		for piece in request:pieces() do
			bytes = bytes + #piece
		end
		return bytes .. (request:read() == nil and " end" or " more")
	end)
	app:post("/body", function(request)
		return request.body
	end)
	app:post("/some", function(request)
		return request:read(3) or "-"
	end)
	app:post("/ignore", function()
		return "ignored"
	end)
	app:post("/small", middleware.body_limit(10), function(request)
		return request.body
	end)
	app:post("/trailer", function(request)
		return request.body .. tostring((request.trailers or {})["x-sum"])
	end)
	app:get("/last", function()
		seen.last = (seen.last or 0) + 1
		return "last"
	end)
	return app, seen
end

function cases.a_body_is_read_in_pieces_as_it_comes()
	local host = serve(upload_app(), { stream = 0, body = 1000 })
	local page = string.rep("0123456789", MB)
	check.equal({ httpc.request("POST", host, "/count", nil, nil, page) }, { 200, "10485760 end" })
	local id = assert(socket.open(host))
	socket.write(id, post("/some", "Content-Length: 6\r\n", "abc"))
	local head = socket.readline(id, "\r\n\r\n")
	assert(string.find(head, "200 OK", 1, true), head)
	check.equal(socket.read(id, 3), "abc", "the answer comes before the end of the body")
	socket.write(id, "def" .. LAST)
	assert(string.find(socket.readall(id), "last$"))
	socket.close(id)
	check.equal({ httpc.request("POST", host, "/body", nil, nil, "as a whole") }, { 200, "as a whole" })
end

function cases.what_a_handler_has_left_is_not_taken_for_a_request()
	for _, stream in ipairs { 0, false } do
		local app, seen = upload_app()
		local host = serve(app, { stream = stream or nil })
		local smuggled = "GET /last HTTP/1.1\r\nHost: evil\r\n\r\n"
		local answer = raw(
			host,
			post("/ignore", "Content-Length: " .. #smuggled .. "\r\n", smuggled)
				.. post("/some", "Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n3\r\nfgh\r\n0\r\nx-a: b\r\n\r\n")
				.. post("/count", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n")
				.. post("/trailer", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX-Sum: 7\r\nHost: y\r\n\r\n")
				.. LAST
		)
		local bodies = {}
		for body in string.gmatch(answer, "\r\n\r\n([^\r\n]-)%f[H\0]") do
			bodies[#bodies + 1] = body
		end
		check.equal(bodies, { "ignored", "abc", "1 end", "a7", "last" })
		check.equal(seen.last, 1)
	end
end

function cases.what_could_be_understood_in_two_ways_is_refused_before_the_handler()
	local app, seen = upload_app()
	local host, ended = serve(app, { stream = true })
	local function code(header, body)
		return first_code(host, post("/last", header, body) .. LAST)
	end
	check.equal(code("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400")
	check.equal(code("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), "400")
	check.equal(code("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), "400")
	check.equal(code("Transfer-Encoding: gzip\r\n", "0\r\n\r\n"), "501")
	check.equal(seen.last, nil)
	local function broken(body)
		return first_code(host, post("/count", "Transfer-Encoding: chunked\r\n", body) .. LAST)
	end
	check.equal(broken "3\r\nabcd\r\n0\r\n\r\n", "400")
	check.equal(broken "3 3\r\nabc\r\n0\r\n\r\n", "400")
	check.equal(broken "-1\r\nabc\r\n0\r\n\r\n", "400")
	check.equal(broken "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", "413")
	check.equal(broken "3\r\nabc\r\n0\r\nno field\r\n\r\n", "400")
	check.equal(broken("3;" .. string.rep("x", 2000) .. "\r\nabc\r\n0\r\n\r\n"), "400")
	check.await(function()
		return ended.count == 10
	end)
	check.equal(seen.last, nil)
end

function cases.bodies_have_limits_however_they_are_read()
	local host = serve(upload_app(), { stream = 1000, body = 100 })
	local function code(target, size, chunked)
		local body = string.rep("x", size)
		local header = chunked and { ["transfer-encoding"] = "chunked" } or nil
		return (
			httpc.request(
				"POST",
				host,
				target,
				nil,
				header,
				chunked and string.format("%x\r\n%s\r\n0\r\n\r\n", size, body) or body
			)
		)
	end
	for _, chunked in ipairs { false, true } do
		check.equal({ code("/count", 1000, chunked), code("/count", 1001, chunked) }, { 200, 413 })
		check.equal({ code("/body", 100, chunked), code("/body", 101, chunked) }, { 200, 413 })
		check.equal({ code("/small", 10, chunked), code("/small", 11, chunked) }, { 200, 413 })
		check.equal({ code("/ignore", 1000, chunked), code("/ignore", MB, chunked) }, { 200, 200 })
	end
	check.raises("option stream", server.serve, assert(socket.open(host)), print, { stream = "yes" })
end

function cases.a_client_that_waits_for_100_is_told_when_the_body_is_wanted()
	local host = serve(upload_app(), { stream = true })
	local id = assert(socket.open(host))
	socket.write(id, post("/count", "Content-Length: 3\r\nExpect: 100-continue\r\n", ""))
	check.equal(socket.readline(id, "\r\n\r\n"), "HTTP/1.1 100 Continue")
	socket.write(id, "abc")
	assert(string.find(socket.readline(id, "\r\n\r\n"), "200 OK", 1, true))
	socket.close(id)
	id = assert(socket.open(host))
	socket.write(id, post("/ignore", "Content-Length: 3\r\nExpect: 100-continue\r\n", ""))
	local answer = socket.readall(id)
	assert(string.find(answer, "^HTTP/1.1 200") and string.find(answer, "connection: close", 1, true), answer)
	socket.close(id)
end

function cases.a_body_that_breaks_off_is_no_answer()
	local reached
	local app = routers.new()
	app:post("/", function(request)
		for _ in request:pieces() do
		end
		reached = true
	end)
	local host, ended = serve(app, { stream = true })
	local id = assert(socket.open(host))
	socket.write(id, post("/", "Content-Length: 100\r\n", "only this"))
	socket.close(id)
	check.await(function()
		return ended.count == 1
	end)
	check.equal(reached, nil)
	host = serve(app, { stream = true, body_time = 50 })
	id = assert(socket.open(host))
	socket.write(id, post("/", "Content-Length: 100\r\n", "and then nothing"))
	check.equal(socket.readall(id) or "", "")
	socket.close(id)
	-- A byte now and then is not enough.
	id = assert(socket.open(host))
	socket.write(id, post("/", "Content-Length: 100000\r\n", ""))
	repeat
		socket.write(id, "x")
		skynet.sleep(5)
	until socket.disconnected(id)
	socket.close(id)
	check.equal(reached, nil)
end

check.run(cases)
