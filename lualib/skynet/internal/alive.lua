--- alive(handle): whether there is a service of that handle in this node. Does not yield.

local core = require "skynet.core"
local skynet = require "skynet"

---@param handle integer
---@return boolean
return function(handle)
	return core.command("MQLEN", skynet.address(handle)) ~= nil
end
