--- The API of a Lua service. `local skynet = require "skynet"`.
---
--- skynet/internal/kernel.lua holds and documents call, rawcall, send, rawsend, ret, retpack, ignoreret, context, fork,
--- timeout and wakeup. This file adds the rest. Like the kernel it only makes functions and tables and returns them, and is
--- one file for the reason given there. What small services do not need is in modules of its own, which are loaded by the
--- first call.

local core = require "skynet.core"
local modules = require "skynet.require"
local runtime = require "skynet.internal.kernel"

---@class (partial) skynet
local skynet = runtime.api
local protocols = runtime.protocols
local waiting, asleep, tags = runtime.waiting, runtime.asleep, runtime.tags
local owed, origin = runtime.owed, runtime.origin
local promises -- skynet/internal/promises.lua once an answer was promised
local running_task, start_timer = runtime.current, runtime.start_timer
local check_yieldable, wait = runtime.check_yieldable, runtime.wait
local send_message, pack_values, trace_line = core.send, core.pack, core.trace
local running_coroutine, yield, is_yieldable = coroutine.running, coroutine.yield, coroutine.isyieldable

--- Message types, as in skynet.h; TRACE exists in Lua only.
skynet.PTYPE_TEXT = 0
skynet.PTYPE_RESPONSE = 1
skynet.PTYPE_MULTICAST = 2
skynet.PTYPE_CLIENT = 3
skynet.PTYPE_SYSTEM = 4
skynet.PTYPE_HARBOR = 5
skynet.PTYPE_SOCKET = 6
skynet.PTYPE_ERROR = 7
skynet.PTYPE_QUEUE = 8 -- deprecated: skynet.mqueue
skynet.PTYPE_DEBUG = 9
skynet.PTYPE_LUA = 10
skynet.PTYPE_SNAX = 11
skynet.PTYPE_TRACE = 12

--- The code cache: `clear()` and `mode("ON" | "OFF" | "EXIST")`.
skynet.cache = require "skynet.codecache"
--- The registered protocols, by name and by number.
skynet._proto = protocols

---------------------------------------------------------------- functions of the C layer

--- pack(...) -> pointer, size: serialises values; who gets the pointer frees or sends it.
---@type fun(...): lightuserdata, integer
skynet.pack = core.pack
--- packstring(...) -> string: the same bytes as a string.
---@type fun(...): string
skynet.packstring = core.packstring
--- unpack(msg [, size]) -> ...: the values of a pointer and size, or of a string. Raises on bad data.
---@type fun(msg: lightuserdata|string, size: integer?): ...
skynet.unpack = core.unpack
--- tostring(msg, size) -> string: copies a message.
---@type fun(msg: lightuserdata, size: integer): string
skynet.tostring = core.tostring
--- trash(msg, size): frees a message that this service owns.
---@type fun(msg: lightuserdata, size: integer)
skynet.trash = core.trash
--- now() -> integer: 1/100 s since the node started, plus less than a second.
---@type fun(): integer
skynet.now = core.now
--- hpc() -> integer: a monotonic clock in nanoseconds.
---@type fun(): integer
skynet.hpc = core.hpc
--- error(...): writes the arguments, joined by spaces, to the error log.
---@type fun(...)
skynet.error = core.error
--- tracelog(tag, text [, level]): writes a line of the trace log.
---@type fun(tag: string, text: string, level: integer?)
skynet.tracelog = core.trace
--- init(func): runs func before the start function, or, in a module that a task loads, at its end.
---@type fun(func: fun())
skynet.init = modules.init
--- Deprecated: the plain pcall of Lua.
skynet.pcall = pcall

---------------------------------------------------------------- addresses and environment

--- The handle of this service.
---@return integer
function skynet.self()
	return core.addresscommand "REG"
end

--- The handle of a service of this node by its local name.
---@param name string such as ".launcher"
---@return integer? nil when there is none
function skynet.localname(name)
	return core.addresscommand("QUERY", name)
end

--- The node that a handle belongs to.
---@param handle integer
---@return integer harbor, boolean remote
function skynet.harbor(handle)
	return core.harbor(handle)
end

local start_time

--- When the node started.
---@return integer seconds since 1970
function skynet.starttime()
	start_time = start_time or core.intcommand "STARTTIME"
	return start_time
