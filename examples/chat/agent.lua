-- One client: understands what it says, and writes to it what the others say. One service for each connection.
local skynet = require "skynet"
local socket = require "skynet.socket"
local packet = require "packet"

-- The arguments of a service are strings.
local fd, room, watchdog = ...
fd, room, watchdog = tonumber(fd), tonumber(room), tonumber(watchdog)
local name

local function tell(text)
	socket.write(fd, packet.pack(text))
end

---------------------------------------------------------------- what clients say: "word rest"

local said = {}

function said.join(wanted)
	if name then
		return tell("error you are " .. name)
	end
	local ok, others = skynet.call(room, "lua", "join", wanted)
	if not ok then
		return tell("error " .. others)
	end
	name = wanted
	tell("welcome " .. others)
end

function said.say(text)
	if not name then
		return tell "error join first"
	end
	skynet.call(room, "lua", "say", name, text) -- a call: what a client says stays in order
end

function said.quit()
	tell "bye"
	skynet.send(watchdog, "lua", "kick", fd)
end

skynet.register_protocol {
	name = "client", -- packets that the gate passes on; the session is the connection
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
	dispatch = function(_, _, text)
		skynet.ignoreret() -- it is no request of a service
		local word, rest = string.match(text, "^(%l+) ?(.*)$")
		local handler = said[word]
		if handler then
			handler(rest)
		else
			tell "error what?"
		end
	end,
}

---------------------------------------------------------------- what services say

local command = {}

command.tell = tell -- the room: somebody has said something

function command.disconnected() -- the watchdog
	if name then
		skynet.call(room, "lua", "leave", name)
	end
	skynet.exit()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, ...)
		command[what](...)
	end)
end)
