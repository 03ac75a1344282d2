-- One player: understands what the client says, and tells it the news. A service for each connection.
local skynet = require "skynet"
local socket = require "skynet.socket"
local connection = require "connection"

-- The arguments of a service are strings.
local fd, world, watchdog = ...
fd, world, watchdog = tonumber(fd), tonumber(world), tonumber(watchdog)
local name

local function write(bytes)
	socket.write(fd, string.pack(">s2", bytes))
end

local client = connection.server(write)

---------------------------------------------------------------- what clients ask

local asked = {}

function asked.join(fields)
	if name then
		return { ok = false, problem = "you are " .. name }
	end
	local ok, others = skynet.call(world, "lua", "join", fields.name or "")
	if not ok then
		return { ok = false, problem = others }
	end
	name = fields.name
	return { ok = true, players = others }
end

function asked.guess(fields)
	if not name then
		return { answer = "join first" }
	end
	return { answer = skynet.call(world, "lua", "guess", name, fields.number or 0) }
end

skynet.register_protocol {
	name = "client", -- packets that the gate passes on; the session is the connection
	id = skynet.PTYPE_CLIENT,
	unpack = function(msg, size)
		-- Bytes that are no message: whoever sends them is no client of ours.
		return pcall(client.read, msg, size)
	end,
	dispatch = function(_, _, ok, kind, what, fields, respond)
		skynet.ignoreret() -- it is no request of a service
		if not ok or kind ~= "REQUEST" then
			return skynet.send(watchdog, "lua", "kick", fd)
		end
		local answer = asked[what](fields or {})
		if respond then
			write(respond(answer))
		end
	end,
}

---------------------------------------------------------------- what services say

local command = {}

function command.tell(text) -- the world
	client.ask("news", { text = text })
end

function command.disconnected() -- the watchdog
	if name then
		skynet.call(world, "lua", "leave", name)
	end
	skynet.exit()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, ...)
		command[what](...)
	end)
end)