end

--- The time of day by the node's clock, in steps of 1/100 s.
---@return number seconds since 1970
function skynet.time()
	return core.now() / 100 + skynet.starttime()
end

--- A value of the node's configuration.
---@param key string
---@return string?
function skynet.getenv(key)
	return (core.command("GETENV", key))
end

--- Adds a value to the node's configuration; existing ones cannot be changed (raises).
---@param key string
---@param value string|number
function skynet.setenv(key, value)
	if core.command("GETENV", key) ~= nil then
		error("Can't setenv exist key : " .. key)
	end
	core.command("SETENV", key .. " " .. value)
end

--- A figure of this service: "mqlen", "cpu", "time", "message", "endless".
---@param what string
---@return number
function skynet.stat(what)
	return core.intcommand("STAT", what)
end

--- The number of messages that wait for this service.
---@return integer
function skynet.mqlen()
	return core.intcommand("STAT", "mqlen")
end

--- Whether this service was reported to be in an endless loop since the last time asked.
---@return boolean
function skynet.endless()
	return core.intcommand("STAT", "endless") == 1
end

--- Limits the memory of this service, from this line on: what does not fit raises "not enough memory". Once only.
---@param bytes integer
function skynet.memlimit(bytes)
	local registry = debug.getregistry()
	local limit = math.type(bytes) and (math.tointeger(bytes) or 0) -- other values: none, 0 as well
	if limit and registry.skynet_memlimit then
		registry.skynet_memlimit(limit)
	else
		registry.memlimit = limit -- another snlua: from the end of the main chunk on, and there only
	end
	skynet.memlimit = nil
end

---------------------------------------------------------------- protocols

--- Adds a message type.
---@param class { name: string, id: integer, pack: function?, unpack: function?, dispatch: function?, trace: boolean? }
function skynet.register_protocol(class)
	local name, id = class.name, class.id
	assert(type(name) == "string", "protocol name must be a string")
	assert(type(id) == "number" and id >= 0 and id <= 255, "protocol id must be 0..255")
	assert(protocols[name] == nil and protocols[id] == nil, "protocol is registered already")
	protocols[name], protocols[id] = class, class
	if class.trace ~= nil then
		runtime.enable_tracing()
	end
end

--- Sets the handler of a protocol, called in a task of its own for every message of that type.
---@param typename string|integer
---@param handler? fun(session: integer, source: integer, ...) nil asks for the present one
---@return function? previous handler
function skynet.dispatch(typename, handler)
	local class = protocols[typename]
	if handler == nil then
		return class and class.dispatch
	end
	if class == nil then
		error("unknown protocol " .. tostring(typename), 2)
	end
	local previous = class.dispatch
	class.dispatch = handler
	return previous
end

--- Sends a packed message in the name of another service. Does not yield.
---@param dest integer|string
---@param source integer
---@param typename string|integer
---@param session integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return integer? session nil when there is no such service, false when the message is too large
function skynet.redirect(dest, source, typename, session, msg, sz)
	return core.redirect(dest, source, protocols[typename].id, session, msg, sz)
end

-- Fails the calls to addresses that `matches` tells.
function runtime.fail_calls(matches)
	for session, address in pairs(runtime.watched) do
		if matches(address) then
			runtime.fail_call(session)
		end
	end
end

-- A service has died (session 0), or one of its calls has failed.
local function on_error(session, source)
	skynet.ignoreret()
	if session ~= 0 then
		if runtime.watched[session] then
			runtime.fail_call(session)
		end
		return
	end
	if promises then
		promises.drop(source)
	end
	runtime.fail_calls(function(callee)
		return callee == source
	end)
end

--- Behaves as if a service had died: calls to it fail, answers promised to it are dropped.
---@param service integer
function skynet.term(service)
	on_error(0, service)
end

--- Sets the function that answers the console's `info` command.
---@param func fun(...): any
function skynet.info_func(func)
	runtime.describe = func
end

---------------------------------------------------------------- services

--- Starts a Lua service and waits until its start function has returned. Yields.
---@param name string
---@param ... any arguments of the service, as strings
---@return integer handle. Raises when it does not start
function skynet.newservice(name, ...)
	return skynet.call(".launcher", "lua", "LAUNCH", "snlua", name, ...)
