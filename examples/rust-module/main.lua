-- Uses a Lua module in Rust, and ends the node.
local skynet = require "skynet"
local grid = require "grid"
require "skynet.manager"

skynet.start(function()
	local fields = grid.new(3, 2)
	fields:set(1, 1, 20)
	fields:set(3, 2, 1)
	print("sum:", fields:sum())
	print(
		"doubled:",
		fields
			:map(function(value)
				return 2 * value
			end)
			:sum()
	)
	-- Errors go through Rust in both directions, and nothing is lost on the way.
	for _, func in ipairs {
		function()
			return fields:get(4, 1)
		end,
		function()
			return fields:map(function()
				error("of Lua", 0)
			end)
		end,
	} do
		local ok, problem = pcall(func)
		print(ok, (tostring(problem):match "[^\n]*")) -- mlua adds a traceback
	end
	print "rust-module is done"
	skynet.abort()
end)
