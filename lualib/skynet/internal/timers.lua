--- Timers that can be taken back: `timer`. Loaded by the first call.

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local waiting, taskless, due = runtime.waiting, runtime.taskless, runtime.due
local BREAK <const> = "BREAK"

---@class (partial) skynet
local api = {}
local M = { api = api }

--- A timer for `cancel`: its session, and its place in the core, which not every core tells.
function M.start(centiseconds)
	local answer = core.command("TIMER", string.format("%d", centiseconds))
	if not answer then
		return runtime.start_timer(centiseconds)
	end
	local session, place = string.match(answer, "^(%d+) ?(%d*)$")
	session = math.tointeger(session)
	if session >= runtime.wary_from then
		runtime.skip_used_sessions(session)
	end
	return session, place ~= "" and place or nil
end

--- Takes a timer back: no message will come. False when one will, or has.
function M.cancel(session, place)
	return place ~= nil and core.command("CANCEL", session .. " " .. place) ~= nil
end

---@class skynet.timer
local Timer = {}
Timer.__index = Timer

--- Takes the timer back: its function is not called any more, and nothing is left of it. Does not yield.
---@return boolean cancelled false when it has fired or was taken back before
function Timer:cancel()
	local session = self.session
	if not session then
		return false
	end
	self.session = nil
	taskless[session] = nil
	local task = waiting[session] -- it has one when somebody has looked at what waits
	if task then
		due[task] = nil
		coroutine.close(task)
	end
	waiting[session] = nil
	if not M.cancel(session, self.place) then
		waiting[session] = BREAK -- its message is on the way
	end
	return true
end

--- Whether the function is still to be called. Does not yield.
---@return boolean
function Timer:pending()
	return self.session ~= nil
end

--- Runs `func(...)` after some time, in a task of its own, unless the timer is taken back before: then nothing happens at
--- that time, and nothing is kept until then. Does not yield.
---
---     local timer = skynet.timer(500, kick, player, "idle")
---     timer:cancel()
---@param centiseconds integer 1/100 s; 0 or less: after the messages that are already queued
---@param func function
---@param ... any for `func`
---@return skynet.timer
function api.timer(centiseconds, func, ...)
	if func == nil then
		func = require "skynet.internal.nofunction" "skynet.timer"
	end
	local session, place = M.start(centiseconds)
	local timer = setmetatable({ session = session, place = place }, Timer)
	local arguments = select("#", ...) > 0 and table.pack(...)
	taskless[session] = function()
		timer.session = nil
		if arguments then
			func(table.unpack(arguments, 1, arguments.n))
		else
			func()
		end
	end
	return timer
end

return M
