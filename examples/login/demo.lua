-- Starts both servers, logs in, plays, loses the connection, and comes back.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local client = require "client"

local login_port = tonumber(skynet.getenv "login_port")
local game_port = tonumber(skynet.getenv "game_port")

local function ask(session, content)
	client.send(session, content)
	return (client.receive(session))
end

skynet.start(function()
	local login = skynet.newservice "login"
	local game = skynet.newservice("game", login)
	skynet.call(game, "lua", "open", {
		address = "127.0.0.1",
		port = game_port,
		maxclient = 64,
		servername = "forest",
	})

	print("wrong password:", select(2, client.login(login_port, "forest", "Alice", "hare")))
	local session = assert(client.login(login_port, "forest", "Alice", "rabbit"))
	client.connect(game_port, session)
	print("Alice earns 5, has:", ask(session, "earn 5"))
	print("nonsense:", ask(session, "fly"))

	-- The connection is lost after a request was sent. Was it done? The client asks again, with the same number.
	local number = client.send(session, "earn 3")
	client.disconnect(session)
	client.connect(game_port, session)
	client.send(session, "earn 3", number)
	print("Alice earns 3, has:", client.receive(session))
	print("not counted twice:", ask(session, "coins"))

	-- Alice logs in elsewhere: the first session ends.
	local second = assert(client.login(login_port, "forest", "Alice", "rabbit"))
	client.connect(game_port, second)
	print("elsewhere she has:", ask(second, "coins"))
	print("the first session gets:", (client.receive(session)))
	print "login is done"
	skynet.abort()
end)
