--- Calls of another node to services of this one, without a task for each: a function gets the answers.
---
---     local calls = clustercallees.new(function(their_session, ok, msg, sz) ... end)
---     calls.call(handle, their_session, msg, sz)

local core = require "skynet.core"
local skynet = require "skynet"
local runtime = require "skynet.internal.kernel"

local LUA <const>, ERROR <const> = skynet.PTYPE_LUA, skynet.PTYPE_ERROR

local send, genid = core.send, skynet.genid
local taskless, watched, waiting = runtime.taskless, runtime.watched, runtime.waiting

local M = {}

---@param answered fun(their_session: integer, ok: boolean, msg: lightuserdata|string, sz: integer?) does not yield
---@return { call: fun(handle: integer|string, their_session: integer, msg: lightuserdata, sz: integer) } calls
function M.new(answered)
	local theirs = {} -- session here -> that of the other node
	local calls = {}

	local function fail(session)
		local their_session, handle = theirs[session], watched[session]
		theirs[session], taskless[session], watched[session], waiting[session] = nil, nil, nil, nil
		answered(their_session, false, string.format("call failed\n\t(lua to %s)", skynet.address(handle)))
	end

	local function on_answer(_, msg, sz, session)
		local their_session = theirs[session]
		theirs[session], watched[session] = nil, nil
		answered(their_session, true, msg, sz)
	end

	--- Does not yield. The message is consumed.
	function calls.call(handle, their_session, msg, sz)
		local session = genid()
		local sent = send(handle, LUA, session, msg, sz)
		if sent then
			theirs[session], watched[session], taskless[session] = their_session, handle, on_answer
		else
			local why = sent == false and "message to %s is too large" or "call to invalid address %s"
			answered(their_session, false, string.format(why, skynet.address(handle)))
		end
	end

	--- What would take the answer was killed.
	function runtime.on_killed(session)
		local their_session = theirs[session]
		if their_session then
			theirs[session] = nil
			answered(their_session, false, "the task that waited for the answer was killed")
		end
	end

	local class = runtime.protocols[ERROR]
	local others = class.dispatch
	function class.dispatch(session, source, ...)
		if theirs[session] then
			skynet.ignoreret()
			return fail(session)
		elseif session == 0 then
			local failed = {}
			for each in pairs(theirs) do
				if watched[each] == source then
					failed[#failed + 1] = each
				end
			end
			for _, each in ipairs(failed) do
				fail(each)
			end
		end
		return others(session, source, ...)
	end

	return calls
end

return M
