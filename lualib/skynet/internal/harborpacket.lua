--- The packets between the master and the slaves of a network of harbors: one byte of size, then packed
--- values.

local skynet = require "skynet"
local socket = require "skynet.socket"

local M = {}

--- A packet of these values. Raises when they take more than 255 bytes.
---@return string
function M.make(...)
	return string.pack("s1", skynet.packstring(...))
end

--- The values of the next packet. Raises "closed" at the end of the connection. Yields.
function M.read(fd)
	local size = socket.read(fd, 1) or error("closed", 0)
	return skynet.unpack(socket.read(fd, string.byte(size)) or error("closed", 0))
end

return M
