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

-- An error in a coroutine that nobody has resumed goes to the main one, over those that wait on the way. In the main chunk, where
-- its handler has to be, with a profile that wants the stack from then on.
local function stacks_after_an_error_over_a_coroutine(name)
	local native = require(name)
	local function left_behind()
		native.call(function()
			error("goes to the main one", 0)
		end)
	end
	local ok, problem = pcall(function()
		coroutine.wrap(left_behind)()
	end)
	check.equal({ ok, problem }, { false, "goes to the main one" })
	skynet.profile_start { allocations = true, every = 256 }
	local kept = {}
	for i = 1, 1000 do
		kept[i] = string.rep("x", 100 + i)
	end
	return (skynet.profile_stop())
end

local stacks = {
	stacks_after_an_error_over_a_coroutine "native_c",
	stacks_after_an_error_over_a_coroutine "native_cpp",
}

function cases.an_error_that_goes_over_coroutines_leaves_nobody_waiting()
	for _, text in ipairs(stacks) do
		assert(string.find(text, "stacks_after_an_error_over_a_coroutine", 1, true), text)
		assert(not string.find(text, "left_behind", 1, true), text)
	end
end

check.run(cases)
