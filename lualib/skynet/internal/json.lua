--- JSON (RFC 8259) for the protocols of the Lua layer: objects and lists as tables, `null` as nil.
---
---     json.decode '{"a":[1,2]}'      -- { a = { 1, 2 } }
---     json.encode { a = json.list { 1, 2 } }
---
--- A `null` in a list leaves a hole. A table is written as a list when it has an element 1, or comes from `json.list`.

local M = {}

local MAX_DEPTH <const> = 64

local find, sub, match, format = string.find, string.sub, string.match, string.format

---------------------------------------------------------------- reading

local ESCAPES <const> = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function fail(text, position, what)
	error(format("JSON: %s at byte %d of %d", what, math.min(position, #text + 1), #text), 0)
end

local function skip(text, position)
	return find(text, "[^ \t\r\n]", position) or #text + 1
end

-- `\uXXXX`, of which two may be one character. Returns the character and the position behind it.
local function read_code(text, position)
	local digits = match(text, "^%x%x%x%x", position)
	if not digits then
		fail(text, position, "malformed \\u")
	end
	local code = tonumber(digits, 16)
	if code >= 0xd800 and code < 0xdc00 then
		local low = match(text, "^\\u([dD][c-fC-F]%x%x)", position + 4)
		if low then
			code = 0x10000 + ((code - 0xd800) << 10) + (tonumber(low, 16) - 0xdc00)
			return utf8.char(code), position + 10
		end
	end
	if code >= 0xd800 and code < 0xe000 then
		code = 0xfffd -- half of a character
	end
	return utf8.char(code), position + 4
end

local function read_string(text, position)
	local parts = {}
	position = position + 1
	while true do
		local stop = find(text, '["\\%c]', position)
		if not stop then
			fail(text, #text + 1, "a string without an end")
		end
		parts[#parts + 1] = sub(text, position, stop - 1)
		local sign = sub(text, stop, stop)
		if sign == '"' then
			return table.concat(parts), stop + 1
		elseif sign ~= "\\" then
			fail(text, stop, "a control character in a string")
		end
		local kind = sub(text, stop + 1, stop + 1)
		if kind == "u" then
			parts[#parts + 1], position = read_code(text, stop + 2)
		else
			parts[#parts + 1] = ESCAPES[kind] or fail(text, stop, "an unknown escape")
			position = stop + 2
		end
	end
end

local WORDS <const> = { ["true"] = true, ["false"] = false }

local function read_other(text, position)
	local word = match(text, "^%a+", position)
	if word == "null" then
		return nil, position + 4
	elseif word and WORDS[word] ~= nil then
		return WORDS[word], position + #word
	end
	local number = match(text, "^%-?%d+%.?%d*[eE]?[+-]?%d*", position)
	local value = number and not match(number, "^%-?0%d") and tonumber(number)
	if not value then
		fail(text, position, "no value")
	end
	return value, position + #number
end

local read_value

-- What stands between two brackets, one item after the other.
local function read_items(text, position, closing, read_item)
	position = skip(text, position + 1)
	if sub(text, position, position) == closing then
		return position + 1
	end
	while true do
		position = skip(text, read_item(position))
		local sign = sub(text, position, position)
		position = skip(text, position + 1)
		if sign == closing then
			return position
		elseif sign ~= "," then
			fail(text, position, "no comma and no " .. closing)
		end
	end
end

local function read_object(text, position, depth)
	local object = {}
	return object,
		read_items(text, position, "}", function(place)
			if sub(text, place, place) ~= '"' then
				fail(text, place, "no name of a field")
			end
			local name
			name, place = read_string(text, place)
			place = skip(text, place)
			if sub(text, place, place) ~= ":" then
				fail(text, place, "no colon")
			end
			object[name], place = read_value(text, skip(text, place + 1), depth)
			return place
		end)
end

local function read_list(text, position, depth)
	local list, count = {}, 0
	return list,
		read_items(text, position, "]", function(place)
			count = count + 1
			list[count], place = read_value(text, place, depth)
			return place
		end)
end

function read_value(text, position, depth)
	local sign = sub(text, position, position)
	if sign == '"' then
		return read_string(text, position)
	elseif sign ~= "{" and sign ~= "[" then
		return read_other(text, position)
	elseif depth == 0 then
		fail(text, position, format("more than %d levels", MAX_DEPTH))
	end
	return (sign == "{" and read_object or read_list)(text, position, depth - 1)
end

--- Reads a text. Raises when it is no JSON, or has more than 64 levels. Does not yield.
---@param text string
---@return any value
function M.decode(text)
	local value, position = read_value(text, skip(text, 1), MAX_DEPTH)
	position = skip(text, position)
	if position <= #text then
		fail(text, position, "more than one value")
	end
	return value
end

---------------------------------------------------------------- writing

local List = {}

--- Marks a table as a list, also when it is empty. Does not yield.
---@param items any[]
---@return any[] items
function M.list(items)
	return setmetatable(items, List)
end

local SHORT <const> = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quoted(text)
	return '"'
		.. string.gsub(text, '[%c"\\\x7f]', function(sign)
			return SHORT[sign] or format("\\u%04x", string.byte(sign))
		end)
		.. '"'
end

local write

local function write_table(value, depth)
	if depth == 0 then
		error(format("JSON: more than %d levels", MAX_DEPTH), 0)
	end
	local parts = {}
	if value[1] ~= nil or getmetatable(value) == List then
		for i, item in ipairs(value) do
			parts[i] = write(item, depth - 1)
		end
		return "[" .. table.concat(parts, ",") .. "]"
	end
	local names = {}
	for name in pairs(value) do
		if type(name) ~= "string" then
			error("JSON: names of fields are strings", 0)
		end
		names[#names + 1] = name
	end
	table.sort(names) -- the same value has the same text
	for i, name in ipairs(names) do
		parts[i] = quoted(name) .. ":" .. write(value[name], depth - 1)
	end
	return "{" .. table.concat(parts, ",") .. "}"
end

function write(value, depth)
	local kind = type(value)
	if kind == "table" then
		return write_table(value, depth)
	elseif kind == "string" then
		return quoted(value)
	elseif kind == "boolean" then
		return tostring(value)
	elseif math.type(value) == "integer" then
		return format("%d", value)
	elseif kind == "number" and value == value and value ~= math.huge and value ~= -math.huge then
		return format("%.17g", value)
	end
	error("JSON has no " .. (kind == "number" and tostring(value) or kind), 0)
end

--- Writes a value. Raises for what JSON has not, and for tables in themselves. Does not yield.
---@param value any
---@return string
function M.encode(value)
	return write(value, MAX_DEPTH)
end

return M
