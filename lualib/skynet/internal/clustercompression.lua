--- Packets of large messages, compressed: for nodes that know it, see skynet.internal.clusterhello.

local core = require "skynet.cluster.core"

local compress = core.compress -- the C project's module has none

local M = {
	--- Whether this node can do that.
	is_possible = compress ~= nil,
}

--- A packet and those that follow it, each from `least` bytes on compressed if that makes it smaller. Does not yield.
---@param packet string
---@param parts string[]?
---@param least integer
---@param is_answer boolean?
---@return string packet, string[]? parts
function M.packets(packet, parts, least, is_answer)
	if not compress then
		return packet, parts
	end
	for i, part in ipairs(parts or {}) do
		parts[i] = #part >= least and compress(part, is_answer) or part
	end
	return #packet >= least and compress(packet, is_answer) or packet, parts
end

return M
