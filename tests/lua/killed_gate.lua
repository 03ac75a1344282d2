-- A gate for killed_gates.lua, which echoes packets, and whose tasks can be made to wait where they are killed.
local skynet = require "skynet"
local netpack = require "skynet.netpack"
local socketdriver = require "skynet.socketdriver"
local gateserver = require "snax.gateserver"

local waits = false -- in `connect`
local closed = 0
local handler, command = {}, {}

-- The task that waits next is killed there.
function command.kill_next()
	local wait = skynet.wait
	skynet.wait = function(token)
		skynet.wait = wait
		skynet.fork(skynet.killthread, coroutine.running())
		return wait(token)
	end
end

function command.hold(on)
	waits = on
end

function command.closed()
	return closed
end

function handler.connect(fd)
	if waits then
		skynet.wait()
	end
	gateserver.openclient(fd)
end

function handler.message(fd, msg, sz)
	socketdriver.send(fd, netpack.pack(netpack.tostring(msg, sz)))
end

function handler.disconnect()
	closed = closed + 1
end

function handler.open(_, conf)
	return conf.port
end

function handler.command(name, _, ...)
	return command[name](...)
end

gateserver.start(handler)
