--- Numbers of MySQL as values of Lua: a number where one has the same value, otherwise the digits as a string, which
--- the server takes back as an argument. Floats of more digits than they have would change values in silence.

local M = {}

-- The longest DECIMAL has 65 digits: what is longer is no number, and not worth a look.
local MOST <const> = 80
-- So many decimal digits survive the way through a float, whatever they are.
local FLOAT_DIGITS <const> = 15

--- A 64-bit integer without a sign, of the bits of one with a sign.
---@param bits integer below 0
---@return string digits
function M.unsigned(bits)
	local tens = (bits >> 1) // 5
	return string.format("%d%d", tens, bits - tens * 10)
end

--- A whole number, maybe with a sign or with zeros before it (ZEROFILL).
---@param text string
---@return integer|string
function M.of_integer(text)
	return math.tointeger(text) or text
end

--- A DECIMAL.
---@param text string such as "-12.50"
---@return number|string
function M.of_decimal(text)
	if #text <= FLOAT_DIGITS then
		return tonumber(text)
	elseif #text > MOST then
		return text
	end
	local whole, fraction = string.match(text, "^%-?0*(%d*)%.?(%d-)0*$")
	if not whole then
		return text
	elseif not string.find(text, ".", 1, true) then
		return M.of_integer(text)
	end
	local digits = whole .. fraction
	if whole == "" then
		digits = string.match(fraction, "^0*(.*)")
	end
	return #digits <= FLOAT_DIGITS and tonumber(text) or text
end

return M
