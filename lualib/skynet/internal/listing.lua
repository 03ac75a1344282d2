--- Tables as lines, for people: "key<TAB>value" in the order of the keys; of a value that is a table "key:value" of each field.

local function sorted_keys(t)
	local keys = {}
	for key in pairs(t) do
		keys[#keys + 1] = key
	end
	table.sort(keys, function(a, b)
		return tostring(a) < tostring(b)
	end)
	return keys
end

local function format_value(value)
	if type(value) ~= "table" then
		return tostring(value)
	end
	local fields = {}
	for _, key in ipairs(sorted_keys(value)) do
		fields[#fields + 1] = string.format("%s:%s", tostring(key), tostring(value[key]))
	end
	return table.concat(fields, "\t")
end

---@param t table
---@return string[] lines
return function(t)
	local lines = {}
	for _, key in ipairs(sorted_keys(t)) do
		lines[#lines + 1] = tostring(key) .. "\t" .. format_value(t[key])
	end
	return lines
end
