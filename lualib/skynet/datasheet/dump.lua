--- The binary form of a datasheet, which skynet.datasheet.core reads in place.
---
---     document   u32 offset of the strings, u32 count of tables, u32 x count offsets of the tables (from
---                the end of this list; 0xffffffff: there is no such table), the tables, the strings
---     table      i32 size of the array, i32 count of pairs, a byte of type for each element and pair
---                (padded to 4), u32 x size elements, (u32 key, u32 value) x count
---     value      1 integer (i32), 2 number (float), 3 boolean, 4 table (its number from 0), 5 string
---                (offset among the strings, which end with a zero byte)
---
--- All little-endian. Table 0 is the root. Keys are strings, or 1..n; an integer beyond 32 bits becomes a
--- float, and floats have single precision.

local pack, unpack = string.pack, string.unpack

local INTEGER <const>, REAL <const>, BOOLEAN <const>, TABLE <const>, STRING <const> = 1, 2, 3, 4, 5
local NO_TABLE <const> = 0xffffffff

local M = {}

local function padding(length)
	return -length & 3
end

---------------------------------------------------------------- writing

local function string_offset(doc, text)
	local offset = doc.offset_of[text]
	if not offset then
		if string.find(text, "\0", 1, true) then
			error(string.format("a datasheet cannot hold %q: it has a zero byte", text))
		end
		offset = doc.string_size
		doc.string_size = offset + #text + 1
		doc.offset_of[text] = offset
		table.insert(doc.strings, text .. "\0")
	end
	return pack("<I4", offset)
end

local write_table

-- Returns the type and the 4 bytes of a value.
local function write_value(doc, value)
	local kind = type(value)
	if kind == "table" then
		return TABLE, pack("<I4", write_table(doc, value))
	elseif kind == "string" then
		return STRING, string_offset(doc, value)
	elseif kind == "boolean" then
		return BOOLEAN, value and "\0\0\0\1" or "\0\0\0\0"
	elseif kind == "number" then
		local integer = math.tointeger(value)
		if integer and integer >= -0x80000000 and integer <= 0x7fffffff then
			return INTEGER, pack("<i4", integer)
		end
		return REAL, pack("<f", value)
	end
	error("Unsupport value " .. tostring(value))
end

