--- Values of a stopped service as the editor shows them. Part of the debugger's agent (debugagent.lua): nothing here calls a
--- metamethod or anything else of the service's own, so that looking changes nothing.
---
---     local values = native.load "skynet.internal.debugvalues"
---     values.begin()                     -- before each request: what it may look at and show has bounds
---     values.show(value, limit)          -- text
---     local store = values.store(base)   -- variables that can be opened, numbered from base + 1 on
---     store:variable(name, value, frame) -- as the protocol has it
---     store:children(reference, filter, start, count)

local native = ...

local names = native.load "skynet.internal.debugnames"

local type, rawget, rawlen, getmetatable = type, rawget, rawlen, debug.getmetatable
local format, byte = string.format, string.byte

local PREVIEW <const> = 100 -- bytes of a table in one line
local LONGEST <const> = 1024 -- bytes of a string, and of a name
local MOST_TEXT <const> = 64 * 1024 -- bytes of a text for people
local CLASS <const> = 100 -- bytes of the name of a class
local MOST_FIELDS <const> = 2000 -- fields of a table that are listed, besides those of its list
local MOST_SLOTS <const> = 64 * 1024 * 1024 -- of tables, that are looked at for a request, empty ones too: about 0.1 s
local MOST_SHOWN <const> = 256 * 1024 -- bytes of an answer, behind which texts are cut at SHORT
local SHORT <const> = 64 -- bytes
local MOST_ITEMS <const> = 1 << 18 -- that can be opened in a stop
local PAGE <const> = 100 -- elements; longer lists are asked for in pieces

local M = {}

---------------------------------------------------------------- fields

local slots = MOST_SLOTS -- that may still be looked at

--- What comes now is for another request.
function M.begin()
	slots = MOST_SLOTS
end

-- For a loop over the fields of a table but those of its list, 1 to `length`; behind the first `skip`. The last one is nil, true if there
-- may be more: no more slots may be looked at.
local function following(value, length, skip)
	local place = 0
	return function()
		local key, item
		slots, place, key, item = native.following(value, length, place, slots, skip or 0)
		skip = 0
		if key == nil then
			return nil, place ~= nil
		end
		return key, item
	end
end

M.following = following

-- Whether a table has fields; true if that is too long to find out.
local function has_fields(value)
	local key, is_unknown = following(value, 0)()
	return key ~= nil or is_unknown
end

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

local function preview(value)
	local parts, size, count = {}, 0, 0
	local length = rawlen(value)
	local function add(text)
		count = count + 1
		size = size + #text + 2
		parts[count] = text
	end
	for i = 1, length do
		if size >= PREVIEW then
			parts[count + 1] = "..."
			return "{" .. table.concat(parts, ", ") .. "}"
		end
		add(show_flat(rawget(value, i)))
	end
	local each = following(value, length)
	while true do
		local key, item = each()
		if key == nil and not item then
			break
		elseif key == nil or size >= PREVIEW then
			parts[count + 1] = "..."
			break
		end
		local name = names.is_name(key) and key or "[" .. show_flat(key) .. "]"
		add(name .. " = " .. show_flat(item))
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
		local text = flat and (has_fields(value) and "{...}" or "{}") or preview(value)
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
	return kind == "table" and (getmetatable(value) ~= nil or has_fields(value))
		or kind == "userdata" and (getmetatable(value) ~= nil)
		or kind == "function" and debug.getupvalue(value, 1) ~= nil
end

--- A number for something with variables in it: `list()` gives them, as a list of { name, value, set = function?, expression }. 0 if
--- there are too many of them.
function Store:add(item)
	if self.count >= MOST_ITEMS then
		return 0
	end
	self.count = self.count + 1
	self.items[self.count] = item
	return self.base + self.count
end

function Store:item(reference)
	return self.items[reference - self.base]
end

local list_of

