-- Runs the tests of one file, one after the other, and tells what becomes of each.

local skynet = require "skynet"
require "skynet.manager"

local running_task = coroutine.running

local M = {}

--- What the file has registered.
M.tests = {} -- { name, run, options }, in order
M.hooks = { before = {}, after = {}, before_all = {}, after_all = {} }

-- What becomes of a file is told here; see `M.run`.
local tell

local current -- the test that runs: { name, task, cleanups, failure, over }
local outside = {} -- in the place of a test: the top of the file, and the hooks around all tests

-- Task -> the test whose it is. What a test forks may run when another test does.
local owners = setmetatable({}, { __mode = "k" })

-- What `error` is given for a failed assertion and for a skip: their text needs no stack.
local Verdict = {}
Verdict.__index = Verdict
Verdict.__tostring = function(self)
	return self.text
end

local function is_verdict(value)
	return getmetatable(value) == Verdict
end

-- Frames of the runner and of Lua itself say nothing to who reads a failure.
local function is_ours(source)
	return string.find(source, "skynet/test.lua", 1, true)
		or string.find(source, "skynet/internal/testing/", 1, true)
		or string.find(source, "test_runner.lua", 1, true)
end

-- "file:line: " of the innermost function that is the user's.
local function place()
	for level = 3, 30 do
		local info = debug.getinfo(level, "Sl")
		if not info then
			break
		end
		if info.currentline > 0 and not is_ours(info.source) then
			return string.format("%s:%d: ", info.short_src, info.currentline)
		end
	end
	return ""
end

local function owner_of_this()
	return owners[running_task()] or current or outside
end

-- Something failed in another task than the test's.
local function note(owner, text)
	if owner == outside then
		tell("error", "in a task that no test started: " .. text)
	elseif owner.abandoned then
		return -- its failure is told already
	elseif owner.over then
		tell("late", owner.name, "0", "in a task that went on after the test: " .. text)
	else
		owner.failure = owner.failure or text
	end
end

--- Ends the test as failed. In another task than the test's the test fails, too.
function M.fail(text)
	local verdict = setmetatable({ text = place() .. text }, Verdict)
	local owner = owner_of_this()
	if running_task() ~= owner.task then
		note(owner, verdict.text)
		verdict.noted = true
	end
	error(verdict, 0)
end

--- Ends the test as skipped.
function M.skip(why)
	error(setmetatable({ text = why, skips = true }, Verdict), 0)
end

