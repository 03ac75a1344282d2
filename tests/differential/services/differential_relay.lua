-- Takes messages by `skynet.filter` or `skynet.forward_type`, and answers what it got.
local skynet = require "skynet"
require "skynet.manager"

local SEALED <const> = 95

local how <const> = ...

local function start()
	skynet.dispatch("lua", function(_, _, ...)
		if (...) == "fail" then
			error "of the relay"
		end
		skynet.retpack("relayed", ...)
	end)
end

if how == "filter" then
	skynet.filter(function(...)
		return ...
	end, start)
else
	skynet.forward_type({ [SEALED] = skynet.PTYPE_LUA }, start)
end
