--- Answers given later (`response`), and calls made for somebody else (`tracecall`).

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local api, protocols = runtime.api, runtime.protocols
local owed, origin, promised = runtime.owed, runtime.origin, runtime.promised
local running_task = runtime.current

local RESPONSE <const>, ERROR <const>, TRACE <const> = 1, 7, 12

--- Defers the answer of the running task's request. Does not yield.
---@param pack? function packs the values of the answer; `skynet.pack` by default
---@return fun(ok: boolean|string, ...): boolean? respond call it once, from any task: with true and
--- the values, or with false to fail the call; it tells whether the caller was still there.
--- `respond "TEST"` tells whether the caller still waits. A second answer raises
function api.response(pack)
	pack = pack or core.pack
	local task = running_task()
	local session = owed[task]
	if session == nil then
		error "no session"
	end
	owed[task] = nil
	if session == 0 then
		return function() end
	end
	local caller = origin[task]
	local function respond(ok, ...)
		if ok == "TEST" then
			return promised[respond] ~= nil
		end
		if not pack then
			error "Can't response more than once"
		end
		local sent
		if promised[respond] then
			if ok then
				sent = core.send(caller, RESPONSE, session, pack(...))
				if sent == false then
					core.send(caller, ERROR, session, "")
				end
			else
				sent = core.send(caller, ERROR, session, "")
			end
			promised[respond] = nil
			sent = sent ~= nil
		else
			sent = false
		end
		pack = nil
		return sent
	end
	promised[respond] = caller
	return respond
end

--- `rawcall` that carries the given trace tag (used by the cluster agent). Yields.
function api.tracecall(tag, address, typename, msg, sz)
	core.trace(tag, "tracecall begin")
	core.send(address, TRACE, 0, tag)
	local protocol = assert(protocols[typename], "unknown protocol")
	local session = core.send(address, protocol.id, nil, msg, sz)
	local answer, size = runtime.finish_call(address, session)
	core.trace(tag, "tracecall end")
	return answer, size
end
