--- The parts of a URL (RFC 3986) as web servers need them.

local argument = require "http.argument"
local add = require "http.fields".add

---@class http.url
local M = {}

-- A stranger sends the query, or a form of the size of a body: more fields than this are no form.
local MOST_FIELDS <const> = 10000

local escapes = setmetatable({}, { -- "%41" -> "A"
	__index = function(known, escape)
		local char = string.char(tonumber(string.sub(escape, 2), 16))
		known[escape] = char
		return char
	end,
})

--- Replaces `%41` by the byte that it stands for; a plus stays, as in paths. Does not yield.
---@param text string
---@return string
function M.unescape(text)
	if type(text) ~= "string" then
		argument.check(text, "text", "url.unescape: the text")
	end
	if string.find(text, "%", 1, true) then
		return (string.gsub(text, "%%%x%x", escapes))
	end
	return text
end

--- Replaces every byte that is no letter, digit or `_` by `%XX`: a part of a path, or a name or value of a query, then means
--- itself. Does not yield.
---@param text string
---@return string
function M.escape(text)
	if type(text) ~= "string" then
		argument.check(text, "text", "url.escape: the text")
	end
	return (string.gsub(text, "[^%w_]", function(char)
		return string.format("%%%02X", string.byte(char))
	end))
end

--- The text of a query, or of a form, of its fields: what `parse_query` reads. Does not yield.
---@param fields table<string, any> strings, numbers, booleans; a list of them is a field that comes several times
---@return string query such as "a=1&b=2", in the order of the names
function M.query(fields)
	argument.check(fields, "table", "url.query: its fields")
	local items = {}
	for name, value in pairs(fields) do
		local pieces = {}
		for i, item in ipairs(type(value) == "table" and value or { value }) do
			pieces[i] = M.escape(tostring(name)) .. "=" .. M.escape(tostring(item))
		end
		items[#items + 1] = #pieces > 0 and { name = tostring(name), text = table.concat(pieces, "&") } or nil
	end
	table.sort(items, function(a, b)
		return a.name < b.name
	end)
	for i, item in ipairs(items) do
		items[i] = item.text
	end
	return table.concat(items, "&")
end

local function decode(text)
	return M.unescape((string.gsub(text, "+", " ")))
end

--- Splits the target of a request. Does not yield.
---@param target string such as "/a%20b?x=1"
---@return string path decoded, string query as it came; "" when there is none
function M.parse(target)
	if type(target) ~= "string" then
		argument.check(target, "text", "url.parse: the target")
	end
	local path, query = string.match(target, "^([^?]*)%??(.*)$")
	return decode(path), query
end

--- Reads the fields of a query. Does not yield.
---@param query string such as "a=1&b=2"
---@param most integer? fields, those without a value too; nil: 10,000
---@return table<string, string|string[]> fields decoded; a field that comes several times is a list
---@return string? problem there are more: `fields` has the first ones. Answer it with 400
function M.parse_query(query, most)
	if type(query) ~= "string" then
		argument.check(query, "text", "url.parse_query: the query")
	end
	most = math.type(most) == "integer" and most or MOST_FIELDS
	local fields, left = {}, most
	for item in string.gmatch(query, "[^&]+") do
		if left == 0 then
			return fields, string.format("a query of more than %d fields", most)
		end
		left = left - 1
		local equals = string.find(item, "=", 1, true)
		if equals then
			add(fields, decode(string.sub(item, 1, equals - 1)), decode(string.sub(item, equals + 1)))
		end
	end
	return fields
end

return M
