--- The field Sec-WebSocket-Extensions as text and as a list (RFC 6455 §9.1).

local find, match, sub, gsub = string.find, string.match, string.sub, string.gsub

local M = {}

local TOKEN <const> = "[%w!#$%%&'*+%-.^_`|~]+"
local WHOLE_TOKEN <const> = "^" .. TOKEN .. "$"
local NAME <const> = "^(" .. TOKEN .. ")[ \t]*()"
local PARAMETER <const> = "^;[ \t]*(" .. TOKEN .. ")[ \t]*()"
local VALUE <const> = "^=[ \t]*(" .. TOKEN .. ")[ \t]*()"
local QUOTED <const> = '^=[ \t]*"([^"]*)"[ \t]*()'

-- The value that begins at `at`, and where what follows it begins; true without one, nil when it is malformed.
local function read_value(text, at)
	if sub(text, at, at) ~= "=" then
		return true, at
	end
	local value, behind = match(text, VALUE, at)
	if value then
		return value, behind
	end
	value, behind = match(text, QUOTED, at)
	value = value and gsub(value, "\\(.)", "%1")
	if value and find(value, WHOLE_TOKEN) then -- what is quoted has to be a token, too
		return value, behind
	end
end

local function read_extension(text, at)
	local name, behind = match(text, NAME, at)
	if not name then
		return
	end
	local extension = { name = name }
	while sub(text, behind, behind) == ";" do
		local parameter, value
		parameter, behind = match(text, PARAMETER, behind)
		if not parameter then
			return
		end
		value, behind = read_value(text, behind)
		if not value then
			return
		end
		extension[#extension + 1] = { name = parameter, value = value }
	end
	return extension, behind
end

--- Reads the field. Does not yield.
---@param field string|string[] a list when it came several times
---@return table? extensions { name =, { name =, value = string or true }, ... } each, in their order; nil: it is malformed
function M.parse(field)
	local text = type(field) == "table" and table.concat(field, ",") or field
	local list, at = {}, match(text, "^[ \t,]*()")
	while at <= #text do
		local extension, behind = read_extension(text, at)
		if not extension or (behind <= #text and sub(text, behind, behind) ~= ",") then
			return nil
		end
		list[#list + 1] = extension
		at = match(text, "^[ \t,]*()", behind)
	end
	return list
end

return M
