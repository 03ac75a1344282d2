-- A login server; the token of a client is its name.

local login = require "snax.loginserver"

local port = ...

login {
	host = "127.0.0.1",
	port = math.tointeger(tonumber(port)),
	name = "hostile_login",
	instance = 4,
	multilogin = true,
	auth_handler = function(token)
		return "server", token
	end,
	login_handler = function(_, uid)
		return "id of " .. uid
	end,
	command_handler = function() end,
}
