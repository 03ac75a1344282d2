-- A server of messages: answers what clients ask, and says what its handlers were given.
local skynet = require "skynet"
local msgserver = require "snax.msgserver"
local sweep = require "sweep"

local events = {}

local function note(...)
	events[#events + 1] = sweep.render { ... }
end

msgserver.start {
	login_handler = function(uid, secret)
		note("login", uid)
		local name = msgserver.username(uid, 7, "server")
		msgserver.login(name, secret)
		return name
	end,
	logout_handler = function(name)
		note("logout", name, (msgserver.userid(name)))
		msgserver.logout(name)
	end,
	kick_handler = function(what, ...)
		if what == "events" then
			local list = events
			events = {}
			return list
		end
		return sweep.observe(msgserver[what], ...)
	end,
	request_handler = function(name, message)
		note("request", name, message)
		if message == "fail" then
			error "of the request"
		elseif message == "slow" then
			skynet.sleep(3)
		elseif message == "nothing" then
			return
		elseif message == "ip" then
			return (string.gsub(msgserver.ip(name), ":%d+$", ":PORT"))
		end
		return "<" .. message .. ">"
	end,
	register_handler = function(name)
		note("register", name)
	end,
	disconnect_handler = function(name)
		note("disconnect", name)
	end,
}
