--- Coroutines of the application inside of a service: like Lua's library, but the function of a
--- coroutine may also call what parks the task (`skynet.call`, `sleep` ...).
---
--- Such a park passes through `resume` to the dispatcher and back; only `yield` of this module
--- returns to the caller of `resume`. Meanwhile the status is "blocked".

local co_create, co_resume, co_yield = coroutine.create, coroutine.resume, coroutine.yield
local co_status, co_running, co_close = coroutine.status, coroutine.running, coroutine.close

---@class skynet.coroutine
local M = {
	isyieldable = coroutine.isyieldable,
	running = co_running,
}

-- What `yield` puts in front of its values, to be told from the parking of a task.
local OURS <const> = "USER"

local weak = { __mode = "kv" }
local state = setmetatable({}, weak) -- coroutine -> "ready" or "blocked"; nil: not made here
local task_of = setmetatable({}, weak) -- coroutine -> task that resumed it (directly or not)

--- A new coroutine. Does not yield.
---@param func function
---@return thread
function M.create(func)
	local co = co_create(func)
	state[co] = "ready"
	return co
end

local follow

local function continue(co, ...)
	state[co] = "ready"
	return follow(co, co_resume(co, ...))
end

-- Looks at what a resume brought, until the coroutine ends, fails, or yields to whoever resumed it.
function follow(co, ok, ...)
	if not ok then
		return false, ...
	elseif co_status(co) == "dead" then
		state[co] = nil
		return true, ...
	elseif (...) == OURS then
		return true, select(2, ...)
	end
	state[co] = "blocked"
	return continue(co, co_yield(...))
end

--- Runs a coroutine until it yields or ends. Yields when the coroutine waits for something.
---@param co thread of `create`
---@param ... any for the coroutine
---@return boolean ok, any ... as coroutine.resume
function M.resume(co, ...)
	local mine = state[co]
	if mine == "blocked" then
		return false, "cannot resume a skynet coroutine suspend by skynet framework"
	elseif not mine then
		if co_status(co) == "dead" then
			return co_resume(co, ...) -- its error is the right one
		end
		return false, "cannot resume none skynet coroutine"
	end
	local caller = co_running()
	task_of[co] = task_of[caller] or caller
	return follow(co, co_resume(co, ...))
end

--- The task that a coroutine runs in.
---@param co thread? the running one by default
---@return thread? task, boolean is_task
function M.thread(co)
	co = co or co_running()
	if state[co] ~= nil then
		return task_of[co], false
	end
	return co, true
end

--- As coroutine.status, and "blocked" while the coroutine waits for a message.
---@param co thread
---@return string
function M.status(co)
	local status = co_status(co)
	if status == "suspended" and state[co] == "blocked" then
		return "blocked"
	end
	return status
end

--- Returns to the caller of `resume`, with these values.
---@param ... any results of `resume`
---@return any ... what the next `resume` passes
function M.yield(...)
	return co_yield(OURS, ...)
end

local function unwrap(ok, ...)
	if not ok then
		error((...), 0)
	end
	return ...
end

--- A function that resumes a new coroutine each time it is called. Raises what the coroutine raises.
---@param func function
---@return function
function M.wrap(func)
	local co = M.create(function(...)
		return func(...)
	end)
	return function(...)
		return unwrap(M.resume(co, ...))
	end
end

--- As coroutine.close.
---@param co thread
---@return boolean ok, any problem
function M.close(co)
	state[co] = nil
	return co_close(co)
end

return M
