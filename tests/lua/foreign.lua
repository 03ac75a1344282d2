-- Modules in C that were compiled for another Lua (test-c/modules/foreign.c), on `lua_cpath`; `tests/node/foreign.rs` builds them
-- and reads the log.
local check = require "check"
local skynet = require "skynet"

local cases = {}

-- The error of a `require`, which has to have all of the words.
local function refused(name, ...)
	local ok, problem = pcall(require, name)
	check.equal(ok, false)
	for _, words in ipairs { name .. ".so", "this executable has Lua 5.5", "compat/lua-headers.sh", "SWAP.md", ... } do
		check.equal({ words, string.find(problem, words, 1, true) ~= nil, problem }, { words, true, problem })
	end
end

function cases.one_that_asks_for_its_version()
	refused("checks54", "version mismatch: app. needs 504", "compiled for Lua 5.4")
	refused("checks53", "version mismatch: app. needs 503", "compiled for Lua 5.3")
end

function cases.one_that_would_run_into_the_stack()
	refused("upvalues54", "compiled for Lua 5.2, 5.3 or 5.4")
	refused("upvalues53", "compiled for Lua 5.2, 5.3 or 5.4")
end

function cases.one_that_lacks_a_function()
	refused("box53", "undefined symbol: lua_newuserdata", "compiled for Lua")
end

function cases.one_that_may_be_for_this_lua_is_opened()
	check.equal(require "plain54".twice(21), 42)
	check.equal(require "upvalues55".kept(), 7)
	check.equal(require "checks55".twice(21), 42)
end

function cases.one_with_the_name_of_a_built_in_module_takes_its_place()
	check.equal(require "cjson".twice(21), 42)
	check.equal(require "cjson".decode, nil)
	-- What it has not is the built-in one's.
	check.equal(require "cjson.safe".decode "[1]", { 1 })
end

function cases.another_service_opens_it_without_a_second_warning()
	check.equal(skynet.call(skynet.newservice "foreign_user", "lua", 4), 8)
end

check.run(cases)
