--- Descriptions of indexes for MongoDB.

local bson = require "bson"

local M = {}

--- An index of one key, as { name = 1 } and options.
function M.of_key(keys, options)
	local name, direction = next(keys)
	assert(name and next(keys, name) == nil, "Use new api for multi-keys")
	local model = {}
	for option, value in pairs(options) do
		model[option] = value
	end
	model.name = model.name or name .. "_" .. direction
	model.key = keys
	return model
end

--- An index of keys in their order, as { "name", { level = -1 }, unique = true }.
function M.of_keys(description)
	local keys, parts = {}, {}
	for _, key in ipairs(description) do
		local name, direction = key, 1
		if type(key) == "table" then
			name, direction = next(key)
		end
		keys[#keys + 1], keys[#keys + 2] = name, direction
		parts[#parts + 1] = name .. "_" .. direction
	end
	assert(#keys > 0, "Need keys")
	local model = {}
	for option, value in pairs(description) do
		if type(option) == "string" then
			model[option] = value
		end
	end
	model.name = model.name or table.concat(parts, "_")
	model.key = bson.encode_order(table.unpack(keys))
	return model
end

return M
