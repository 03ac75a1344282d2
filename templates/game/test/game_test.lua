-- The whole server, over the network: a client as players have one.
local skynet = require "skynet"
local test = require "skynet.test"
local connection = require "connection"

local port

test.before_all(function()
	skynet.newservice "schema"
end)

-- Lets players in to a world.
local function listen(world)
	local watchdog = test.service("watchdog", world)
	local _
	_, port = skynet.call(watchdog, "lua", "listen", { address = "127.0.0.1", port = 0, maxclient = 10 })
end

test.before(function()
	listen(test.service("world", 60, 42))
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

-- A world that lets nobody in until `open` is called, and a client that has sent joins, all in one write.
local function waiting_world(...)
	local gate = {}
	local world = test.fake(nil, {
		join = function()
			if gate then
				skynet.wait(gate)
			end
			return true, {}
		end,
		leave = true,
	})
	listen(world.address)
	local tcp, bytes = test.client(port), {}
	local server = connection.client(function(message)
		table.insert(bytes, string.pack(">s2", message))
	end)
	for session, name in ipairs { ... } do
		server.ask("join", { name = name }, session)
	end
	tcp:send(table.concat(bytes))
	test.wait_for(function()
		return world:count "join" > 0
	end)
	local function open()
		skynet.wakeup(gate)
		gate = nil
	end
	return world,
		open,
		function()
			local _, session, answer = server.read(tcp:packet())
			return session, answer.ok
		end
end

test("who joins twice at once is one player", function()
	local world, open, answer = waiting_world("Alice", "Bob")
	test.equal({ answer() }, { 2, false })
	open()
	test.equal({ answer() }, { 1, true })
	test.equal(world:count "join", 1)
end)

test("who goes while the world decides does not stay in it", function()
	local world, open = waiting_world "Alice"
	skynet.send(world.calls[1].source, "lua", "disconnected") -- as the watchdog does
	open()
	test.wait_for(function()
		return world:count "leave" == 1
	end)
	test.equal(world.calls[2][1], "Alice")
end)
