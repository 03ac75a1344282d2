-- A client that does not read is not written to without bound, and does not take the turns of others; one that says nothing does not
-- keep others out.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local server = require "http.server"
local websocket = require "http.websocket"
local check = require "check"
local listen = require "listening"

local cases = {}

local MB <const> = 1024 * 1024
-- What the two systems keep of a connection, and more than what waits before the server is.
local MOST <const> = 64 * MB

local function serve(handler, options)
	local ended = { count = 0 }
	local host = listen(function(id, _, address)
		server.serve(id, handler, setmetatable({ address = address }, { __index = options }))
		ended.count = ended.count + 1
	end)
	return host, ended
end

-- A connection that asks and does not read.
local function ask_only(host, requests)
	local id = assert(socket.open(host))
	socket.pause(id)
	socket.write(id, requests)
	return id
end

function cases.pieces_of_a_body_are_made_as_the_client_takes_them()
	local made = 0
	local host, ended = serve(function(request)
		if request.target == "/small" then
			return 200, "hello"
		end
		return 200, function()
			made = made + 10000
			return string.rep("z", 10000)
		end
	end, {})
	local id = ask_only(host, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	check.await(function()
		return made > 0
	end)
	for _ = 1, 20 do
		check.equal({ httpc.get(host, "/small") }, { 200, "hello" })
	end
	assert(made < MOST, made)
	socket.close(id)
	check.await(function()
		return ended.count == 21
	end)
end

function cases.a_body_without_an_end_leaves_turns_to_others()
	local made = 0
	local host, ended = serve(function(request)
		if request.target == "/small" then
			return 200, "hello"
		end
		return 200, function()
			made = made + 10000
			return string.rep("z", 10000)
		end
	end, {})
	local id = assert(socket.open(host))
	socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	skynet.fork(function()
		repeat
		until not socket.read(id)
	end)
	check.await(function()
		return made > 4 * MB
	end)
	check.equal({ httpc.get(host, "/small") }, { 200, "hello" })
	socket.close(id)
	check.await(function()
		return ended.count == 2
	end)
end

function cases.requests_in_advance_wait_for_the_answers_before_them()
	local page, answered = string.rep("x", 16 * MB), 0
	local host, ended = serve(function(request)
		if request.target == "/small" then
			return 200, "hello"
		end
		answered = answered + 1
		return 200, page
	end, {})
	local id = ask_only(host, string.rep("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 8))
	check.await(function()
		return answered > 0
	end)
	check.equal({ httpc.get(host, "/small") }, { 200, "hello" })
	assert(answered <= 2, answered)
	socket.close(id)
	check.await(function()
		return ended.count == 2
	end)
end

function cases.who_says_nothing_gives_way()
	local host, ended = serve(function()
		return 200, "hello"
	end, { connections = 3 })
	local silent = {}
	for i = 1, 3 do
		silent[i] = assert(socket.open(host))
	end
	local ok, code
	repeat
		ok, code = pcall(httpc.get, host, "/")
		skynet.sleep(10)
	until ok and code == 200
	check.await(function()
		return ended.count >= 2 -- the honest one, and who went first
	end)
	check.equal(socket.read(silent[1]), false)
	for _, id in ipairs(silent) do
		socket.close(id)
	end
end

function cases.a_code_that_is_none_of_an_answer_is_the_handlers_mistake()
	for _, code in ipairs { 100, -5, 1000, 0 } do
		local host, ended = serve(function()
			return code, "hello"
		end, {})
		check.equal((httpc.get(host, "/")), 500)
		check.await(function()
			return ended.count == 1
		end)
	end
end

function cases.a_handler_that_returns_nothing_has_made_a_mistake()
	local host, ended = serve(function(request)
		if request.target == "/" then
			return 200, "hello"
		end
	end, {})
	for _ = 1, 3 do
		check.equal((httpc.get(host, "/nosuch")), 500)
	end
	check.equal((httpc.get(host, "/")), 200)
	check.await(function()
		return ended.count == 4
	end)
end

function cases.answers_that_are_not_what_they_say_are_mistakes()
	for _, answer in ipairs {
		{ "abcdef", { ["Content-Length"] = 2 } },
		{ "abc", { ["content-length"] = "99" } },
		{ "abc", { ["transfer-encoding"] = "chunked" } },
	} do
		local host = serve(function()
			return 200, answer[1], answer[2]
		end, {})
		check.equal((httpc.get(host, "/")), 500)
	end
	local host, ended = serve(function()
		return 200, function()
			return {}
		end
	end, {})
	check.equal((httpc.get(host, "/")), 500)
	check.await(function()
		return ended.count == 1
	end)
end

function cases.frames_behind_an_upgrade_are_not_lost()
	local got = {}
	local host = serve(function(request)
		websocket.accept(request.id, {
			message = function(_, text)
				got[#got + 1] = text
			end,
		}, "ws", request.address, { upgrade = request })
	end, {})
	local id = assert(socket.open(host))
	local function frame(text)
		return string.pack(">BBI4", 0x81, 0x80 + #text, 0) .. text
	end
	socket.write(
		id,
		"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			.. "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
			.. frame "one"
			.. frame "two"
	)
	check.await(function()
		return #got == 2
	end)
	check.equal(got, { "one", "two" })
	socket.close(id)
end

check.run(cases)
