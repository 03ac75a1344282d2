--- What etcd answers, looked at field by field: whatever says so may be something else, or half of it. What is not as it has to be
--- raises, with who answered what, and where in it: "etcd at http://10.0.0.1:2379: its answer to /v3/kv/range is malformed:
--- kvs[1].key is missing".

local crypt = require "skynet.crypt"

local M = {}

local origins = setmetatable({}, { __mode = "k" }) -- answer -> "etcd at http://10.0.0.1:2379: its answer to /v3/kv/range"

--- Notes who has given an answer. Does not yield.
---@param answer table
---@param endpoint string
---@param what string "its answer to /v3/kv/range"
---@return table answer
function M.from(answer, endpoint, what)
	origins[answer] = string.format("etcd at %s: %s", endpoint, what)
	return answer
end

-- "kvs[1].key"
local function name_of(path)
	local parts = {}
	for i, step in ipairs(path) do
		parts[i] = type(step) == "number" and string.format("[%d]", step) or (i > 1 and "." or "") .. step
	end
	return table.concat(parts)
end

--- Raises that a field is not as it has to be. Does not yield.
---@param answer table
---@param path (string|integer)[]
---@param problem string "is missing"
function M.refuse(answer, path, problem)
	local origin = origins[answer] or "an answer of etcd"
	error(string.format("%s is malformed: %s %s", origin, name_of(path), problem), 0)
end

-- The field at the end of a path; nil where it, or something before it, is missing or null.
local function find(answer, path)
	local value = answer
	for i, step in ipairs(path) do
		if type(value) ~= "table" then
			M.refuse(answer, table.move(path, 1, i - 1, 1, {}), "is no object and no list")
		end
		value = value[step]
		if value == nil then
			return nil
		end
	end
	return value
end

local function need(answer, path)
	local value = find(answer, path)
	if value == nil then
		M.refuse(answer, path, "is missing")
	end
	return value
end

--- A text. Does not yield.
---@param answer table
---@param ... string|integer names and places
---@return string
function M.text(answer, ...)
	local path = { ... }
	local value = need(answer, path)
	if type(value) ~= "string" then
		M.refuse(answer, path, "is no text")
	end
	return value
end

--- Bytes, which come as base64; nothing stands for none. Does not yield.
---@param answer table
---@param ... string|integer names and places
---@return string
function M.bytes(answer, ...)
	local path = { ... }
	local value = find(answer, path)
	if value == nil then
		return ""
	end
	-- Of the pad's bytes nothing may be missing: the module reads a text that was cut.
	local ok, bytes = pcall(crypt.base64decode, value)
	if type(value) ~= "string" or not ok or #value % 4 ~= 0 then
		M.refuse(answer, path, "is no base64")
	end
	return bytes
end

--- A whole number, which comes as a text; nothing stands for 0. Does not yield.
---@param answer table
---@param ... string|integer names and places
---@return integer
function M.integer(answer, ...)
	local path = { ... }
	local value = find(answer, path)
	if value == nil then
		return 0
	end
	local number = (type(value) == "string" or type(value) == "number") and math.tointeger(tonumber(value))
	if not number then
		M.refuse(answer, path, "is no whole number")
	end
	return number
end

--- An object. Does not yield.
---@param answer table
---@param ... string|integer names and places
---@return table
function M.object(answer, ...)
	local path = { ... }
	local value = need(answer, path)
	if type(value) ~= "table" then
		M.refuse(answer, path, "is no object")
	end
	return value
end

--- How many items a list has; nothing stands for none. Does not yield.
---@param answer table
---@param ... string|integer names and places
---@return integer
function M.count(answer, ...)
	local path = { ... }
	local value = find(answer, path)
	if value == nil then
		return 0
	elseif type(value) ~= "table" then
		M.refuse(answer, path, "is no list")
	end
	local count = 0
	for place in pairs(value) do
		if math.type(place) ~= "integer" then
			M.refuse(answer, path, "is no list")
		end
		count = math.max(count, place)
	end
	return count
end

return M
