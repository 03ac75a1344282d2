--- The parts of a URL (RFC 3986) as web servers need them.

local add = require "http.fields".add

---@class http.url
local M = {}

local function decode(text)
	local plain = string.gsub(text, "+", " ")
	return (string.gsub(plain, "%%(%x%x)", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

--- Splits the target of a request. Does not yield.
---@param target string such as "/a%20b?x=1"
---@return string path decoded, string query as it came; "" when there is none
function M.parse(target)
	local path, query = string.match(target, "^([^?]*)%??(.*)$")
	return decode(path), query
end

--- Reads the fields of a query. Does not yield.
---@param query string such as "a=1&b=2"
---@return table<string, string|string[]> fields decoded; a field that comes several times is a list
function M.parse_query(query)
	local fields = {}
	for item in string.gmatch(query, "[^&]+") do
		local equals = string.find(item, "=", 1, true)
		if equals then
			add(fields, decode(string.sub(item, 1, equals - 1)), decode(string.sub(item, equals + 1)))
		end
	end
	return fields
end

return M
