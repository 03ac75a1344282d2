-- Stands for a service of another node: what it gets goes there, and the answers come back.

local skynet = require "skynet"
require "skynet.manager"
require "skynet.cluster" -- starts clusterd
local alive = require "skynet.internal.alive"
local given = require "skynet.internal.given"

local node, address = ...
address = math.tointeger(tonumber(address)) or address

skynet.register_protocol {
	name = "system",
	id = skynet.PTYPE_SYSTEM,
	unpack = function(...)
		return ...
	end,
}

-- Messages keep their packed form; they belong to the handler, and so do answers.
local as_system = {
	[skynet.PTYPE_LUA] = skynet.PTYPE_SYSTEM,
	[skynet.PTYPE_SNAX] = skynet.PTYPE_SYSTEM,
	[skynet.PTYPE_RESPONSE] = skynet.PTYPE_RESPONSE,
}

skynet.forward_type(as_system, function()
	local clusterd = skynet.uniqueservice "clusterd"
	local sender = skynet.call(clusterd, "lua", "sender", node)

	-- It may have been killed: clusterd has another one then.
	local function find_sender(msg, sz)
		local ok, found = pcall(skynet.call, clusterd, "lua", "sender", node)
		if not ok then
			skynet.trash(msg, sz)
			error(found, 0)
		end
		sender = found
	end

	skynet.dispatch("system", function(session, _, msg, sz)
		if not alive(sender) then
			find_sender(msg, sz)
		end
		given.away(sz)
		if session == 0 then
			skynet.send(sender, "lua", "push", address, msg, sz)
		else
			skynet.ret(skynet.rawcall(sender, "lua", skynet.pack("req", address, msg, sz)))
		end
	end)
end)
