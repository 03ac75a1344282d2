-- Ports for listeners that cannot say which one they have got: the config key `ports` has a few that are free.

local skynet = require "skynet"

local M = {}

local next_port = string.gmatch(skynet.getenv "ports" or "", "%d+")

function M.free()
	return math.tointeger(tonumber(next_port()))
end

return M
