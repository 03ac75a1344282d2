--- Compiles sproto's language to the binary form of types, which is a sproto message itself:
---
---     .field { name 0 : string  buildin 1 : integer  type 2 : integer  tag 3 : integer
---              array 4 : boolean  key 5 : integer  map 6 : boolean }
---     .type { name 0 : string  fields 1 : *field }
---     .protocol { name 0 : string  tag 1 : integer  request 2 : integer  response 3 : integer
---                 confirm 4 : boolean }
---     .group { type 0 : *type  protocol 1 : *protocol }
---
--- Types are sorted by name and referred to by their place. `type` of a built-in one holds the digits of a
--- decimal (integer) or 1 for binary (string).

local read_text = require "skynet.internal.sprototext"

---@class sprotoparser
local sprotoparser = {}

local BUILT_IN <const> = { integer = 0, boolean = 1, string = 2, binary = 2, double = 3 }
local BINARY <const> = 1

---------------------------------------------------------------- names

-- The full name of a type that is used inside of another one: the innermost definition counts.
local function full_name(types, inside, name)
	if BUILT_IN[name] then
		return name
	end
	local scope = inside
	while scope do
		if types[scope .. "." .. name] then
			return scope .. "." .. name
		end
		scope = string.match(scope, "(.+)%..+$")
	end
	return types[name] and name
end

local function resolve_fields(types)
	for type_name, fields in pairs(types) do
		for _, field in ipairs(fields) do
			local full = full_name(types, type_name, field.typename)
			if not full then
				error(string.format("Undefined type %s in type %s", field.typename, type_name), 0)
			end
			field.typename = full
		end
	end
end

local function check_protocols(protocols, types)
	local tags = {}
	for name, protocol in pairs(protocols) do
		if tags[protocol.tag] then
			error(string.format("redefined protocol tag %d at %s", protocol.tag, name), 0)
		end
		tags[protocol.tag] = true
		for _, part in ipairs { "request", "response" } do
			local typename = protocol[part]
			if typename and not types[typename] then
				error(string.format("Undefined %s type %s in protocol %s", part, typename, name), 0)
			end
		end
	end
end

---------------------------------------------------------------- binary form

local function with_size(bytes)
	return string.pack("<s4", bytes)
end

-- A sproto message. Its fields by tag: an integer stands in the header, a string follows it, false is
-- not there.
local function message(fields)
	local header, data = { string.pack("<I2", #fields) }, {}
	for _, value in ipairs(fields) do
		if value == false then
			table.insert(header, "\1\0")
		elseif type(value) == "string" then
			table.insert(header, "\0\0")
			table.insert(data, with_size(value))
		else
			if value < 0 or value > 0x7ffe then
				error(string.format("%d does not fit a field of 16 bits", value), 0)
			end
			table.insert(header, string.pack("<I2", (value + 1) * 2))
		end
	end
	return table.concat(header) .. table.concat(data)
end

local function list(messages)
	for place, bytes in ipairs(messages) do
		messages[place] = with_size(bytes)
	end
	return table.concat(messages)
end

-- The tag of the field that an array is indexed by; of the first of two fields for a map.
local function key_tag(field, element)
	local key = field.key
	if key == "" then
		if not element or #element ~= 2 then
			error(string.format("Invalid map definition: %s, must only have two fields", field.name), 0)
		end
		key = element[1].name -- sorted by tag
	end
	for _, candidate in ipairs(element or {}) do
		if candidate.name == key and BUILT_IN[candidate.typename] then
			return candidate.tag
		end
	end
	error("Invalid map index :" .. key, 0)
end

local function field_message(field, types, place_of)
	local built_in = BUILT_IN[field.typename]
	local fields = { field.name }
	if built_in then
		fields[2] = built_in
		fields[3] = field.typename == "binary" and BINARY or field.decimal or false
	else
		fields[2] = false
		fields[3] = place_of[field.typename]
	end
	fields[4] = field.tag
	if field.array then
		fields[5] = 1
		if field.key then
			fields[6] = key_tag(field, types[field.typename])
			fields[7] = field.key == "" and 1 or nil
		end
	end
	return message(fields)
end

local function type_message(name, types, place_of)
	local fields = {}
	for place, field in ipairs(types[name]) do
		fields[place] = field_message(field, types, place_of)
	end
	return message { name, fields[1] and list(fields) or nil }
end

local function protocol_message(name, protocol, place_of)
	local fields = {
		name,
		protocol.tag,
		place_of[protocol.request] or false,
		place_of[protocol.response] or false,
		protocol.confirm and not protocol.response and 1 or false,
	}
	while fields[#fields] == false do
		fields[#fields] = nil
	end
	return message(fields)
end

local function sorted_keys(t, less)
	local keys = {}
	for key in pairs(t) do
		keys[#keys + 1] = key
	end
	table.sort(keys, less)
	return keys
end

local function group_message(types, protocols)
	local type_names = sorted_keys(types)
	if #type_names == 0 then
		assert(next(protocols) == nil, "protocols need types")
		return message {}
	end
	local place_of = {}
	for place, name in ipairs(type_names) do
		place_of[name] = place - 1
	end
	local type_list, protocol_list = {}, {}
	for place, name in ipairs(type_names) do
		type_list[place] = type_message(name, types, place_of)
	end
	local by_tag = sorted_keys(protocols, function(a, b)
		return protocols[a].tag < protocols[b].tag
	end)
	for place, name in ipairs(by_tag) do
		protocol_list[place] = protocol_message(name, protocols[name], place_of)
	end
	return message { list(type_list), protocol_list[1] and list(protocol_list) or nil }
end

---------------------------------------------------------------- the module

--- Compiles types. Does not yield.
---@param text string
---@param name string? of the text, for errors
---@return string bin for sproto.new. Raises, with the line of a syntax error
function sprotoparser.parse(text, name)
	text = type(text) == "number" and tostring(text) or text
	local types, protocols = read_text(text, name or "=text")
	check_protocols(protocols, types)
	resolve_fields(types)
	return group_message(types, protocols)
end

--- Prints bytes as hexadecimal digits, 16 to the line.
---@param bytes string
function sprotoparser.dump(bytes)
	for first = 1, #bytes, 16 do
		local line = {}
		for place = first, math.min(first + 15, #bytes) do
			line[#line + 1] = string.format("%02X ", bytes:byte(place))
			if place == first + 7 then
				line[#line + 1] = "- "
			end
		end
		print(table.concat(line))
	end
end

return sprotoparser
