--- The "lua" messages of a gate's service: its own commands, and for all others the handler's.

local skynet = require "skynet"

---@param command table<string, fun(source: integer, ...): any> the gate's own
---@param handler { command: fun(name: string, source: integer, ...), embed: boolean? } embed: the service has a start of its own
return function(command, handler)
	local function init()
		skynet.dispatch("lua", function(_, source, name, ...)
			local run = command[name]
			if run then
				skynet.retpack(run(source, ...))
			else
				skynet.retpack(handler.command(name, source, ...))
			end
		end)
	end

	if handler.embed then
		init()
	else
		skynet.start(init)
	end
end
