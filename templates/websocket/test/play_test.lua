-- The whole server, as browsers see it.
local skynet = require "skynet"
local test = require "skynet.test"
local httpc = require "http.httpc"
local websocket = require "http.websocket"

local host

test.before(function()
	local board = test.service "board"
	local server = test.service("server", board)
	local _, port = skynet.call(server, "lua", "listen", "127.0.0.1", 0)
	host = "127.0.0.1:" .. port
end)

local function connect()
	local id = websocket.connect("ws://" .. host .. "/play")
	test.finally(function()
		websocket.close(id)
	end)
	return id
end

test("the page is there, and nothing else", function()
	local code, page = httpc.get(host, "/")
	test.equal(code, 200)
	test.matches(page, "<canvas")
	test.equal(httpc.get(host, "/nothing"), 404)
end)

test("players see each other come, move and go", function()
	local one = connect()
	test.equal(websocket.read(one), "at P1 10 10")
	local two = connect()
	test.equal(websocket.read(two), "at P1 10 10")
	test.equal(websocket.read(two), "at P2 10 10")
	test.equal(websocket.read(one), "at P2 10 10")

	websocket.write(one, "move left")
	test.equal(websocket.read(two), "at P1 9 10")
	websocket.close(one)
	test.equal(websocket.read(two), "gone P1")
end)

test("the edge of the board stops a player", function()
	local id = connect()
	websocket.read(id)
	for _ = 1, 12 do
		websocket.write(id, "move up")
	end
	local last
	for _ = 1, 12 do
		last = websocket.read(id)
	end
	test.equal(last, "at P1 10 0")
end)
