-- Asks the launcher and prints the answer: "dbg list", "dbg mem", "dbg stat" ...

local skynet = require "skynet"

local request = { ... }

local function sorted_keys(t)
	local keys = {}
	for key in pairs(t) do
		keys[#keys + 1] = key
	end
	table.sort(keys)
	return keys
end

local function format_value(value)
	if type(value) ~= "table" then
		return tostring(value)
	end
	local fields = {}
	for _, key in ipairs(sorted_keys(value)) do
		fields[#fields + 1] = string.format("%s:%s", key, tostring(value[key]))
	end
	return table.concat(fields, "\t")
end

skynet.start(function()
	local list = skynet.call(".launcher", "lua", table.unpack(request))
	for _, key in ipairs(sorted_keys(list or {})) do
		print(key, format_value(list[key]))
	end
	skynet.exit()
end)
