-- Answers what it is asked.

local skynet = require "skynet"
local sharetable = require "skynet.sharetable"

local command = {}

function command.echo(...)
	return ...
end

function command.note()
	return skynet.ignoreret
end

function command.shared(name)
	return sharetable.query(name).version
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, name, ...)
		if name == "exit" then
			skynet.ret()
			return skynet.exit()
		elseif session ~= 0 then
			skynet.retpack(command[name](...))
		end
	end)
end)
