-- The login server: knows passwords and where users are, and sends each user to a game server.
local skynet = require "skynet"
local crypt = require "skynet.crypt"
local loginserver = require "snax.loginserver"

-- Of course real ones come from a database, as hashes.
local passwords = { Alice = "rabbit", Bob = "builder" }

local games = {} -- name -> handle of a game server
local online = {} -- user -> { game = handle, subid }
local command = {}

-- A game server is there.
function command.register(name, handle)
	games[name] = handle
end

-- A user has left a game server.
function command.left(user)
	online[user] = nil
end

loginserver {
	name = "login",
	host = "127.0.0.1",
	port = tonumber(skynet.getenv "login_port"),
	instance = 2, -- services that talk with clients who are not known yet

	-- Runs in one of those. The token is what client and server have agreed on: here "game user password", each as
	-- base64. It has come encrypted with the secret.
	auth_handler = function(token)
		local game, user, password = string.match(token, "^(%S+) (%S+) (%S+)$")
		user = crypt.base64decode(user)
		assert(passwords[user] == crypt.base64decode(password), "wrong user or password")
		return crypt.base64decode(game), user
	end,

	-- Runs in the service that is named ".login", like the rest. What it returns goes to the client.
	login_handler = function(name, user, secret)
		local game = assert(games[name], "no such game server")
		local before = online[user]
		if before then
			skynet.call(before.game, "lua", "kick", user, before.subid)
		end
		local subid = skynet.call(game, "lua", "login", user, secret)
		online[user] = { game = game, subid = subid }
		return subid
	end,

	command_handler = function(what, ...)
		return command[what](...)
	end,
}
