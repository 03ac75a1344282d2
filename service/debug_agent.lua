-- One debugging session of the console: attaches to a service and passes the lines that are typed.

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"

local channel
local command = {}

--- start address, fd -> true when the session is over; false, text when it cannot begin
function command.start(address, fd)
	assert(channel == nil, "start more than once")
	skynet.error("Attach to " .. skynet.address(address))
	local handle
	channel, handle = debugchannel.create()
	if pcall(skynet.call, address, "debug", "REMOTEDEBUG", fd, handle) then
		skynet.retpack(true)
	else
		skynet.retpack(false, "Debugger attach failed")
	end
	skynet.exit()
end

function command.cmd(line)
	if channel then
		channel:write(line)
	end
end

--- Answered as long as the session goes on.
function command.ping()
	skynet.ret()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
