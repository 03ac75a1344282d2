--- Trace tags: a request that is traced takes its tag along to every service it calls, and each step
--- writes a line to the log. Loaded when tracing is first asked for.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local protocols, tags = runtime.protocols, runtime.tags
local TRACE <const> = 12

local announced = {} -- address -> tag of the next request from there

---@class (partial) skynet
local api = {}
local M = { api = api }

--- The next request from `source` will carry this tag.
function M.expect(source, tag)
	announced[source] = tag
end

--- A task has ended.
function M.finish(task)
	local tag = tags[task]
	if tag ~= nil then
		if tag then
			core.trace(tag, "end")
		end
		tags[task] = nil
	end
end

local trace_count = 0

--- Gives a task a trace tag of its own, unless tracing is off for it.
function M.start(task, info)
	if tags[task] == false then
		return
	end
	trace_count = trace_count + 1
	local tag = string.format(":%08x-%d", core.addresscommand "REG", trace_count)
	tags[task] = tag
	core.trace(tag, info and "trace " .. info or "trace")
end

local function announce(task)
	core.error("TRACE", tags[task])
end

--- Decides whether the request that `task` is about to handle is traced.
function M.request(protocol, task, source)
	if protocol.trace == false then
		announced[source] = nil
		tags[task] = false
		return
	end
	local tag = announced[source]
	if tag then
		announced[source] = nil
		core.trace(tag, "request")
		tags[task] = tag
	elseif protocol.trace then
		announce(task)
		M.start(task)
	end
end

--- Traces the request of the running task, from here on and through the services it calls.
---@param info string? goes into the log
function api.trace(info)
	runtime.enable_tracing()
	local task = runtime.running
	announce(task)
	M.start(task, info)
end

--- The trace tag of the running task.
---@return string|false|nil
function api.tracetag()
	return tags[runtime.running]
end

--- Traces all requests of a protocol (true), none (false), or those that ask for it (nil).
---@param typename string|integer
---@param flag boolean?
function api.traceproto(typename, flag)
	local class = assert(protocols[typename], "unknown protocol")
	class.trace = flag
	runtime.enable_tracing()
end

--- `rawcall` that carries the given trace tag (used by the cluster agent). Yields.
---@param tag string
---@param address integer|string
---@param typename string|integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return lightuserdata|string msg, integer sz valid until the task parks or calls again
function api.tracecall(tag, address, typename, msg, sz)
	local protocol = assert(protocols[typename], "unknown protocol")
	runtime.check_yieldable()
	core.trace(tag, "tracecall begin")
	core.send(address, TRACE, 0, tag)
	local session = core.send(address, protocol.id, nil, msg, sz)
	local answer, size = runtime.finish_call(address, session)
	core.trace(tag, "tracecall end")
	return answer, size
end

return M
