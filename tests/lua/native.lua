-- Modules in C and in C++ that were compiled for this Lua (test-c/modules/native.c), on `lua_cpath`.
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

function cases.a_module_in_c()
	works "native_c"
end

function cases.a_module_in_cpp()
	works "native_cpp"
end

check.run(cases)
