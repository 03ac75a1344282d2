--- The "debug" protocol: what the launcher and the debug console ask of every service.

local M = {}

local extra_commands = {} -- added by `reg_debugcmd`
local commands            -- skynet/internal/debugcmd.lua, loaded at the first debug message

--- Registers the protocol. Called once, by skynet.lua.
---@param skynet table the API
---@param runtime { dispatch: function, resume: function, suspend: function, inspect: function,
--- fail_calls: function }
function M.init(skynet, runtime)
	local describe

	--- Sets the function that answers the console's `info` command.
	---@param func fun(...): any
	function skynet.info_func(func)
		describe = func
	end

	skynet.register_protocol {
		name = "debug",
		id = skynet.PTYPE_DEBUG,
		pack = skynet.pack,
		unpack = skynet.unpack,
		dispatch = function(_, _, name, ...)
			commands = commands or require "skynet.internal.debugcmd"(skynet, runtime, function(...)
				if describe then
					return describe(...)
				end
			end)
			local command = commands[name] or extra_commands[name]
			if not command then
				error("unknown debug command " .. tostring(name))
			end
			command(...)
		end,
	}
end

--- Adds a debug command of the service's own. It answers by `skynet.ret` itself.
---@param name string
---@param func function
function M.reg_debugcmd(name, func)
	extra_commands[name] = func
end

return M
