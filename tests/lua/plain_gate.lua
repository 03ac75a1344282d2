-- A gate of its own on netpack, as older layers and projects have them: ("open", whether it waits to be told its port) -> port;
-- ("kinds") -> the kinds of its events so far, when there is one of data among them.
local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"

local queue, listener, waiting, asked, complete
local kinds = {}
local on = {}

function on.init(id)
	if id == listener then
		skynet.wakeup(waiting)
	end
end

function on.open(fd)
	driver.start(fd)
end

function on.data(_, msg, sz)
	netpack.tostring(msg, sz)
	complete = true
	if asked then
		asked(true, kinds)
	end
end

local function arrive(_, _, packets, kind, ...)
	queue = packets
	if kind then
		kinds[#kinds + 1] = kind
		on[kind](...)
	end
end

local function packets_of(message, size)
	return netpack.filter(queue, message, size)
end

skynet.register_protocol { id = skynet.PTYPE_SOCKET, name = "socket", dispatch = arrive, unpack = packets_of }

-- Yields.
local function port_of(id)
	while true do
		for _, info in ipairs(driver.info()) do
			if info.id == id and info.sock then
				return tonumber(string.match(info.sock, ":(%d+)$"))
			end
		end
		skynet.sleep(1)
	end
end

local command = {}

function command.open(waits)
	listener = driver.listen("127.0.0.1", 0)
	if waits then
		waiting = coroutine.running()
		skynet.wait(waiting)
	end
	driver.start(listener)
	skynet.retpack(port_of(listener))
end

function command.kinds()
	if complete then
		skynet.retpack(kinds)
	else
		asked = skynet.response()
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