end

local function ask_manager(on_node, on_network, name, ...)
	if name == true then
		return assert(skynet.call(".service", "lua", on_network, ...))
	end
	return assert(skynet.call(".service", "lua", on_node, name, ...))
end

--- Starts a service unless it runs already. Yields.
---@param name string|true true: unique in the network of harbors; the name follows
---@param ... any arguments of the service
---@return integer handle. Raises when it does not start
function skynet.uniqueservice(name, ...)
	return ask_manager("LAUNCH", "GLAUNCH", name, ...)
end

--- Waits for a unique service that another service starts. Yields.
---@param name string|true as for `uniqueservice`
---@param ... any the name, after true
---@return integer handle
function skynet.queryservice(name, ...)
	return ask_manager("QUERY", "GQUERY", name, ...)
end

---------------------------------------------------------------- start and end

--- Runs the queued `init` functions and `start_func`, and reports to the launcher. Yields.
---@param start_func function
function skynet.init_service(start_func)
	local ok, problem = xpcall(function()
		modules.init_all()
		start_func()
	end, debug.traceback)
	if ok then
		skynet.send(".launcher", "lua", "LAUNCHOK")
	else
		skynet.error("init service failed: " .. tostring(problem))
		skynet.send(".launcher", "lua", "ERROR")
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
	local tasks, me = {}, running_task()
	for _, task in pairs(waiting) do
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
	local ERROR <const> = skynet.PTYPE_ERROR
	if runtime.on_release then
		runtime.on_release() -- of those who answer without a task
	end
	for task, session in pairs(owed) do
		local caller = origin[task]
		if session ~= 0 and caller then
			core.send(caller, ERROR, session, "")
		end
		owed[task] = nil
	end
	if between then
		between()
	end
	if promises then
		promises.fail_all()
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
	runtime.drop_queues()
	skynet.send(".launcher", "lua", "REMOVE", skynet.self(), false)
	runtime.release(close_waiting_tasks)
	-- The rest of this turn's messages still arrives here.
	core.callback(function(_, _, _, session, source)
		if session ~= 0 and source ~= 0 then
			core.send(source, skynet.PTYPE_ERROR, session, "")
		end
	end)
	core.command "EXIT"
	runtime.drop_queues()
	coroutine.yield "QUIT"
end

---------------------------------------------------------------- sleeping

local function park(session, token)
	local task = running_task()
	if tags[task] then
		trace_line(tags[task], "sleep", 3)
	end
	asleep[token] = session
	waiting[session] = task
	local fired, reason, _, which = yield "SUSPEND"
	if which ~= session then
		fired, reason = require "skynet.internal.unmatched".wait_on(session, which, reason == "BREAK")
	end
	asleep[token], waiting[session] = nil, reason == "BREAK" and reason or nil -- the timer fires later
	return fired, reason
end

local function check_token(token, level)
	if not is_yieldable() then
		check_yieldable(level) -- raises
	end
	local session = asleep[token]
	if session and waiting[math.abs(session)] then -- memory may have been used up before it slept
		error("token duplicative", level)
	end
end

-- Parks until a timer of that kind fires, or `wakeup`.
local function sleep_for(start, duration, token)
	token = token or running_coroutine()
	check_token(token, 4)
	local fired, reason = park(start(duration), token)
	if fired then
		return
	elseif reason == "BREAK" then
		return reason
	end
	error(reason)
end

runtime.sleep_for = sleep_for

--- Parks the running task for some time. Yields.
---@param centiseconds integer 1/100 s
---@param token any what `wakeup` will name; the running coroutine by default; raises if in use
---@return string? "BREAK" when `wakeup` ended the sleep, or else no value
function skynet.sleep(centiseconds, token)
	local reason = sleep_for(start_timer, centiseconds, token)
	if reason then -- no tail call: stacks say `sleep`; and no value unless it was woken
		return reason
	end
end

--- Lets the messages that are already queued go first. Yields.
---@return string? "BREAK" when `wakeup` ended it, or else no value
function skynet.yield()
	return skynet.sleep(0)
end

