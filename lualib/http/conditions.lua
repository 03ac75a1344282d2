--- Whether a client needs what it asks for, and which part of it (RFC 9110 §13, §14).

local dates = require "http.dates"

local find, match = string.find, string.match

local M = {}

local function joined(value)
	return type(value) == "table" and table.concat(value, ",") or value
end

-- Whether a list of entity tags has that of the file. A weak comparison takes W/"x" for "x".
local function has_tag(value, tag, weak)
	value = joined(value)
	if match(value, "^%s*%*%s*$") then
		return true
	end
	local at = 1
	while true do
		local from, stop, mark, text = find(value, '(W?/?)(%b"")', at)
		if not from then
			return false
		elseif text == tag and (weak or mark == "") then
			return true
		end
		at = stop + 1
	end
end

--- What the fields If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since of a GET or HEAD say. Does not yield.
---@param header table of the request
---@param tag string a strong entity tag, with its quotes
---@param changed integer seconds since 1970
---@return integer? code 304 or 412; nil: send it
function M.check(header, tag, changed)
	if header["if-match"] then
		if not has_tag(header["if-match"], tag, false) then
			return 412
		end
	elseif header["if-unmodified-since"] then
		local time = dates.parse(header["if-unmodified-since"])
		if time and changed > time then
			return 412
		end
	end
	if header["if-none-match"] then
		return has_tag(header["if-none-match"], tag, true) and 304 or nil
	elseif header["if-modified-since"] then
		local time = dates.parse(header["if-modified-since"])
		return time and changed <= time and 304 or nil
	end
end

-- Whether the part that a client has is one of what there is now.
local function is_same(condition, tag, changed)
	if type(condition) ~= "string" then
		return condition == nil
	elseif find(condition, '"', 1, true) then
		return condition == tag
	end
	return dates.parse(condition) == changed
end

-- Digits are of any number, the first of them may be zeros.
local function without_zeros(digits)
	return (string.gsub(digits, "^0+(%d)", "%1"))
end

local function is_less(digits, others)
	return #digits < #others or #digits == #others and digits < others
end

-- A number of bytes; one that does not fit is more than any file has.
local function number(digits)
	return #digits <= 18 and math.tointeger(tonumber(digits)) or math.maxinteger
end

--- The part of some bytes that a request asks for. Does not yield.
---@param header table of the request
---@param size integer all bytes
---@param tag string
---@param changed integer seconds since 1970
---@return integer? first counted from 0; nil: all of it, for there is no valid Range, or several parts; false: there is no such part (416)
---@return integer? last
function M.range(header, size, tag, changed)
	local range = header.range
	if type(range) ~= "string" or not is_same(header["if-range"], tag, changed) then
		return nil
	end
	local first, last = match(range, "^[bB][yY][tT][eE][sS]=[ \t,]*(%d*)%-(%d*)[ \t,]*$")
	if not first or (first == "" and last == "") then
		return nil
	end
	first, last = without_zeros(first), without_zeros(last)
	if first == "" then -- the last so many bytes
		if last == "0" then
			return false
		elseif size == 0 then
			return nil -- all of it; no part has no bytes
		end
		return math.max(size - number(last), 0), size - 1
	elseif last ~= "" and is_less(last, first) then
		return nil
	elseif number(first) >= size then
		return false
	end
	return number(first), math.min(last ~= "" and number(last) or size - 1, size - 1)
end

return M
