--- The network of harbors, through the node's `.cslave` service.

local skynet = require "skynet"

---@class skynet.harbor
local harbor = {}

--- Registers a global name. Does not yield.
---@param name string at most 15 bytes, not a number
---@param handle integer? this service by default
function harbor.globalname(name, handle)
	skynet.send(".cslave", "lua", "REGISTER", name, handle or skynet.self())
end

--- Waits for a global name. Yields.
---@param name string
---@return integer handle
function harbor.queryname(name)
	return skynet.call(".cslave", "lua", "QUERYNAME", name)
end

--- Returns when the connection to a node is lost (at once when there is none). Yields.
---@param id integer harbor id
function harbor.link(id)
	skynet.call(".cslave", "lua", "LINK", id)
end

--- Waits until a node is connected. Yields.
---@param id integer harbor id
function harbor.connect(id)
	skynet.call(".cslave", "lua", "CONNECT", id)
end

--- Returns when the connection to the master is lost. Yields.
function harbor.linkmaster()
	skynet.call(".cslave", "lua", "LINKMASTER")
end

return harbor
