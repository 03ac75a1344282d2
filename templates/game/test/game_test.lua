-- The whole server, over the network: a client as players have one.
local skynet = require "skynet"
local test = require "skynet.test"
local connection = require "connection"

local port

test.before_all(function()
	skynet.newservice "schema"
end)

test.before(function()
	local world = test.service("world", 60, 42)
	local watchdog = test.service("watchdog", world)
	local _
	_, port = skynet.call(watchdog, "lua", "listen", { address = "127.0.0.1", port = 0, maxclient = 10 })
end)

-- A client that asks and waits for the answer; what it is told meanwhile is in `news`.
local function connect()
	local tcp = test.client(port)
	local player = { news = {} }
	local server = connection.client(function(bytes)
		tcp:send_packet(bytes)
	end)

	function player.ask(name, fields)
		server.ask(name, fields, 1)
		while true do
			local kind, what, answer = server.read(tcp:packet())
			if kind == "RESPONSE" then
				return answer
			end
			table.insert(player.news, what == "news" and answer.text)
		end
	end

	player.tcp = tcp
	return player
end

test("two players meet, and one of them wins", function()
	local alice, bob = connect(), connect()
	test.equal(alice.ask("join", { name = "Alice" }), { ok = true, players = {} })
	test.equal(bob.ask("join", { name = "Bob" }), { ok = true, players = { "Alice" } })
	test.equal(bob.ask("guess", { number = 7 }).answer, "low")
	test.equal(bob.ask("guess", { number = 42 }).answer, "right")
	alice.ask("guess", { number = 1 })
	test.equal(alice.news, { "Bob comes in", "Bob has found 42, and has 1 points" })
end)

test("who does not join cannot play", function()
	test.equal(connect().ask("guess", { number = 42 }).answer, "join first")
end)

test("bytes that are no message end the connection, and nobody else's", function()
	local alice, stranger = connect(), connect()
	stranger.tcp:send_packet "\xff\xff\xff"
	stranger.tcp:rest() -- until the server closes
	test.equal(alice.ask("join", { name = "Alice" }).ok, true)
end)
