-- The gate in Lua (snax.gateserver), with an agent that sends every packet back.

local skynet = require "skynet"
local gate = require "listeners.gate"

local M = { stays = true, bytes = gate.bytes, open = gate.open }

function M.start()
	local echo = skynet.newservice "gate_echo"
	return skynet.call(echo, "lua", "start")
end

return M
