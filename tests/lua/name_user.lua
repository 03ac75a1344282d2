-- Waits for global names and sends to them.
local skynet = require "skynet"
local harbor = require "skynet.harbor"

local command = {}

function command.use(name)
	local handle = harbor.queryname(name)
	skynet.send(name, "lua", "by name")
	skynet.send(handle, "lua", "by handle")
end

function command.ping()
	skynet.retpack()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
