--- What services, and the executable, tell of a debugged node: what becomes of it in the session of the editor (debugsession.lua). Each
--- function gets the session, the handle of the service and the text of the notice.

local skynet = require "skynet"
local json = require "skynet.internal.json"
local printable = require "skynet.internal.printable"

local TASK <const> = 1 << 32 -- as in debugsession.lua
local MOST_ANNOUNCED <const> = 200 -- threads whose begin and end are told in NOTICE_TIME
local NOTICE_TIME <const> = 50 -- 1/100 s
local MOST_SLOTS <const> = 127 -- numbers of the protocol have 31 bits, 24 of them within a stop

local notices = {}

-- One after the other: what an editor asks late about a stop that is over must not be about another one.
local function take_slot(session, handle)
	for i = session.last_slot, session.last_slot + MOST_SLOTS - 1 do
		local slot = i % MOST_SLOTS + 1
		if not session.slots[slot] then
			session.slots[slot], session.last_slot = handle, slot
			return slot
		end
	end
end

function notices.stopped(session, handle, text)
	local slot = take_slot(session, handle)
	session.pausing[handle] = nil
	local what = json.decode(text)
	local names = what.tasks
	session.stopped[handle] = { slot = slot, tasks = #names, names = names }
	what.tasks = nil
	what.threadId, what.allThreadsStopped = handle, false
	what.hitBreakpointIds = what.hitBreakpointIds and json.list(what.hitBreakpointIds)
	session:event("stopped", what)
	for n = 1, #names do
		local thread = handle + n * TASK
		session:event("thread", { reason = "started", threadId = thread })
		session:event("stopped", {
			reason = "pause",
			description = "Waits",
			threadId = thread,
			preserveFocusHint = true,
			allThreadsStopped = false,
		})
	end
end

function notices.continued(session, handle)
	if session.stopped[handle] then
		-- By itself: it was killed, or the agent has failed.
		session:forget_stop(handle)
		session:event("continued", { threadId = handle, allThreadsContinued = false })
	end
end

local function take_asked(session, handle, text)
	local seq, rest = string.match(text, "^(%-?%d+) (.*)$")
	return session.asked:take(math.tointeger(seq), handle), rest
end

function notices.answer(session, handle, text)
	local asked, rest = take_asked(session, handle, text)
	if not asked then
		return
	end
	if asked.before then
		local body = json.decode(rest)
		asked.before(body)
		return session:respond(asked.request, body)
	end
	-- The body is passed on as it is.
	local head = json.encode(session:answer_to(asked.request, true))
	session.write(string.sub(head, 1, -2) .. ',"body":' .. rest .. "}")
end

function notices.failed(session, handle, text)
	local asked, rest = take_asked(session, handle, text)
	if asked then
		session:refuse(asked.request, rest)
	end
end

function notices.output(session, handle, text)
	local event = json.decode(text)
	event.output = string.format(":%08x %s", handle, event.output) -- as in the log
	if event.source then
		event.source = session.sources:there(event.source)
		event.line = event.line - (session.line_offset or 0)
	end
	session:event("output", event)
end

function notices.unstopped(session, handle)
	session:event("output", {
		category = "important",
		output = string.format(
			":%08x has reached a place to stop and runs on: as many services are stopped as can be\n",
			handle
		),
	})
end

-- A breakpoint is not looked at any more: its number, and why.
function notices.disarmed(session, _, text)
	local id, problem = string.match(text, "^(%d+) (.*)$")
	session:event("breakpoint", {
		reason = "changed",
		breakpoint = { id = math.tointeger(id), verified = false, message = problem },
	})
end

function notices.broken(session, handle, text)
	session:event("output", {
		category = "important",
		output = string.format(":%08x runs on, as the debugger has failed in it: %s\n", handle, printable(text)),
	})
end

-- A service has begun or ended. A node that starts thousands of them does not tell of each: the list is asked for with each stop.
function notices.service(session, handle, text)
	if text == "ended" then
		session:forget_stop(handle)
		session.pausing[handle] = nil
	end
	if session.notices >= MOST_ANNOUNCED then
		return
	end
	if session.notices == 0 then
		skynet.timeout(NOTICE_TIME, function()
			session.notices = 0
		end)
	end
	session.notices = session.notices + 1
	session:event("thread", { reason = text == "ended" and "exited" or "started", threadId = handle })
end

return notices
