-- The packets of the chat: 2 bytes of size (big-endian), then text. The gate cuts these on the server's side.
local socket = require "skynet.socket"

local packet = {}

function packet.pack(text)
	return string.pack(">s2", text)
end

-- The next packet of a connection, nil when it has ended. Yields.
function packet.read(id)
	local size = socket.read(id, 2)
	if size then
		return socket.read(id, (string.unpack(">I2", size))) or nil
	end
end

return packet
