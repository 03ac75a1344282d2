-- A login server: tokens are "user:server:word".
local login = require "snax.loginserver"
local skynet = require "skynet"

login {
	host = "127.0.0.1",
	port = math.tointeger(string.match(skynet.getenv "ports", "^%d+ (%d+)")),
	name = "differential_login",
	instance = 2,
	multilogin = false,
	auth_handler = function(token)
		local user, server, word = string.match(token, "^([^:]+):([^:]+):([^:]+)$")
		assert(word == "right", "wrong word")
		return server, user
	end,
	login_handler = function(server, user, secret)
		if user == "refused" then
			error "of the login"
		elseif user == "slow" then
			skynet.sleep(20)
		elseif user == "no answer" then
			return
		end
		return string.format("%s@%s %d", user, server, #secret)
	end,
	command_handler = function(command, ...)
		return command, ...
	end,
}
