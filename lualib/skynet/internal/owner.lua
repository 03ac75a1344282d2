--- A service that keeps something for all services of the node, as those of sharetable and datasheet do: requests are commands with
--- the handle of who asks, and answer by themselves.

local skynet = require "skynet"

--- Makes the running service one.
---@param command table<string, fun(source: integer, ...)>
---@param describe fun(): any what the console's `info` shows
return function(command, describe)
	skynet.dispatch("lua", function(_, source, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		run(source, ...)
	end)
	skynet.info_func(describe)
end
