--- The API of a Lua service. `local skynet = require "skynet"`.
---
--- Parts of it stand in modules of their own (skynet/internal/runtime.lua says which). This one puts them together and adds what
--- is built on them: constants, protocols, sleeping, starting other services, answering later. Like all of them it only makes
--- functions and tables and returns them. What small services do not need is loaded by the first call.

local core = require "skynet.core"
local modules = require "skynet.require"
local runtime = require "skynet.internal.kernel"
require "skynet.internal.environment"
require "skynet.internal.lifecycle"

---@class (partial) skynet
local skynet = runtime.api
local protocols = runtime.protocols
local waiting, asleep, tags = runtime.waiting, runtime.asleep, runtime.tags
local owed, origin = runtime.owed, runtime.origin
local start_timer = runtime.start_timer
local check_yieldable, wait = runtime.check_yieldable, runtime.wait
local trace_line = core.trace
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

-- A service has died (session 0), or one of its calls has failed.
local function on_error(session, source)
	skynet.ignoreret()
	if session ~= 0 then
		if runtime.watched[session] then
			runtime.fail_call(session)
		end
		return
	end
	if runtime.promises then
		runtime.promises.drop(source)
	end
	for called, callee in pairs(runtime.watched) do
		if callee == source then
			runtime.fail_call(called)
		end
	end
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

---------------------------------------------------------------- sleeping

local function park(session, token)
	local task = runtime.running
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
	local task = runtime.running
	local session = owed[task]
	if session == nil then
		error "no session"
	end
	owed[task] = nil
	if session == 0 then
		return function() end
	end
	local promises = runtime.promises or require "skynet.internal.promises"
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
	return require "skynet.internal.timers".api.timer(...)
end
function late.call_timeout(...)
	return require "skynet.internal.deadline".call_timeout(...)
end
function late.mailbox_limit(...)
	return require "skynet.internal.limits".mailbox_limit(...)
end
function late.profile_start(...)
	return require "skynet.internal.profiler".profile_start(...)
end
function late.profile_stop(...)
	return require "skynet.internal.profiler".profile_stop(...)
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
		suspend = require "skynet.internal.taskend".settle_outside,
		resume = function(task, ...)
			runtime.running = task
			return coroutine.resume(task, ...)
		end,
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
