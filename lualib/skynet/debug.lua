--- The "debug" protocol: what the launcher and the debug console ask of every service. Loaded with the first such message.

---@class skynet.debug
local M = {}

local extra_commands = {} -- added by `reg_debugcmd`

--- Adds the protocol and `info_func` to the API. Called by skynet.lua; debuggers replace this function by one of their own
--- that calls it.
---@param skynet table the API
---@param export { dispatch: function, suspend: function, resume: function } how messages and tasks of the service are run
function M.init(skynet, export)
	local describe
	local commands -- skynet/internal/debugcmd.lua

	--- Sets the function that answers the console's `info` command.
	function skynet.info_func(func)
		describe = func
	end

	local function load_commands()
		return require "skynet.internal.debugcmd"(skynet, export, function(...)
			if describe then
				return describe(...)
			end
			return nil
		end)
	end

	skynet.register_protocol {
		name = "debug",
		id = skynet.PTYPE_DEBUG,
		pack = skynet.pack,
		unpack = skynet.unpack,
		dispatch = function(_session, _source, name, ...)
			commands = commands or load_commands()
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
