--- A limit that the config may set: a number above 0, or nil for "no limit", which 0 stands for.
---
---     local most = setting("login_clients", 4096)

local skynet = require "skynet"

--- Does not yield.
---@param key string of the config
---@param default number? nil: no limit
---@return number?
return function(key, default)
	local value = tonumber(skynet.getenv(key)) or default
	return value and value > 0 and value or nil
end
