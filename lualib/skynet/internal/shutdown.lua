--- Being told that the node ends: `on_shutdown`. Loaded by the first call.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local skynet, protocols = runtime.api, runtime.protocols

local SYSTEM <const> = 4
local NOTICE <const> = "shutdown" -- text of the core's message

---@class (partial) skynet
local api = {}

local handlers = {}
local told = false
local running = 0

local function finish()
	running = running - 1
	if running == 0 then
		core.command("SHUTDOWN", "done")
	end
end

local closes = { __close = finish } -- also when the task is ended by another one

local function run(func)
	running = running + 1
	skynet.fork(function()
		local _ <close> = setmetatable({}, closes)
		local ok, problem = xpcall(func, debug.traceback)
		if not ok then
			core.error("shutdown: " .. tostring(problem))
		end
	end)
end

local function run_all()
	told = true
	running = running + 1
	for _, func in ipairs(handlers) do
		run(func)
	end
	handlers = {}
	finish()
end

-- A log service may have the protocol for its own sake: SIGHUP sends it an empty message.
local function listen()
	local class = protocols[SYSTEM]
	if not class then
		class = { name = "system", id = SYSTEM }
		skynet.register_protocol(class)
	end
	local unpack, dispatch = class.unpack, class.dispatch
	function class.unpack(msg, sz)
		if sz == #NOTICE and core.tostring(msg, sz) == NOTICE then
			return NOTICE, run_all
		elseif unpack then
			return unpack(msg, sz)
		end
	end
	function class.dispatch(session, source, text, mark, ...)
		if mark == run_all then
			run_all()
		elseif dispatch then
			dispatch(session, source, text, mark, ...)
		end
	end
end

--- Has `func` called in a task of its own when the node ends in order: after `kill PID`, Ctrl-C, `shutdown` of
--- the debug console. It may yield; the other services are still there. The node ends when all such functions
--- of all services have returned, or after the seconds of the config key `shutdown_grace` (10). When the node
--- ends already, func is called at once. A "system" protocol of the service's own has to be registered before.
--- Does not yield.
---@param func fun()
function api.on_shutdown(func)
	if listen then
		listen()
		listen = nil
	end
	if told then
		run(func)
	else
		handlers[#handlers + 1] = func
	end
	core.command("SHUTDOWN", "on")
end

return api
