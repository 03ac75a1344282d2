--- Blocks whose addresses go to another service in a message, which frees them: the figures of memory are told.
local skynet = require "skynet"
local core = require "skynet.core"

local given = {}

--- Packs values for another service.
---@return lightuserdata block
---@return integer size
function given.pack(...)
	local block, size = skynet.pack(...)
	core.intcommand("MOVED", size)
	return block, size
end

--- This service gives a block away.
function given.away(size)
	core.intcommand("MOVED", size)
end

--- This service has got a block, or has it back.
function given.taken(size)
	core.intcommand("MOVED", -size)
end

return given
