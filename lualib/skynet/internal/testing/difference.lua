-- Deep comparison of two values, and where they differ, in words.

local MOST_PLACES <const> = 10
local MOST_TEXT <const> = 200 -- bytes of one value that are shown
local MOST_DEEP <const> = 4 -- tables in one another that are shown

local M = {}

local function quoted(text)
	local shown = string.format("%q", text):gsub("\\\n", "\\n"):gsub("\r", "\\r"):gsub("\0", "\\0")
	if #shown > MOST_TEXT then
		return string.format("%s... (%d bytes)", string.sub(shown, 1, MOST_TEXT), #text)
	end
	return shown
end

-- Keys in an order that does not change: numbers, texts, the rest by its kind.
local function sorted_keys(t)
	local keys = {}
	for key in next, t do
		keys[#keys + 1] = key
	end
	table.sort(keys, function(a, b)
		local kind_a, kind_b = type(a), type(b)
		if kind_a ~= kind_b then
			return kind_a < kind_b
		end
		if kind_a == "number" or kind_a == "string" then
			return a < b
		end
		return tostring(a) < tostring(b)
	end)
	return keys
end

local function key_text(key)
	if type(key) == "string" and string.find(key, "^[%a_][%w_]*$") then
		return key
	end
	return "[" .. (type(key) == "string" and quoted(key) or tostring(key)) .. "]"
end

local function shown(value, deep, open)
	if type(value) == "string" then
		return quoted(value)
	elseif type(value) ~= "table" then
		return tostring(value)
	elseif open[value] then
		return "(a table around it)"
	elseif deep == MOST_DEEP then
		return "{...}"
	end
	open[value] = true
	local parts, length = {}, 0
	local count = rawlen(value)
	for _, key in ipairs(sorted_keys(value)) do
		local item = shown(rawget(value, key), deep + 1, open)
		if not (math.type(key) == "integer" and key >= 1 and key <= count) then
			item = key_text(key) .. " = " .. item
		end
		length = length + #item + 2
		if length > MOST_TEXT then
			parts[#parts + 1] = "..."
			break
		end
		parts[#parts + 1] = item
	end
	open[value] = nil
	return "{ " .. table.concat(parts, ", ") .. " }"
end

--- A value in one line.
function M.show(value)
	if type(value) == "table" and next(value) == nil then
		return "{}"
	end
	return shown(value, 0, {})
end

local function path_of(path, key)
	local text = key_text(key)
	return path .. (string.sub(text, 1, 1) == "[" and text or "." .. text)
end

-- Where two long texts part.
local function text_difference(got, expected)
	if type(got) ~= "string" or type(expected) ~= "string" or #got + #expected < 100 then
		return nil
	end
	local at = 1
	while string.byte(got, at) == string.byte(expected, at) do
		at = at + 1
	end
	local function around(text)
		return quoted(string.sub(text, math.max(1, at - 20), at + 40))
	end
	return string.format("byte %d on; around it got %s, expected %s", at, around(got), around(expected))
end

local function compare(got, expected, path, places, seen)
	if #places > MOST_PLACES or rawequal(got, expected) or got ~= got and expected ~= expected then
		return
	end
	if type(got) ~= "table" or type(expected) ~= "table" then
		if got ~= expected or math.type(got) ~= math.type(expected) then
			places[#places + 1] = { path, got, expected }
		end
		return
	end
	-- A pair that is being compared already is equal if the rest is.
	seen[got] = seen[got] or {}
	if seen[got][expected] then
		return
	end
	seen[got][expected] = true
	for _, key in ipairs(sorted_keys(expected)) do
		compare(rawget(got, key), rawget(expected, key), path_of(path, key), places, seen)
	end
	for _, key in ipairs(sorted_keys(got)) do
		if rawget(expected, key) == nil then
			compare(rawget(got, key), nil, path_of(path, key), places, seen)
		end
	end
end

--- Nil if the values are equal: tables by their contents, numbers by value and kind (1 is not 1.0), the rest by identity.
--- Else a text that says where they differ.
function M.between(got, expected)
	local places = {}
	compare(got, expected, "", places, {})
	if #places == 0 then
		return nil
	end
	local lines = {}
	for i, place in ipairs(places) do
		if i > MOST_PLACES then
			lines[#lines + 1] = "  and more"
			break
		end
		local path, one, other = table.unpack(place, 1, 3)
		if path ~= "" then
			lines[#lines + 1] = "  at " .. path
		end
		lines[#lines + 1] = "    got:      " .. M.show(one)
		lines[#lines + 1] = "    expected: " .. M.show(other)
		local where = text_difference(one, other)
		if where then
			lines[#lines + 1] = "    different from " .. where
		end
	end
	return table.concat(lines, "\n")
end

return M
