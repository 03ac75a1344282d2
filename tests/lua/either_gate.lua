-- For a service that is the watchdog and the agent of a gate: of `gate.lua` ("lua") or of the C service ("c").
--
--     local gate, port = either_gate.open(kind, port, { open = function(fd) end, close = function(fd) end })
--     either_gate.event(event, fd) -- what comes from gate.lua as a "lua" message ("socket", event, fd)
local skynet = require "skynet"
require "skynet.manager"

local M = {}
local gate, in_c, told

function M.event(event, fd)
	if event == "open" then
		if in_c then
			local me = skynet.address(skynet.self())
			skynet.send(gate, "text", string.format("forward %d %s %s", fd, me, me))
			skynet.send(gate, "text", "start " .. fd)
		else
			skynet.send(gate, "lua", "forward", fd)
		end
	end
	if told[event] then
		told[event](fd)
	end
end

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
	dispatch = function(_, _, text)
		local fd, event = string.match(text, "^(%d+) (%a+)")
		M.event(event, math.tointeger(tonumber(fd)))
	end,
}

function M.open(kind, port, on)
	told, in_c = on, kind == "c"
	if in_c then
		gate = skynet.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, skynet.PTYPE_CLIENT, 100)
	else
		gate = skynet.newservice "gate"
		_, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0 })
	end
	return gate, port
end

return M
