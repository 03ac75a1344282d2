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

check.run(cases)
