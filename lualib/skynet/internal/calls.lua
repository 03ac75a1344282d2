--- Messages that the running task sends: `send`, `call`, the answer to its own request. Part of what runtime.lua describes.

local core = require "skynet.core"
local runtime = require "skynet.internal.runtime"

local send_message, pack_values, yield_thread = core.send, core.pack, coroutine.yield

-- Message types of skynet.h.
local RESPONSE <const> = 1
local ERROR <const> = 7
local TRACE <const> = 12
-- What stands for a session whose answer is not wanted any more, and what a woken sleeper gets.
local BREAK <const> = "BREAK"

---@class (partial) skynet
local api = runtime.api
local protocols, waiting, watched = runtime.protocols, runtime.waiting, runtime.watched
local owed, origin = runtime.owed, runtime.origin
local tracing = false -- whether to look at trace tags
local mistakes -- skynet/internal/mistakes.lua once a call has failed

---------------------------------------------------------------- calling

--- Raises where the running code could not park, such as in a function that C calls: an answer, or a wake-up, would find
--- the task that waits next. To be called before anything is registered or sent.
---@param level integer? where the error is, 2 by default: who has called the caller
function runtime.check_yieldable(level)
	if not coroutine.isyieldable() then
		local _, is_main = coroutine.running()
		error(
			is_main and "attempt to yield from outside a coroutine\n\t(what waits cannot be called outside of a task)"
				or "attempt to yield across a C-call boundary\n\t(what waits cannot be called inside of a function that C calls)",
			(level or 2) + 1
		)
	end
end

-- Sends a request, in a task that will wait for the answer. A module of another build has no function for that.
local send_request = core.request
	or function(address, ptype, msg, sz)
		runtime.check_yieldable(3)
		return send_message(address, ptype, nil, msg, sz)
	end

local function unknown_protocol(typename)
	error("unknown protocol " .. tostring(typename), 3)
end

-- Passes the trace tag of the running task on to the service it calls.
local function trace_call(address)
	local tag = runtime.tags[runtime.running]
	if tag then
		core.trace(tag, "call", 3)
		send_message(address, TRACE, 0, tag)
	end
end

local function no_session(address, session)
	if session == false then
		error("message to " .. runtime.api.address(address) .. " is too large", 2)
	end
	error("call to invalid address " .. runtime.api.address(address), 2)
end

-- Parks the running task until the answer of `session` is there. Raises when the call fails.
local function await(address, session)
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	watched[session] = address
	waiting[session] = runtime.running
	local answered, msg, sz, which = yield_thread "SUSPEND"
	if which ~= session then
		answered, msg, sz = require "skynet.internal.unmatched".wait_on(session, which, msg == BREAK)
	end
	watched[session], waiting[session] = nil, nil
	if not answered then
		mistakes = mistakes or require "skynet.internal.mistakes"
		error(mistakes.failed_call(address), 0)
	end
	return msg, sz
end

--- Sends a message; no answer is expected. Does not yield.
---@param address integer|string handle, ":hex", ".local" or global name
---@param typename string|integer protocol, such as "lua"
---@param ... any the values of the message
---@return integer? 0; nil when there is no such service, false when the message is too large
function api.send(address, typename, ...)
	local protocol = protocols[typename] or unknown_protocol(typename)
	return send_message(address, protocol.id, 0, protocol.pack(...))
end

--- `send` with a message that is packed already: a string, or a pointer and its size (consumed).
---@param address integer|string
---@param typename string|integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return integer? 0; nil when there is no such service, false when the message is too large
function api.rawsend(address, typename, msg, sz)
	local protocol = protocols[typename] or unknown_protocol(typename)
	return send_message(address, protocol.id, 0, msg, sz)
end

--- Sends a request and waits for the answer. Yields.
---@param address integer|string
---@param typename string|integer
---@param ... any the values of the request
---@return any ... the values of the answer. Raises when the address is unknown, and when the
--- callee fails, answers with an error or dies
function api.call(address, typename, ...)
	if tracing then
		trace_call(address)
	end
	local protocol = protocols[typename] or unknown_protocol(typename)
	local session = send_request(address, protocol.id, protocol.pack(...))
	if not session then
		no_session(address, session)
	end
	return protocol.unpack(await(address, session))
end

--- `call` with a packed message; the answer is not unpacked. Yields.
---@param address integer|string
---@param typename string|integer
---@param msg string|lightuserdata
---@param sz integer? size of a pointer
---@return lightuserdata|string msg, integer sz valid until the task parks or calls again
function api.rawcall(address, typename, msg, sz)
	if tracing then
		trace_call(address)
	end
	local protocol = protocols[typename] or unknown_protocol(typename)
	local session = send_request(address, protocol.id, msg, sz)
	if not session then
		no_session(address, session)
	end
	local answer, size = await(address, session) -- no tail call: the frame tells what was asked
	return answer, size
end

--- Answers the request of the running task with a packed message (consumed). Does not yield.
---@param msg string|lightuserdata|nil nil is an empty answer
---@param sz integer? size, for a pointer
---@return boolean false when the request was a send, or the caller is gone. Raises "No session"
--- when there is no request or it is answered already, and without memory for a copy of a string
function api.ret(msg, sz)
	msg = msg or ""
	local task = runtime.running
	if tracing and runtime.tags[task] then
		core.trace(runtime.tags[task], "response")
	end
	local session = owed[task]
	if session == nil then
		error "No session"
	end
	if session == 0 then
		owed[task] = nil
		if sz ~= nil then
			core.trash(msg, sz)
		end
		return false
	end
	-- Owed until it is sent: if that raises, the end of the task answers.
	local sent = send_message(origin[task], RESPONSE, session, msg, sz)
	if sent == false then -- too large: the caller must not wait for ever
		send_message(origin[task], ERROR, session, "")
	end
	owed[task] = nil
	return sent and true or false
end

--- Answers with Lua values: `ret(pack(...))`.
---@param ... any the values of the answer
---@return boolean
function api.retpack(...)
	return api.ret(pack_values(...))
end

--- Declares that this task will not answer its request in the usual way. Does not yield.
function api.ignoreret()
	owed[runtime.running] = nil
end

--- The request that the running task handles.
---@return integer? session, integer? source nil when it handles none or has answered (session)
function api.context()
	return owed[runtime.running], origin[runtime.running]
end

---------------------------------------------------------------- for the other modules

--- Sends a request whose answer will resume `task`. Returns the session, or nil or false.
function runtime.request(task, address, protocol, ...)
	local session = send_request(address, protocol.id, protocol.pack(...))
	if session then
		if session >= runtime.wary_from then
			runtime.skip_used_sessions(session)
		end
		watched[session] = address
		waiting[session] = task
	end
	return session
end

runtime.trace_call = trace_call

--- Raises unless the call was sent; then waits for its answer. For calls that other modules send.
function runtime.finish_call(address, session)
	if not session then
		no_session(address, session)
	end
	local answer, size = await(address, session)
	return answer, size
end

--- From here on calls and answers look at the trace tag of their task.
function runtime.trace_calls()
	tracing = true
end