-- Keys of the pairs in a fixed order, so that equal tables have equal documents.
local function string_keys(t, array_size)
	local keys = {}
	for key in pairs(t) do
		if type(key) == "string" then
			keys[#keys + 1] = key
		else
			local place = math.tointeger(key)
			if not (place and place >= 1 and place <= array_size) then
				error(string.format("a datasheet cannot have the key %s", tostring(key)))
			end
		end
	end
	table.sort(keys)
	return keys
end

-- Adds a table to the document and returns its number.
function write_table(doc, t)
	local number = doc.count
	doc.count = number + 1
	local types, body = {}, {}
	for place, value in ipairs(t) do
		types[place], body[place] = write_value(doc, value)
	end
	local array_size = #types
	for _, key in ipairs(string_keys(t, array_size)) do
		body[#body + 1] = string_offset(doc, key)
		types[#types + 1], body[#body + 1] = write_value(doc, t[key])
	end
	for place, kind in ipairs(types) do
		types[place] = string.char(kind)
	end
	doc.tables[number + 1] = pack("<i4i4", array_size, #types - array_size)
		.. table.concat(types)
		.. string.rep("\0", padding(#types))
		.. table.concat(body)
	return number
end

-- A document of tables (number + 1 -> bytes, false: none) and a block of strings.
local function assemble(tables, count, strings)
	local offsets, present, offset = {}, {}, 0
	for number = 1, count do
		local bytes = tables[number]
		if bytes then
			offsets[number] = pack("<I4", offset)
			offset = offset + #bytes
			present[#present + 1] = bytes
		else
			offsets[number] = pack("<I4", NO_TABLE)
		end
	end
	return pack("<I4I4", 8 + 4 * count + offset, count) .. table.concat(offsets) .. table.concat(present) .. strings
end

--- The document of a table. Does not yield.
---@param root table
---@return string document. Raises when it holds what a datasheet cannot
function M.dump(root)
	local doc = { count = 0, tables = {}, strings = {}, offset_of = {}, string_size = 0 }
	write_table(doc, root)
	local strings = table.concat(doc.strings)
	return assemble(doc.tables, doc.count, strings == "" and "\0" or strings)
end

---------------------------------------------------------------- reading

-- Returns the position of the strings, the number of tables, and their positions by number.
local function read_index(document)
	local strings, count = unpack("<I4I4", document)
	local positions = {}
	for number = 0, count - 1 do
		local offset = unpack("<I4", document, 9 + number * 4)
		if offset ~= NO_TABLE then
			positions[number] = 9 + 4 * count + offset
		end
	end
	return strings + 1, count, positions
end

-- Returns the sizes of the array and of the pairs, the bytes of types, and the position of the values.
local function read_head(document, position)
	local array_size, pair_count = unpack("<I4I4", document, position)
	local size = array_size + pair_count
	local types = string.sub(document, position + 8, position + 7 + size)
	return array_size, pair_count, types, position + 8 + size + padding(size)
end

--- The tables of a document. Does not yield.
---@param document string
---@return table root, table<table, integer> numbers of all tables in it
function M.undump(document)
	local strings, _, positions = read_index(document)
	local numbers = {}
	local read_table

	local function read_value(kind, position)
		if kind == INTEGER then
			return (unpack("<i4", document, position))
		elseif kind == REAL then
			return (unpack("<f", document, position))
		elseif kind == BOOLEAN then
			return unpack("<i4", document, position) ~= 0
		elseif kind == TABLE then
			return read_table((unpack("<I4", document, position)))
		elseif kind == STRING then
			return (unpack("z", document, strings + unpack("<I4", document, position)))
		end
		error(string.format("Invalid data at %d (%d)", position, kind))
	end

	function read_table(number)
		local array_size, pair_count, types, position = read_head(document, positions[number])
		local result = {}
		for place = 1, array_size do
			result[place] = read_value(types:byte(place), position)
			position = position + 4
		end
		for pair = 1, pair_count do
			local key = read_value(STRING, position)
			result[key] = read_value(types:byte(array_size + pair), position + 4)
			position = position + 8
		end
		numbers[result] = number
		return result
	end

	return read_table(0), numbers
end

---------------------------------------------------------------- versions

-- For each table of `current`, by number, the number it has to have: that of the table at the same place
-- in `last`, or a new one. Returns the count of numbers too.
local function match_tables(last, current)
	local last_root, last_numbers = M.undump(last)
	local root, numbers = M.undump(current)
	local renumber = {}
	local function match(old, new)
		renumber[numbers[new]] = last_numbers[old]
		for key, value in pairs(old) do
			if type(value) == "table" and type(new[key]) == "table" then
				match(value, new[key])
			end
		end
	end
	match(last_root, root)
	local total = select(2, unpack("<I4I4", last))
	for number = 0, select(2, unpack("<I4I4", current)) - 1 do
		if not renumber[number] then
			renumber[number] = total
			total = total + 1
		end
	end
	return renumber, total
end

-- The bytes of a table whose references to other tables follow the new numbers.
local function renumbered_table(document, position, renumber)
	local array_size, pair_count, types, values = read_head(document, position)
	local words = {}
	for i = 1, array_size + 2 * pair_count do
		words[i] = string.sub(document, values + 4 * i - 4, values + 4 * i - 1)
	end
	for i = 1, array_size + pair_count do
		if types:byte(i) == TABLE then
			local place = i <= array_size and i or array_size + 2 * (i - array_size)
			words[place] = pack("<I4", renumber[unpack("<I4", words[place])])
		end
	end
	return string.sub(document, position, values - 1) .. table.concat(words)
end

--- A document like `current` in which tables that stand at the same place in `last` have the numbers that
--- they have there: readers of `last` find them again. Does not yield.
---@param last string document
---@param current string document
---@return string document
function M.diff(last, current)
	local renumber, total = match_tables(last, current)
	local strings, count, positions = read_index(current)
	local tables = {}
	for number = 1, total do
		tables[number] = false
	end
	for number = 0, count - 1 do
		tables[renumber[number] + 1] = renumbered_table(current, positions[number], renumber)
	end
	return assemble(tables, total, string.sub(current, strings))
end

return M
