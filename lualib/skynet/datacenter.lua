--- Values that all nodes of a network share, in a tree of keys, kept by one service.

local skynet = require "skynet"

---@class skynet.datacenter
local M = {}

--- The value at a path of keys, nil or no value if there is none; a table for a branch. Yields.
---@param ... any the keys, from the root
---@return any value
function M.get(...)
	return skynet.call("DATACENTER", "lua", "QUERY", ...)
end

--- set(key, ..., value): sets the value at a path. Yields.
---@param ... any the keys, from the root, and the value
---@return any previous value, none if there was none
function M.set(...)
	return skynet.call("DATACENTER", "lua", "UPDATE", ...)
end

--- Waits until there is a value at a path. Raises when the path turns out to be a branch. Yields.
---@param ... any the keys, from the root
---@return any value
function M.wait(...)
	return skynet.call("DATACENTER", "lua", "WAIT", ...)
end

return M
