-- A message server that sends back what users say.

local msgserver = require "snax.msgserver"

local servername

msgserver.start {
	register_handler = function(name)
		servername = name
	end,
	login_handler = function(uid, secret)
		msgserver.login(msgserver.username(uid, 1, servername), secret)
		return 1
	end,
	logout_handler = function() end,
	kick_handler = function() end,
	request_handler = function(_, text)
		return text
	end,
}
