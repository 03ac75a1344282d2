-- One end of the protocol: makes and reads messages. The agents of the server use it, and the client in the tests.
local sprotoloader = require "sprotoloader"
local messages = require "messages"

local connection = {}

-- `mine`: the slot of what this end is asked; `theirs`: of what it asks. `write` gets the bytes of a message.
local function new(mine, theirs, write)
	local host = sprotoloader.load(mine):host "package"
	local make = host:attach(sprotoloader.load(theirs))
	return {
		-- Reads a message: "REQUEST", name, fields, respond; or "RESPONSE", session, fields.
		read = function(...)
			return host:dispatch(...)
		end,
		-- Asks the other end; with a session it answers.
		ask = function(name, fields, session)
			write(make(name, fields, session))
		end,
	}
end

function connection.server(write)
	return new(messages.FROM_CLIENT, messages.FROM_SERVER, write)
end

function connection.client(write)
	return new(messages.FROM_SERVER, messages.FROM_CLIENT, write)
end

return connection
