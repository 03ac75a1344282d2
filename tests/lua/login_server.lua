-- A login server; the token of a client is its name. Who "hold" is, the service `.holder` has to say.
local skynet = require "skynet"
local login = require "snax.loginserver"

local port = ...
local secrets, waiting = {}, {}

local command = {}

function command.secret(uid)
	return secrets[uid]
end

function command.is_logging_in(uid)
	return waiting[uid] ~= nil
end

function command.let_in(uid)
	skynet.wakeup(waiting[uid])
end

login {
	host = "127.0.0.1",
	port = tonumber(port),
	name = "test_login",
	instance = 2,
	auth_handler = function(token)
		assert(token ~= "unknown")
		if token == "hold" then
			skynet.call(".holder", "lua", "hold")
		end
		return "server", token
	end,
	login_handler = function(_, uid, secret)
		assert(uid ~= "refused")
		secrets[uid] = secret
		if uid == "slow" then
			waiting[uid] = {}
			skynet.wait(waiting[uid])
		end
		return "id of " .. uid
	end,
	command_handler = function(name, ...)
		return command[name](...)
	end,
}
