-- Runs the tests of one file, one after the other, and tells what becomes of each.

local skynet = require "skynet"
require "skynet.manager"

local running_task = coroutine.running

local M = {}

--- What the file has registered.
M.tests = {} -- { name, run, options }, in order
M.hooks = { before = {}, after = {}, before_all = {}, after_all = {} }

local current -- the test that runs: { task, cleanups, failure }

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

--- Ends the test as failed. In another task than the test's the test fails, too.
function M.fail(text)
	local verdict = setmetatable({ text = place() .. text }, Verdict)
	if current and running_task() ~= current.task then
		current.failure = current.failure or verdict.text
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

-- Runs `action` in a task of its own, and waits for it, no longer than `limit` seconds. Nil, or what went wrong.
local function limited(action, limit, state)
	local waiter, problem = running_task(), nil
	local ended = false
	local task = skynet.fork(function()
		state.task = running_task()
		local ok, reason = xpcall(action, explain)
		ended = true
		problem = not ok and reason or nil
		skynet.wakeup(waiter)
	end)
	if not ended then
		skynet.sleep(math.ceil(limit * 100), waiter)
	end
	if ended then
		return problem
	end
	local stack = debug.traceback(task)
	return string.format("not done after %g s; it waits here:\n%s", limit, short_stack(stack) or stack)
end

local function run_cleanups(cleanups)
	local problem
	for i = #cleanups, 1, -1 do
		local ok, reason = xpcall(cleanups[i], explain)
		if not ok then
			problem = problem or tostring(reason)
		end
		cleanups[i] = nil
	end
	return problem
end

local function run_hooks(hooks)
	for _, hook in ipairs(hooks) do
		hook()
	end
end

-- One test: "pass" | "fail" | "skip", and why.
local function run_test(entry, limit)
	local state = { cleanups = {} }
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
	local cleanup = run_cleanups(state.cleanups)
	current = nil
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

local function run_list(list, limit, tell)
	local problem = limited(function()
		run_hooks(M.hooks.before_all)
	end, limit, {})
	if problem then
		return "before the tests: " .. tostring(problem)
	end
	for _, entry in ipairs(list) do
		tell("begin", entry.name)
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
	problem = limited(function()
		run_hooks(M.hooks.after_all)
	end, limit, {})
	return problem and "after the tests: " .. tostring(problem)
end

--- Runs a file. `filter`: a text that names of tests have in them, or nil. `limit`: seconds for one test. `tell` is called
--- with "begin", name; "pass" | "fail" | "skip", name, seconds, why; and "error", why. Yields.
function M.run(file, filter, limit, tell)
	local chunk, mistake = loadfile(file)
	local problem = mistake
	if chunk then
		problem = limited(chunk, limit, {})
	end
	if is_verdict(problem) and problem.skips then
		for _, entry in ipairs(wanted(filter)) do
			tell("skip", entry.name, "0", problem.text)
		end
		problem = nil
	elseif not problem then
		local list = wanted(filter)
		problem = #list > 0 and run_list(list, limit, tell) or nil
	end
	problem = problem or run_cleanups(M.cleanups)
	if problem then
		tell("error", tostring(problem))
	end
end

return M
