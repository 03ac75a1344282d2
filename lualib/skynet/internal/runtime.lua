--- What the modules of a Lua service's runtime share: the tables that say which task waits for which session and who owes whom an
--- answer, the task that runs, and the numbers of sessions.
---
--- Words used in all of them:
---   session   a positive integer that names one outstanding request of this service.
---   task      a coroutine that kernel.lua started; it parks by yielding "SUSPEND".
---   to owe    a task owes an answer from the moment it handles a request until it answers.
---
--- The parts: kernel.lua (tasks, queues, messages of the node), calls.lua (sending, calling, answering), taskend.lua (tasks that
--- fail), environment.lua (what the node tells), lifecycle.lua (start and end), and skynet.lua, which puts the API together. All of
--- them only make functions and tables and return them: most services do not run them but copy what they have left once
--- (3rd/lua/docs/module-snapshot.md). A new part has to be named in src/services/builtin/embedded.rs. A part that only adds to the API
--- returns nothing, so that in a stack each function has one name. What a service may do without is no part but a module that the
--- first call loads.
---
--- Tasks may be killed at each yield: what they hold meanwhile is given back by defer.lua, and those that others rely on are started by
--- respawn.lua (docs/internals/killed-tasks.md).
---
--- What each message needs is known to a part as a local, which is an upvalue of its functions; what is seldom needed is a field of
--- this table, as each upvalue of each part is an object in every service. What changes and is needed by several parts is a field too.

local core = require "skynet.core"

---@class (partial) skynet
local api = table.create(0, 128) -- what skynet.lua adds included

local runtime = table.create(0, 32)
runtime.api = api
runtime.protocols = table.create(0, 8) -- by name and by number
runtime.waiting = {} -- session -> the task that it resumes, or BREAK
runtime.taskless = {} -- session of a timer whose task nobody has asked for -> function it will run
runtime.watched = {} -- session of a call -> address called
runtime.asleep = {} -- token -> session of the sleeper
runtime.owed = {} -- task -> session it has to answer; 0 when the request was a send
runtime.origin = {} -- task -> address its request came from
runtime.tags = {} -- task -> trace tag, or false: tracing is off for it
runtime.inline_handlers = {} -- handler of socket messages -> function that handles what needs no task, and tells whether it has
runtime.running = nil -- the task that runs now; who resumes another one inside of it sets it back

-- The core counts sessions up and starts again at 1 after 2^31-1. From `wary_from` on, every
-- allocation looks whether the next number is still in use, and skips those that are.
runtime.wary_from = 0x70000000

--- To be called with a session that the core has just given, where that is `wary_from` or more.
function runtime.skip_used_sessions(session)
	runtime.wary_from = 1
	while true do
		local following = session < 0x7fffffff and session + 1 or 1
		if runtime.waiting[following] == nil and runtime.taskless[following] == nil then
			return
		end
		session = core.genid()
	end
end

--- Allocates a session number. Does not yield.
---@return integer session
function api.genid()
	local session = core.genid()
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	return session
end

--- An address as people read it: numbers become ":%08x", names stay.
---@param address integer|string
---@return string
function api.address(address)
	if type(address) == "number" then
		return string.format(":%08x", address)
	end
	return tostring(address)
end

return runtime