-- The number of a value; the same one however often it is shown in a frame: in another one other expressions stand for it.
local function reference(store, value, frame, expression)
	if not can_open(value) then
		return 0
	end
	local numbers = store.numbers[frame or store] or {}
	store.numbers[frame or store] = numbers
	local known = numbers[value]
	if known then
		local item = store:item(known)
		item.expression = item.expression or expression
	else
		local item = { frame = frame, value = value, expression = expression }
		function item.list(start, count)
			return list_of(value, start, count)
		end
		known = store:add(item)
		numbers[value] = known ~= 0 and known or nil
	end
	return known
end

--- One variable, as the protocol has it. `limit`: bytes of its texts.
function Store:variable(name, value, frame, expression, limit)
	expression = expression and #expression <= LONGEST and expression or nil
	local variable = {
		name = M.printable(name, math.min(limit or LONGEST, LONGEST)),
		value = M.show(value, limit),
		type = type(value),
		variablesReference = reference(self, value, frame, expression),
		evaluateName = expression and #expression <= (limit or LONGEST) and expression or nil,
	}
	if type(value) == "table" and rawlen(value) > PAGE then
		variable.indexedVariables = rawlen(value)
		variable.namedVariables = 1 -- there may be
	end
	return variable
end

local function by_name(a, b)
	a, b = a.name, b.name
	local x, y = type(a), type(b)
	if x ~= y then
		return x < y
	elseif x == "number" or x == "string" then
		return a < b
	end
	return native.address(a) < native.address(b)
end

local frozen = setmetatable({}, { __mode = "k" })

--- Nothing can be set in a table that was made for the reader.
function M.freeze(value)
	frozen[value] = true
end

local function setter(value, key)
	return not frozen[value] and function(new)
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
			expression = names.is_name(name) and name or nil,
			set = not native.closes(func, index) and function(new)
				debug.setupvalue(func, index, new)
			end,
		}
	end
	return list
end

M.upvalues = upvalues

-- What is listed besides what there is: a line for the reader.
local function note(text)
	return { name = "...", value = text, text = true }
end

