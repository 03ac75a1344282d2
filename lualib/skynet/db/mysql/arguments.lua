--- Arguments of prepared statements of MySQL as bytes.

local packet = require "skynet.db.mysql.packet"

local pack = string.pack

-- Types as of the columns: see skynet.db.mysql.result.
local TINY <const>, DOUBLE <const>, NULL <const>, LONGLONG <const>, STRING <const> = 1, 5, 6, 8, 15

local encoders = {
	["nil"] = function()
		return NULL, ""
	end,
	boolean = function(value)
		return TINY, value and "\1" or "\0"
	end,
	number = function(value)
		local whole = math.tointeger(value)
		if whole then
			return LONGLONG, pack("<i8", whole)
		end
		return DOUBLE, pack("<d", value)
	end,
	string = function(value)
		return STRING, packet.encode_text(value)
	end,
}

--- Encodes arguments. Does not yield.
---@param arguments table of table.pack
---@return string bytes: which are NULL, types, values. Raises for a type that MySQL does not have
return function(arguments)
	local count = arguments.n
	local nulls, types, values = {}, {}, {}
	for i = 1, count do
		local value = arguments[i]
		local encode = encoders[type(value)] or error("invalid parameter type " .. type(value), 0)
		local kind, bytes = encode(value)
		types[i], values[i] = pack("<I2", kind), bytes
		local index = (i - 1) // 8 + 1
		nulls[index] = (nulls[index] or 0) | (value == nil and 1 << (i - 1) % 8 or 0)
	end
	return string.char(table.unpack(nulls)) .. "\1" .. table.concat(types) .. table.concat(values)
end
