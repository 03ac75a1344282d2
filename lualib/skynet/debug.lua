--- The "debug" protocol: what the launcher and the debug console ask of every service. Loaded with the first such message.

local runtime = require "skynet.internal.kernel"

local M = {}

local extra_commands = {} -- added by `reg_debugcmd`
local commands            -- skynet/internal/debugcmd.lua

local function load_commands()
	local hooks = {
		dispatch = runtime.api.dispatch_message,
		resume = runtime.resume,
		suspend = runtime.settle_outside,
		inspect = runtime.inspect,
		fail_calls = runtime.fail_calls,
	}
	return require "skynet.internal.debugcmd"(runtime.api, hooks, function(...)
		if runtime.describe then
			return runtime.describe(...)
		end
	end)
end

--- Handles a message of the protocol. Called by skynet.lua.
function M.dispatch(_session, _source, name, ...)
	commands = commands or load_commands()
	local command = commands[name] or extra_commands[name]
	if not command then
		error("unknown debug command " .. tostring(name))
	end
	command(...)
end

--- Adds a debug command of the service's own. It answers by `skynet.ret` itself.
---@param name string
---@param func function
function M.reg_debugcmd(name, func)
	extra_commands[name] = func
end

return M
