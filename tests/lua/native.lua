-- Modules in C and in C++ that were compiled for this Lua (test-c/modules/native.c), on `lua_cpath`.
local skynet = require "skynet"
local core = require "skynet.core"
local check = require "check"

local cases = {}

local function works(name)
	local native = require(name)
	local major, minor = string.match(_VERSION, "(%d+)%.(%d+)")
	check.equal(native.version, major * 100 + minor)
	check.equal(table.pack(native.total { 1, 2, 39 }), { 42, 3, n = 2 })
	check.raises("number expected, got string", native.total, { 1, "x" })
	local function double(x)
		return x * 2
	end
	local other = native.again(double)
	check.equal(other(21), 42)
	local cell = native.cell "value"
	check.equal(table.pack(cell()), { "value", 1, n = 2 })
	check.equal(table.pack(cell()), { "value", 2, n = 2 })
end

-- What is asked of a service from outside, here that it ends what it does, finds the coroutine that runs.
local function resumes_by_itself(name)
	local native = require(name)
	local gone = setmetatable({}, { __mode = "k" })
	local ok, problem = pcall(function()
		assert(native.run(function()
			gone[coroutine.running()] = true
			coroutine.resume(coroutine.create(function() end))
		end))
		collectgarbage()
		check.equal(next(gone), nil)
		core.command("SIGNAL", skynet.address(skynet.self()) .. " 0")
		for _ = 1, 1000000 do
		end
	end)
	check.equal(ok, false)
	assert(string.find(tostring(problem), "signal 0", 1, true), problem)
end

function cases.a_module_that_resumes_a_coroutine_leaves_none_behind()
	resumes_by_itself "native_c"
	resumes_by_itself "native_cpp"
end

function cases.a_module_in_c()
	works "native_c"
end

function cases.a_module_in_cpp()
	works "native_cpp"
end

-- An error that leaves a coroutine which nobody has resumed goes to the main one, over those that wait on the way. In the main chunk, where
-- its handler has to be, with a profile that wants the stack from then on.
local function to_the_main_one(native)
	local function left_behind()
		native.call(function()
			error("over resumes", 0)
		end)
	end
	local ok, problem = pcall(function()
		coroutine.wrap(left_behind)()
	end)
	return ok, problem
end

-- And an error in one that waits goes to its own handler.
local function to_one_that_waits(native)
	return coroutine.wrap(function()
		local waiting = coroutine.running()
		local function left_behind()
			native.call_in(waiting, function()
				error("over resumes", 0)
			end)
		end
		return pcall(function()
			coroutine.wrap(left_behind)()
		end)
	end)()
end

local function stacks_after(throw, name)
	check.equal({ throw(require(name)) }, { false, "over resumes" })
	skynet.profile_start { allocations = true, every = 256 }
	local kept = {}
	for i = 1, 1000 do
		kept[i] = string.rep("x", 100 + i)
	end
	return (skynet.profile_stop())
end

local stacks = {
	stacks_after(to_the_main_one, "native_c"),
	stacks_after(to_the_main_one, "native_cpp"),
	stacks_after(to_one_that_waits, "native_c"),
	stacks_after(to_one_that_waits, "native_cpp"),
}

-- It would be the end of the node: the main coroutine, which Lua asks for a handler, has none while a task runs.
local function raises_in_a_task(name)
	local native = require(name)
	local function call()
		native.call(function()
			error("in a task", 0)
		end)
	end
	check.equal({ pcall(call) }, { false, "in a task" })
	check.equal({ coroutine.resume(coroutine.create(call)) }, { false, "in a task" })
	-- Nobody catches it: the caller of the task hears of it.
	skynet.dispatch("lua", call)
	check.equal(pcall(skynet.call, skynet.self(), "lua"), false)
end

function cases.an_error_in_a_coroutine_that_nobody_has_resumed_fails_the_task()
	raises_in_a_task "native_c"
	raises_in_a_task "native_cpp"
end

function cases.an_error_that_goes_over_coroutines_leaves_nobody_waiting()
	for _, text in ipairs(stacks) do
		assert(string.find(text, "stacks_after", 1, true), text)
		assert(not string.find(text, "left_behind", 1, true), text)
	end
end

check.run(cases)
