--- How a service begins and ends: `start`, `exit`, and what is told then to those who wait for it. Part of the API that skynet.lua
--- puts together.

local core = require "skynet.core"
local modules = require "skynet.require"
local runtime = require "skynet.internal.runtime"

---@class (partial) skynet
local skynet = runtime.api

local ERROR <const> = 7 -- of skynet.h

local function fail_init(problem)
	skynet.error("init service failed: " .. tostring(problem))
	skynet.send(".launcher", "lua", "ERROR")
end

--- Runs the queued `init` functions and `start_func`, and reports to the launcher. Yields.
---@param start_func function
function skynet.init_service(start_func)
	local state <close> = setmetatable({}, {
		__close = function(state)
			if not state.over and not runtime.is_ending then -- or who starts it would wait for ever
				fail_init "the task that runs its start function was killed"
				skynet.fork(skynet.exit)
			end
		end,
	})
	local ok, problem = xpcall(function()
		modules.init_all()
		start_func()
	end, debug.traceback)
	state.over = true
	if ok then
		skynet.send(".launcher", "lua", "LAUNCHOK")
	else
		fail_init(problem)
		skynet.exit()
	end
end

--- Makes this script a service: sets the message callback, then runs `start_func` in a task.
---@param start_func function
function skynet.start(start_func)
	core.callback(skynet.dispatch_message)
	runtime.init_task = skynet.timeout(0, function()
		skynet.init_service(start_func)
		runtime.init_task = nil
	end)
end

local function close_waiting_tasks()
	local tasks, me = {}, runtime.running
	for _, task in pairs(runtime.waiting) do
		if type(task) == "thread" and task ~= me then
			tasks[task] = true
		end
	end
	for task in pairs(tasks) do
		coroutine.close(task)
	end
end

-- Tells everybody who waits for an answer of this service, and whom it waits for, that it ends; `between` runs after the
-- requests under way. When a service is killed, snlua calls this before it closes the VM (src/services/builtin/snlua).
function runtime.release(between)
	if runtime.on_release then
		runtime.on_release() -- of those who answer without a task
	end
	for task, session in pairs(runtime.owed) do
		local caller = runtime.origin[task]
		if session ~= 0 and caller then
			core.send(caller, ERROR, session, "")
		end
		runtime.owed[task] = nil
	end
	if between then
		between()
	end
	if runtime.promises then
		runtime.promises.fail_all()
	end
	local watched = runtime.watched
	if next(watched) then
		local callees = {}
		for session, address in pairs(watched) do
			if address then
				callees[address] = true
			end
			watched[session] = nil
		end
		for address in pairs(callees) do
			core.send(address, ERROR, 0, "")
		end
	end
end

--- Ends this service. Callers that wait for an answer get an error, and so do the services it
--- waits for. Does not return.
function skynet.exit()
	runtime.is_ending = true
	runtime.clear_queues()
	skynet.send(".launcher", "lua", "REMOVE", skynet.self(), false)
	runtime.release(close_waiting_tasks)
	-- The rest of this turn's messages still arrives here.
	core.callback(function(_, _, _, session, source)
		if session ~= 0 and source ~= 0 then
			core.send(source, ERROR, session, "")
		end
	end)
	core.command "EXIT"
	runtime.clear_queues()
	coroutine.yield "QUIT"
end
