--- Values of a stopped service as the editor shows them. Part of the debugger's agent (debugagent.lua): nothing here calls a
--- metamethod or anything else of the service's own, so that looking changes nothing.
---
---     local values = native.load "skynet.internal.debugvalues"
---     values.show(value, limit)          -- text
---     local store = values.store(base)   -- variables that can be opened, numbered from base + 1 on
---     store:variable(name, value, frame) -- as the protocol has it
---     store:children(reference, filter, start, count)

local native = ...

local type, rawget, rawlen, next, getmetatable = type, rawget, rawlen, next, debug.getmetatable
local format, byte = string.format, string.byte

local PREVIEW <const> = 100 -- bytes of a table in one line
local LONGEST <const> = 1024 -- bytes of a string, and of a name
local MOST_TEXT <const> = 64 * 1024 -- bytes of a text for people
local CLASS <const> = 100 -- bytes of the name of a class
local MOST_FIELDS <const> = 2000 -- fields of a table that are listed, besides those of its list
local PAGE <const> = 100 -- elements; longer lists are asked for in pieces

local M = {}

---------------------------------------------------------------- text

local ESCAPES <const> =
	{ ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\", ["\0"] = "\\0" }

local function escape(sign)
	return ESCAPES[sign] or format("\\x%02x", byte(sign))
end

-- The beginning of a text that is longer, up to the end of a character if it is UTF-8; and what tells that there is more.
local function shortened(text, limit)
	if #text <= limit then
		return text, ""
	end
	local last = limit
	while last > limit - 4 and (byte(text, last + 1) & 0xc0) == 0x80 do
		last = last - 1
	end
	return string.sub(text, 1, last > limit - 4 and last or limit), format("... (%d bytes)", #text)
end

-- A string as Lua would have it, of valid UTF-8 whatever it is.
local function quoted(text, limit)
	local more
	text, more = shortened(text, limit)
	local special = utf8.len(text) and '[%c"\\\x7f]' or '[%c"\\\x7f-\xff]'
	return '"' .. string.gsub(text, special, escape) .. '"' .. more
end

--- A text for people, of valid UTF-8; the beginning of one that is too long to be shown.
---@param text string
---@param limit integer? bytes, MOST_TEXT by default
function M.printable(text, limit)
	local more
	text, more = shortened(text, limit or MOST_TEXT)
	return (utf8.len(text) and text or string.gsub(text, "[\x80-\xff]", escape)) .. more
end

local function number(value)
	if math.type(value) == "integer" then
		return format("%d", value)
	elseif value ~= value then
		return "nan"
	elseif value == math.huge or value == -math.huge then
		return value > 0 and "math.huge" or "-math.huge"
	end
	local short = format("%.14g", value)
	short = tonumber(short) == value and short or format("%.17g", value)
	return string.find(short, "[%.en]") and short or short .. ".0"
end

local function of_function(value)
	local info = debug.getinfo(value, "S")
	if info.what == "C" then
		return native.address(value) .. " (C)"
	end
	return M.printable(format("function: %s:%d", info.short_src, info.linedefined))
end

-- The name that a class has given itself.
local function class_of(value)
	local class = getmetatable(value)
	local name = type(class) == "table" and rawget(class, "__name")
	return type(name) == "string" and M.printable(name, CLASS) or nil
end

local show_flat

local function is_name(key)
	return type(key) == "string" and string.find(key, "^[%a_][%w_]*$") ~= nil
end

local function preview(value)
	local parts, size, count = {}, 0, 0
	local length = rawlen(value)
	local function add(text)
		count = count + 1
		size = size + #text + 2
		parts[count] = text
		return size < PREVIEW
	end
	for i = 1, length do
		if not add(show_flat(rawget(value, i))) then
			break
		end
	end
	for key, item in next, value do
		if size >= PREVIEW then
			parts[count + 1] = "..."
			break
		elseif not (math.type(key) == "integer" and key >= 1 and key <= length) then
			local name = is_name(key) and key or "[" .. show_flat(key) .. "]"
			add(name .. " = " .. show_flat(item))
		end
	end
	return "{" .. table.concat(parts, ", ") .. "}"
end

local function show(value, limit, flat)
	local kind = type(value)
	if kind == "string" then
		return quoted(value, limit)
	elseif kind == "number" then
		return number(value)
	elseif kind == "function" then
		return of_function(value)
	elseif kind == "thread" then
		return native.address(value) .. " (" .. coroutine.status(value) .. ")"
	elseif kind == "table" then
		local class = class_of(value)
		local text = flat and (next(value) == nil and "{}" or "{...}") or preview(value)
		return class and class .. " " .. text or text
	elseif kind == "userdata" then
		local class = class_of(value)
		return (class and class .. " " or "") .. native.address(value)
	end
	return value == nil and "nil" or value and "true" or "false" -- `tostring` asks a metatable
end

function show_flat(value)
	return show(value, 40, true)
end

--- A value as text.
---@param value any
---@param limit integer? bytes of a string
function M.show(value, limit)
	return show(value, limit or LONGEST)
end

---------------------------------------------------------------- what can be opened

local Store = {}
Store.__index = Store

--- New variables, whose numbers begin behind `base`.
function M.store(base)
	return setmetatable({ base = base, count = 0, items = {}, numbers = {} }, Store)
end

local function can_open(value)
	local kind = type(value)
	return kind == "table" and (next(value) ~= nil or getmetatable(value) ~= nil)
		or kind == "userdata" and (getmetatable(value) ~= nil)
		or kind == "function" and debug.getupvalue(value, 1) ~= nil
end

--- A number for something with variables in it: `list()` gives them, as a list of { name, value, set = function?, expression }.
function Store:add(item)
	self.count = self.count + 1
	self.items[self.count] = item
	return self.base + self.count
end

function Store:item(reference)
	return self.items[reference - self.base]
end

local list_of

-- The number of a value; the same one however often it is shown.
local function reference(store, value, frame)
	if not can_open(value) then
		return 0
	end
	local known = store.numbers[value]
	if not known then
		known = store:add { frame = frame }
		local item = store:item(known)
		item.value = value
		item.list = function()
			return list_of(value)
		end
		store.numbers[value] = known
	end
	return known
end

--- One variable, as the protocol has it.
function Store:variable(name, value, frame, expression, limit)
	local variable = {
		name = M.printable(name, LONGEST),
		value = M.show(value, limit),
		type = type(value),
		variablesReference = reference(self, value, frame),
		evaluateName = expression and #expression <= LONGEST and expression or nil,
	}
	if type(value) == "table" and rawlen(value) > PAGE then
		variable.indexedVariables = rawlen(value)
		variable.namedVariables = 1 -- there may be
	end
	return variable
end

local function by_name(a, b)
	local x, y = type(a), type(b)
	if x ~= y then
		return x < y
	elseif x == "number" or x == "string" then
		return a < b
	end
	return native.address(a) < native.address(b)
end

local function setter(value, key)
	return function(new)
		rawset(value, key, new)
	end
end

local function metatable_entry(value)
	local class = getmetatable(value)
	if class ~= nil and type(value) ~= "string" then
		return { name = "[metatable]", value = class }
	end
end

local function upvalues(func)
	local list = {}
	for index = 1, 255 do
		local name, value = debug.getupvalue(func, index)
		if not name then
			break
		end
		list[index] = {
			name = name ~= "" and name or format("[%d]", index),
			value = value,
			expression = is_name(name) and name or nil,
			set = not native.closes(func, index) and function(new)
				debug.setupvalue(func, index, new)
			end,
		}
	end
	return list
end

M.upvalues = upvalues

local function fields(value)
	local keys, list = {}, {}
	local length = rawlen(value)
	for key in next, value do
		if not (math.type(key) == "integer" and key >= 1 and key <= length) then
			keys[#keys + 1] = key
			if #keys > MOST_FIELDS then
				break
			end
		end
	end
	table.sort(keys, by_name)
	for i, key in ipairs(keys) do
		list[i] = {
			name = type(key) == "string" and key or "[" .. show_flat(key) .. "]",
			value = rawget(value, key),
			set = setter(value, key),
			key = key,
		}
	end
	if #keys > MOST_FIELDS then
		list[#list] = { name = "...", value = "there are more fields", text = true }
	end
	return list
end

function list_of(value)
	local list
	if type(value) == "table" then
		list = fields(value)
	elseif type(value) == "function" then
		return upvalues(value)
	else
		list = {}
	end
	list[#list + 1] = metatable_entry(value)
	return list
end

local function elements(item, first, last)
	local list, value = {}, item.value
	for i = first, last do
		list[#list + 1] = { name = format("[%d]", i), value = rawget(value, i), set = setter(value, i), key = i }
	end
	return list
end

-- What an item lists. Of names that are not shown whole two may look the same, so nothing is set by them.
local function listed(item)
	local list = item.list()
	for _, entry in ipairs(list) do
		if #entry.name > LONGEST then
			entry.set = nil
		end
	end
	return list
end

-- The entries of an item: { name, value, set }. `filter`: "indexed", "named" or nil for both.
local function entries(item, filter, start, count)
	local length = type(item.value) == "table" and rawlen(item.value) or 0
	local list = {}
	if filter ~= "named" and length > 0 then
		local first = (start or 0) + 1
		local last = math.min(count and count > 0 and first + count - 1 or length, length, first + MOST_FIELDS - 1)
		list = elements(item, first, last)
	end
	if filter ~= "indexed" then
		for _, entry in ipairs(listed(item)) do
			list[#list + 1] = entry
		end
	end
	return list
end

--- What is inside of a variable, as the protocol has it.
function Store:children(number_of, filter, start, count)
	local item = self:item(number_of)
	if not item then
		return nil
	end
	local list = {}
	for i, entry in ipairs(entries(item, filter, start, count)) do
		local variable = self:variable(entry.name, entry.value, item.frame, entry.expression)
		if entry.text then
			variable.value = entry.value
		end
		if not entry.set then
			variable.presentationHint = { attributes = { "readOnly" } }
		end
		list[i] = variable
	end
	return list
end

--- The entry of that name inside of a variable, or nil.
function Store:entry(number_of, name)
	local item = self:item(number_of)
	if not item then
		return nil
	end
	local index = string.match(name, "^%[(%d+)%]$")
	if index and type(item.value) == "table" and math.tointeger(index) <= rawlen(item.value) then
		local place = math.tointeger(index)
		return elements(item, place, place)[1], item
	end
	for _, entry in ipairs(listed(item)) do
		if M.printable(entry.name, LONGEST) == name then
			return entry, item
		end
	end
end

return M
