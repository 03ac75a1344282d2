-- One player: understands what the client says, and tells it the news. A service for each connection.
local skynet = require "skynet"
local socket = require "skynet.socket"
local connection = require "connection"

-- The arguments of a service are strings.
local fd, world, watchdog = ...
fd, world, watchdog = tonumber(fd), tonumber(world), tonumber(watchdog)

-- Set before the world is asked: while a call waits, other messages come in.
local state = "new" -- then "joining", "playing"; at last "gone"
local name

local function write(bytes)
	socket.write(fd, string.pack(">s2", bytes))
end

local client = connection.server(write)

---------------------------------------------------------------- what clients ask

local asked = {}

function asked.join(fields)
	if state ~= "new" then
		return { ok = false, problem = name and "you are " .. name or "you have asked already" }
	end
	state = "joining"
	local ok, others = skynet.call(world, "lua", "join", fields.name or "")
	if state == "gone" then -- the client did not wait for the answer
		if ok then
			skynet.call(world, "lua", "leave", fields.name)
		end
		skynet.exit()
	end
	if not ok then
		state = "new"
		return { ok = false, problem = others }
	end
	state, name = "playing", fields.name
	return { ok = true, players = others }
end

function asked.guess(fields)
	if state ~= "playing" then
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
	local before = state
	state = "gone"
	if before == "joining" then
		return -- `asked.join` goes on when the world has answered
	elseif before == "playing" then
		skynet.call(world, "lua", "leave", name)
	end
	skynet.exit()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, ...)
		command[what](...)
	end)
end)