-- Whether a key is its own name; others are shown as Lua has them, in brackets, so that no two strings look alike.
local function is_plain(key)
	return type(key) == "string" and (#key > LONGEST or key ~= "..." and byte(key) ~= byte "[" and utf8.len(key) ~= nil)
end

-- The fields of a table: `count` behind the first `start`, sorted; or as many as are listed. Whether these are the last.
local function fields(value, start, count)
	local keys, list = {}, {}
	local most = math.min(count or MOST_FIELDS, MOST_FIELDS)
	local each = following(value, rawlen(value), start)
	local key, is_cut = each()
	while key ~= nil and #keys < most do
		-- Of long names the beginning is enough to sort them by.
		keys[#keys + 1] = { key = key, name = type(key) == "string" and string.sub(key, 1, LONGEST) or key }
		key, is_cut = each()
	end
	table.sort(keys, by_name)
	local is_whole = key == nil and not is_cut and (start or 0) == 0
	for i, entry in ipairs(keys) do
		local own = entry.key
		local kind = type(own)
		list[i] = {
			name = is_plain(own) and own or "[" .. (kind == "string" and quoted(own, LONGEST) or show_flat(own)) .. "]",
			value = rawget(value, own),
			-- Of other objects, that are not listed, some may look the same.
			set = (is_whole or kind == "string" or kind == "number" or kind == "boolean") and setter(value, own),
			key = own,
		}
	end
	if key ~= nil and #keys == most and not count then
		list[#list + 1] = note "there are more fields"
	elseif key == nil and is_cut then
		list[#list + 1] = note "there may be more fields: the table has too many empty places to look at all of them"
	end
	return list, key == nil
end

function list_of(value, start, count)
	local list, is_end = {}, true
	if type(value) == "table" then
		list, is_end = fields(value, start, count)
	elseif type(value) == "function" then
		list = upvalues(value)
		for _, entry in ipairs(list) do
			entry.expression = nil -- it is seen in the function, not in the frame
		end
	end
	if is_end or not count then
		list[#list + 1] = metatable_entry(value)
	end
	return list
end

local function elements(item, first, last)
	local list, value = {}, item.value
	for i = first, last do
		list[#list + 1] = { name = format("[%d]", i), value = rawget(value, i), set = setter(value, i), key = i }
	end
	return list
end

-- What an item lists, with a name of its own for each: the last variable of a name is the visible one, those before it have a
-- number. Nothing is set by the name of keys that look the same, or by one that is not shown whole.
local function listed(item, start, count)
	local list = item.list(start, count)
	local seen, count_of = {}, {}
	for i = #list, 1, -1 do
		local entry = list[i]
		local name = entry.name
		local same = seen[name]
		if same then
			count_of[name] = count_of[name] + 1
			entry.name = format("%s (%d)", name, count_of[name])
			if entry.key ~= nil then
				entry.set, same.set = nil, nil
			end
		else
			seen[name], count_of[name] = entry, 1
		end
		entry.set = #name <= LONGEST and entry.set or nil
	end
	return list
end

-- The entries of an item: { name, value, set }. `filter`: "indexed", "named" or nil for both.
local function entries(item, filter, start, count)
	local length = type(item.value) == "table" and rawlen(item.value) or 0
	local list = {}
	count = count and count > 0 and count or nil -- 0 stands for all
	if filter ~= "named" and length > 0 then
		local first = (start or 0) + 1
		local last = math.min(count and first + count - 1 or length, length, first + MOST_FIELDS - 1)
		list = elements(item, first, last)
		if not count and last < length then
			list[#list + 1] = note(format("there are more elements, up to [%d]", length))
		end
	end
	if filter == "indexed" then
		return list
	end
	start = start or 0
	if filter ~= "named" then
		-- The fields are behind the elements.
		if count and (start + count <= length or start + #list < length) then
			return list
		end
		start, count = math.max(start - length, 0), count and count - #list
	end
	local is_table = type(item.value) == "table"
	local all = is_table and listed(item, start, count) or listed(item)
	local first = is_table and 0 or start
	return table.move(all, first + 1, math.min(#all, first + (count or #all)), #list + 1, list)
end

--- What is inside of a variable, as the protocol has it.
function Store:children(number_of, filter, start, count)
	local item = self:item(number_of)
	if not item then
		return nil
	end
	local list, size = {}, 0
	for i, entry in ipairs(entries(item, filter, start, count)) do
		local limit = size < MOST_SHOWN and LONGEST or SHORT
		local expression = entry.expression
		if not expression and item.expression and entry.key ~= nil then
			expression = names.field(item.expression, entry.key, M.show)
		end
		local variable = self:variable(entry.name, entry.value, item.frame, expression, limit)
		if entry.text then
			variable.value, variable.type = entry.value, nil
		end
		if not entry.set or #entry.name > limit then
			variable.presentationHint = { attributes = { "readOnly" } }
		end
		list[i] = variable
		size = size + #variable.name + #variable.value + #(variable.evaluateName or "")
	end
	return list
end

--- The entry of that name inside of a variable, or nil.
function Store:entry(number_of, name)
	local item = self:item(number_of)
	if not item then
		return
	end
	local place = math.tointeger(tonumber(string.match(name, "^%[([1-9]%d*)%]$")))
	if place and type(item.value) == "table" and place <= rawlen(item.value) then
		return elements(item, place, place)[1], item
	end
	if type(item.value) == "table" and #name <= LONGEST and is_plain(name) and rawget(item.value, name) ~= nil then
		return { name = name, value = rawget(item.value, name), set = setter(item.value, name) }, item
	end
	for _, entry in ipairs(listed(item)) do
		if M.printable(entry.name, LONGEST) == name then
			return entry, item
		end
	end
end

return M