--- Runs `action` when the present test ends, the last one first; outside of a test, when the file ends.
function M.finally(action)
	local cleanups = current and current.cleanups or M.cleanups
	cleanups[#cleanups + 1] = action
end

--- The place where what goes on between tests is kept.
M.cleanups = {}

local function short_stack(text)
	local kept = {}
	for line in string.gmatch(text, "[^\n]+") do
		if
			not is_ours(line)
			and not string.find(line, "[C]:", 1, true)
			and not string.find(line, "embedded/", 1, true)
		then
			kept[#kept + 1] = line
		end
	end
	-- Its heading alone says nothing.
	return #kept > 1 and table.concat(kept, "\n") or nil
end

local function explain(problem)
	if is_verdict(problem) then
		return problem
	end
	local text = type(problem) == "table"
			and not getmetatable(problem)
			and require "skynet.internal.testing.difference".show(problem)
		or tostring(problem)
	local stack = short_stack(debug.traceback("", 2))
	return stack and text .. "\n" .. stack or text
end

-- `body` as a task of a test: an error in it is the test's, and goes to the log as always.
local function watched(body, owner)
	return function(...)
		local task = running_task()
		owners[task] = owner
		local ok, reason = xpcall(body, explain, ...)
		owners[task] = nil -- tasks are used again
		if ok then
			return
		end
		if not is_verdict(reason) then
			note(owner, tostring(reason))
		elseif not reason.noted and not reason.skips then
			note(owner, reason.text)
		end
		error(tostring(reason), 0)
	end
end

local fork, timeout = skynet.fork, skynet.timeout

-- From here on the tasks of this service belong to tests.
local function watch_tasks()
	function skynet.fork(func, ...)
		if func == nil then
			func = require "skynet.internal.nofunction" "skynet.fork"
		end
		return fork(watched(func, owner_of_this()), ...)
	end
	function skynet.timeout(centiseconds, func)
		if func == nil then
			func = require "skynet.internal.nofunction" "skynet.timeout"
		end
		return timeout(centiseconds, watched(func, owner_of_this()))
	end
end

--- Whether the clock of this node jumps. Does not yield.
---@return boolean
function M.is_virtual()
	return skynet.getenv "virtual_time" == "true" or skynet.getenv "scheduler_seed" ~= nil
end

-- Where the clock jumps, a test is over its limit after no time at all: who only knows the clock on the wall would not understand.
local function over_limit(limit)
	if M.is_virtual() then
		local text =
			"not done after %g s of the node's clock, which jumps (a test that sleeps for longer: test(name, { limit = SECONDS }, function))"
		return string.format(text, limit)
	end
	return string.format("not done after %g s", limit)
end

-- Runs `action` in a task of its own, and waits for it, no longer than `limit` seconds. Nil, or what went wrong. What is
-- not done by then goes on, until `state.abandon` ends it: a task that is woken by the end of what it waits for (a
-- connection, say) ends better by itself.
local function limited(action, limit, state)
	local token, problem = {}, nil -- this call's own: what is left of another wakes nobody here
	local ended = false
	local task = fork(function()
		local me = running_task()
		state.task = me
		owners[me] = state
		local ok, reason = xpcall(action, explain)
		owners[me] = nil
		ended = true
		problem = not ok and reason or nil
		skynet.wakeup(token)
	end)
	skynet.sleep(math.ceil(limit * 100), token)
	if ended then
		return problem
	end
	local stack = debug.traceback(task)
	state.abandoned = true
	table.insert(state, function()
		if not ended then
			owners[task] = nil
			pcall(skynet.killthread, task)
		end
	end)
	return string.format("%s; it waits here:\n%s", over_limit(limit), short_stack(stack) or stack)
end

-- Ends what `limited` left.
local function end_abandoned(state)
	for i = 1, #state do
		state[i]()
		state[i] = nil
	end
end

local function run_cleanups(cleanups, limit, state)
	local first
	for i = #cleanups, 1, -1 do
		local problem = limited(cleanups[i], limit, state)
		first = first or problem and tostring(problem)
		cleanups[i] = nil
	end
	end_abandoned(state)
	return first
end

local function run_hooks(hooks)
	for _, hook in ipairs(hooks) do
		hook()
	end
end

-- One test: "pass" | "fail" | "skip", and why.
local function run_test(entry, limit)
	local state = { name = entry.name, cleanups = {} }
	current = state
	limit = entry.options.limit or limit
	local problem = limited(function()
		run_hooks(M.hooks.before)
		entry.run()
	end, limit, state)
	-- Also after a failure, and with a limit of its own.
	local after = limited(function()
		run_hooks(M.hooks.after)
	end, limit, state)
	local cleanup = run_cleanups(state.cleanups, limit, state)
	current, state.over = nil, true
	if is_verdict(problem) and problem.skips then
		return "skip", problem.text
	end
	problem = problem or state.failure
	if problem then
		return "fail", tostring(problem)
	elseif after then
		return "fail", "after the test: " .. tostring(after)
	elseif cleanup then
		return "fail", "at the end of the test: " .. cleanup
	end
	return "pass", ""
end

local function wanted(filter)
	local list = {}
	for _, entry in ipairs(M.tests) do
		if not filter or string.find(entry.name, filter, 1, true) then
			list[#list + 1] = entry
		end
	end
	return list
end

-- Outside of tests: nil, or what went wrong.
local function aside(action, limit)
	local problem = limited(action, limit, outside)
	end_abandoned(outside)
	return problem
end

local function run_list(list, limit)
	local problem = aside(function()
		run_hooks(M.hooks.before_all)
	end, limit)
	if problem then
		return "before the tests: " .. tostring(problem)
	end
	for _, entry in ipairs(list) do
		tell("begin", entry.name, entry.options.limit or "")
		local begin = skynet.hpc()
		local outcome, why
		if entry.options.skip then
			outcome, why = "skip", tostring(entry.options.skip)
		else
			skynet.error("test: " .. entry.name)
			outcome, why = run_test(entry, limit)
		end
		tell(outcome, entry.name, string.format("%.6f", (skynet.hpc() - begin) / 1e9), why)
	end
	problem = aside(function()
		run_hooks(M.hooks.after_all)
	end, limit)
	return problem and "after the tests: " .. tostring(problem)
end

--- Runs a file. `filter`: a text that names of tests have in them, or nil. `limit`: seconds for one test. `report` is called
--- with "plan", name, for each test that is to run; "begin", name, its own limit or ""; "pass" | "fail" | "skip", name, seconds, why; "late",
--- name, "0", why, for a test that failed after its end; and "error", why. Yields.
function M.run(file, filter, limit, report)
	tell = report
	watch_tasks()
	local chunk, problem = loadfile(file)
	if chunk then
		problem = aside(chunk, limit)
	end
	local list = wanted(filter)
	for _, entry in ipairs(list) do
		tell("plan", entry.name)
	end
	if is_verdict(problem) and problem.skips then
		for _, entry in ipairs(list) do
			tell("skip", entry.name, "0", problem.text)
		end
		problem = nil
	elseif not problem then
		problem = #list > 0 and run_list(list, limit) or nil
	end
	problem = problem or run_cleanups(M.cleanups, limit, outside)
	if problem then
		tell("error", tostring(problem))
	end
end

return M
