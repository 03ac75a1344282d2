-- Modules in C that go behind Lua's interface: by its internal headers, and to jemalloc.
local check = require "check"

local cases = {}

function cases.internal_headers_are_those_of_this_lua()
	local look = require "lua_insides"
	for _, text in ipairs { "", "a", "short", string.rep("long ", 100) } do
		local seen, slots = look(text)
		check.equal(seen, text)
		check.equal(slots & slots - 1, 0) -- a power of two
	end
	check.equal(
		select(
			3,
			coroutine.wrap(function()
				return look "x"
			end)()
		),
		false
	)
end

function cases.jemalloc_has_the_names_of_the_c_core()
	local version, size, arenas, length, configured = require "jemalloc"()
	check.equal(string.match(version, "^%d+%.%d+"), "5.3")
	check.equal(size, 112) -- the size class of 100
	check.equal(arenas > 0, true)
	check.equal(length > 1000, true)
	check.equal(type(configured), "string")
end

check.run(cases)
