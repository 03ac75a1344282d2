-- Messages on a connection: 2 bytes of size (big-endian), then a message of sproto.
local socket = require "skynet.socket"
local sprotoloader = require "sprotoloader"

local protocol = {}

-- One end of a connection. `mine` is the slot of what the other end asks us, `theirs` of what we ask.
local function new_end(id, mine, theirs)
	local host = sprotoloader.load(mine):host "package"
	local make = host:attach(sprotoloader.load(theirs))
	local connection = {}

	local function write(bytes)
		socket.write(id, string.pack(">s2", bytes))
	end

	-- Asks; with a session the other end answers.
	function connection.ask(name, value, session)
		write(make(name, value, session))
	end

	-- The next message, as of host:dispatch; nothing at the end. Yields.
	function connection.read()
		local size = socket.read(id, 2)
		local bytes = size and socket.read(id, (string.unpack(">I2", size)))
		if bytes then
			return host:dispatch(bytes)
		end
	end

	connection.write = write
	return connection
end

function protocol.server(id)
	return new_end(id, 1, 2)
end

function protocol.client(id)
	return new_end(id, 2, 1)
end

return protocol