--- Parks the running task until `wakeup(token)`. Yields.
---@param token any the running coroutine by default; raises if in use
function skynet.wait(token)
	token = token or running_coroutine()
	check_token(token, 3)
	wait(token)
end

---------------------------------------------------------------- answering later

--- Defers the answer of the running task's request. Does not yield.
---@param pack? function packs the values of the answer; `skynet.pack` by default
---@return fun(ok: boolean|string, ...): boolean? respond call it once, from any task: with true and
--- the values, or with false to fail the call; it tells whether the caller was still there.
--- `respond "TEST"` tells whether the caller still waits. A second answer raises. When nothing has it any more, the call fails
function skynet.response(pack)
	local task = running_task()
	local session = owed[task]
	if session == nil then
		error "no session"
	end
	owed[task] = nil
	if session == 0 then
		return function() end
	end
	promises = promises or require "skynet.internal.promises"
	local respond = promises.new(origin[task], session, pack) -- no tail call: the log tells who has called this
	return respond
end

---------------------------------------------------------------- loaded by the first call, and documented there

-- For editors a table without a type, so that they find these functions where they are written, with their parameters: there
-- they belong to the class `skynet` as well.
---@type table
local late = skynet

function late.sleep_ms(...)
	return require "skynet.internal.milliseconds".sleep_ms(...)
end
function late.timeout_ms(...)
	return require "skynet.internal.milliseconds".timeout_ms(...)
end
function late.request(...)
	return require "skynet.internal.select".request(...)
end
function late.timer(...)
	return require "skynet.internal.timers".timer(...)
end
function late.call_timeout(...)
	return require "skynet.internal.deadline".call_timeout(...)
end
function late.mailbox_limit(...)
	return require "skynet.internal.limits".mailbox_limit(...)
end
function late.on_shutdown(...)
	return require "skynet.internal.shutdown".on_shutdown(...)
end
function late.task(...)
	return require "skynet.internal.tasks".task(...)
end
function late.uniqtask(...)
	return require "skynet.internal.tasks".uniqtask(...)
end
function late.killthread(...)
	return require "skynet.internal.tasks".killthread(...)
end
function late.trace_timeout(...)
	return require "skynet.internal.tasks".trace_timeout(...)
end
function late.trace(...)
	return require "skynet.internal.trace".api.trace(...)
end
function late.tracetag(...)
	return require "skynet.internal.trace".api.tracetag(...)
end
function late.traceproto(...)
	return require "skynet.internal.trace".api.traceproto(...)
end
function late.tracecall(...)
	return require "skynet.internal.trace".api.tracecall(...)
end
function late.dispatch_unknown_request(...)
	return require "skynet.internal.unmatched".api.dispatch_unknown_request(...)
end
function late.dispatch_unknown_response(...)
	return require "skynet.internal.unmatched".api.dispatch_unknown_response(...)
end

---------------------------------------------------------------- the protocols every service has

skynet.register_protocol {
	name = "lua",
	id = skynet.PTYPE_LUA,
	pack = skynet.pack,
	unpack = skynet.unpack,
}

skynet.register_protocol {
	name = "response",
	id = skynet.PTYPE_RESPONSE,
}

skynet.register_protocol {
	name = "error",
	id = skynet.PTYPE_ERROR,
	unpack = function(...)
		return ...
	end,
	dispatch = on_error,
}

-- skynet.debug adds the protocol "debug" and `info_func`. Small services are never asked, so that is put off until the
-- first such message; but who has loaded skynet.debug before this module wants its `init` called now.
local function start_debugging()
	local describe, PTYPE_DEBUG <const> = runtime.describe, skynet.PTYPE_DEBUG
	protocols.debug, protocols[PTYPE_DEBUG] = nil, nil
	require "skynet.debug".init(skynet, {
		dispatch = skynet.dispatch_message,
		suspend = runtime.settle_outside,
		resume = runtime.resume,
	})
	if describe then
		skynet.info_func(describe)
	end
	return protocols.debug
end

if package.loaded["skynet.debug"] then
	start_debugging()
else
	skynet.register_protocol {
		name = "debug",
		id = skynet.PTYPE_DEBUG,
		pack = skynet.pack,
		unpack = skynet.unpack,
		dispatch = function(...)
			return start_debugging().dispatch(...)
		end,
	}
end

return skynet
