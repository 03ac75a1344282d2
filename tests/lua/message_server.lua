-- A message server whose only user counts.
local skynet = require "skynet"
local msgserver = require "snax.msgserver"

local count, servername = 0, nil
local waiting, holds = {}, false
local handler = {}

function handler.register_handler(name)
	servername = name
end

function handler.login_handler(uid, secret)
	msgserver.login(msgserver.username(uid, 1, servername), secret)
	return 1
end

function handler.logout_handler(uid, subid)
	msgserver.logout(msgserver.username(uid, subid, servername))
end

handler.kick_handler = handler.logout_handler

function handler.request_handler(username, text)
	assert(msgserver.userid(username) == "user" and msgserver.ip(username))
	if text == "fail" then
		error "as asked"
	elseif string.sub(text, 1, 4) == "wait" then
		waiting[#waiting + 1] = coroutine.running()
		skynet.wait()
		return ""
	elseif text == "hold" then
		holds = true
		return ""
	elseif text == "go" then
		local tasks = waiting
		waiting = {}
		for _, task in ipairs(tasks) do
			skynet.wakeup(task)
		end
		return tostring(#tasks)
	elseif string.sub(text, 1, 4) == "echo" then
		return text
	end
	count = count + 1
	return tostring(count)
end

function handler.disconnect_handler()
	if holds then
		holds = false
		skynet.wait()
	end
end

msgserver.start(handler)
