-- A fixed number of one operation of Lua, for counting instructions: `count_vm field`.
local skynet = require "skynet"
require "skynet.manager"

--- Which keys share a chain in a table depends on the seed of this run; so each path takes 64 functions with names of their own.
--- `@` in the code is a number of the function.
local paths = {
	field = [[
		local t = {id@ = 1, name@ = "a", level@ = 2, gold@ = 3}
		return function(n)
			for i = 1, n do t.level@ = t.id@ + i t.gold@ = t.level@ end
		end]],
	method = [[
		local class = {}
		class.__index = class
		function class:get@() return self.value@ end
		function class:set@(value) self.value@ = value end
		local object = setmetatable({value@ = 1}, class)
		return function(n)
			for i = 1, n do object:set@(object:get@() + i) end
		end]],
	table = [[
		return function(n)
			for i = 1, n do local t = {x@ = i, y@ = i, list@ = {i, i}} end
		end]],
	string = [[
		local format = string.format
		return function(n)
			for i = 1, n do local s = "key@" .. i .. ":" .. format("%d %s", i, "x@") end
		end]],
	closure = [[
		local pcall = pcall
		return function(n)
			for i = 1, n do pcall(function() return i end) end
		end]],
	coroutine = [[
		local yield = coroutine.yield
		local next = coroutine.wrap(function() while true do yield(@) end end)
		return function(n)
			for i = 1, n do next() end
		end]],
}

local code = paths[...]

skynet.start(function()
	local count = math.tointeger(skynet.getenv "count")
	for i = 1, 64 do
		assert(load((code:gsub("@", i))))()(count // 64)
	end
	skynet.abort()
end)
