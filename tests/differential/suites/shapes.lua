-- What each module is: its type, its keys as `pairs` and `rawget` see them, its metatable.
local skynet = require "skynet"
local sweep = require "sweep"

local MODULES <const> = require "modules"

local function describe(subject, value, depth)
	if type(value) ~= "table" then
		sweep.record(subject, "is", type(value))
		return
	end
	sweep.record(subject, "is", "table")
	local meta = getmetatable(value)
	sweep.record(subject, "metatable", type(meta) == "table" and "table" or tostring(meta))
	for key in pairs(value) do
		local field = rawget(value, key)
		local name = type(key) == "string" and key or sweep.render(key)
		local text = type(field)
		if (text == "number" or text == "string") and not string.find(name, "^_") then
			text = sweep.render(field)
		end
		sweep.record(subject, "key " .. name, text)
		if type(field) == "table" and depth > 0 and key ~= "__index" then
			describe(subject .. "." .. name, field, depth - 1)
		end
	end
	if type(meta) == "table" and depth > 0 then
		describe(subject .. " metatable", meta, 0)
		if type(rawget(meta, "__index")) == "table" and rawget(meta, "__index") ~= meta then
			describe(subject .. " metatable.__index", meta.__index, 0)
		end
	end
end

sweep.run(function()
	local globals = {}
	for name, value in pairs(_G) do
		globals[name] = type(value)
	end
	for name, kind in pairs(globals) do
		sweep.record("_G", "key " .. tostring(name), kind)
	end
	for _, name in ipairs(MODULES) do
		local ok, module = pcall(require, name)
		if ok then
			describe(name, module, 1)
		else
			sweep.record(name, "is", "error " .. sweep.normal(string.match(module, "^[^\n]*")))
		end
	end
end)
