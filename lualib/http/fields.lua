--- The header of a HTTP message as text and as a table (RFC 9112 §2 to §5, RFC 9110 §5).
---
--- Header tables are keyed by lower-case names; a field that comes several times is a list.

local M = {}

local find, sub, byte, match, lower, gsub =
	string.find, string.sub, string.byte, string.match, string.lower, string.gsub

-- The C project's modules have no such one: then the functions below do it.
local has_core, core = pcall(require, "skynet.http.core")
core = has_core and core or {}

local TOKEN <const> = "^[%w!#$%%&'*+%-.^_`|~]+$"

---------------------------------------------------------------- reading

local function find_end(text, position)
	local _, _, empty, behind = find(text, "\n()\r?\n()", position)
	return empty, behind
end

--- find_end(text, position): where the header that begins at `position` ends. A line ends with CR LF, or
--- with LF alone. Does not yield.
--- The line there is not empty. Gives where the empty line begins, and where what follows begins; nil: no end.
---@type fun(text: string, position: integer): integer?, integer?
M.find_end = core.find_end or find_end

--- Adds a field; one that comes several times becomes a list. Does not yield.
---@param header table<string, string|string[]>
---@param name string
---@param value string
function M.add(header, name, value)
	local former = header[name]
	if former == nil then
		header[name] = value
	elseif type(former) == "table" then
		former[#former + 1] = value
	else
		header[name] = { former, value }
	end
end

local add_field = M.add

local function join(former, more)
	return (former == "" or more == "") and former .. more or former .. " " .. more
end

local function extend_field(header, name, more)
	local value = header[name]
	if type(value) == "table" then
		value[#value] = join(value[#value], more)
	else
		header[name] = join(value, more)
	end
end

-- In two steps: one pattern with a part of any length between two rows of blanks takes the square of the length.
local function trim(text)
	local first = find(text, "[^ \t]")
	return first and match(text, "^.*[^ \t]", first) or ""
end

-- The name of a field; nil when it is none. A server's name may have blanks around it, and other characters.
local function field_name(text, lenient)
	if lenient then
		text = trim(text)
		return text ~= "" and not find(text, "%c") and lower(text) or nil
	end
	return find(text, TOKEN) and lower(text) or nil
end

local function read_fields(head, position, header, most, lenient)
	header = header or {}
	local last
	local left = most or math.maxinteger
	while position <= #head do
		local stop = find(head, "\n", position, true) or #head + 1
		local line = match(sub(head, position, stop - 1), "^(.-)\r?$")
		position, left = stop + 1, left - 1
		if left < 0 then
			return false
		elseif find(line, "[\r\0]") then
			return nil
		elseif find(line, "^[ \t]") then -- an old way to continue a long value
			if not last then
				return nil
			end
			extend_field(header, last, trim(line))
		else
			local name, value = match(line, "^([^:]*):(.*)$")
			last = name and field_name(name, lenient)
			if not last then
				return nil
			end
			add_field(header, last, trim(value))
		end
	end
	return header
end

--- read_fields(head, position [, header [, most [, lenient]]]): reads the fields of a header. Does not yield.
--- `head` has lines, each with its end; the fields begin at `position`; `header` receives them, a new table by default; `most`
--- is the most lines; `lenient`: the sender is a server, names need not be tokens. Gives the header; nil when a line is not
--- a field, false when there are too many.
---@type fun(head: string, position: integer, header: table?, most: integer?, lenient: boolean?): table|false|nil
M.read_fields = core.read_fields or read_fields

-- A request line with more spaces than two, around its target. Step by step: each takes no longer than the line
-- is, while one pattern for all of it goes through every way to share a row of spaces out.
local function read_odd_request_line(head)
	local stop = find(head, "\n", 1, true)
	local line = sub(head, 1, (stop or 1) - 1)
	if byte(line, -1) == 13 then
		line = sub(line, 1, -2)
	end
	local method, rest = match(line, "^(%S+) (.*)$")
	local target, version = match(rest or "", "^(.*) HTTP/([%d.]+) *$")
	if not target or find(target, " HTTP/", 1, true) then
		return nil -- two readers could see two different versions in it
	end
	local first = find(target, "[^ ]")
	return method, first and match(target, "^.*[^ ]", first) or "", version, stop + 1
end

-- The name or address of "host" or "host:port" or "[IPv6]:port", and what stands behind it.
local function split_host(text)
	if byte(text, 1) == 91 then
		local inside, rest = match(text, "^%[([^%]]+)%](.*)$")
		return inside and not find(inside, "[^%w:.%%_~-]") and inside, rest
	end
	local name, rest = match(text, "^([^:]*)(.*)$")
	local is_name = not find(name, "[^%w._~!$&'()*+,;=%%\x80-\xff-]")
	return is_name and (not find(name, "%", 1, true) or not find(gsub(name, "%%%x%x", ""), "%", 1, true)) and name, rest
end

--- Whether a text may be the field Host: a name, or an address, with a port or without (RFC 9110 §7.2). Empty is allowed. Takes
--- bytes that are no ASCII, as of clients that know no IDN. Does not yield.
---@param text string
---@return boolean
function M.is_host(text)
	local name, rest = split_host(text)
	return name and (rest == "" or byte(rest, 1) == 58 and not find(rest, "%D", 2)) or false
end

--- Whether the target of a request has the form that its method has (RFC 9112 §3.2). Does not yield.
---@param method string
---@param target string
---@return boolean
function M.is_target(method, target)
	local first = byte(target, 1)
	if method == "CONNECT" then
		return first ~= 58 and find(target, ":%d+$") ~= nil and M.is_host(target)
	elseif first == 47 then
		return true
	elseif target == "*" then
		return method == "OPTIONS"
	end
	local authority = match(target, "^%a[%w+.-]*://([^/?#]+)")
	return authority ~= nil and byte(authority, 1) ~= 58 and M.is_host(authority)
end

--- Splits the first line of a request. Does not yield.
---@param head string
---@return string? method nil when it is malformed
---@return string target, string version, integer fields where the fields begin
function M.read_request_line(head)
	local method, target, version, fields = match(head, "^(%S+) ([^ \r\n]+) HTTP/([%d.]+)\r?\n()")
	if not method then
		method, target, version, fields = read_odd_request_line(head)
	end
	if method and (find(method, "^%u+$") or find(method, TOKEN)) and not find(target, "[%c ]") then
		return method, target, version, fields
	end
end

--- Splits the first line of a response. Does not yield.
---@param head string
---@return integer? code nil when it is malformed
---@return string? version, integer? fields where the fields begin
function M.read_status_line(head)
	local version, code, fields = match(head, "^HTTP/([%d.]+)%s+(%d+)[^\r\n]*\r?\n()")
	return version and math.tointeger(tonumber(code)), version, fields
end

--- The items of a field that is a list separated by commas, in small letters (RFC 9110 §5.6.1). Does not yield.
---@param value string|string[]|nil
---@return string[] items
function M.items(value)
	local items = {}
	if type(value) == "table" then
		value = table.concat(value, ",")
	end
	for part in string.gmatch(value or "", "[^,]+") do
		local item = trim(part)
		if item ~= "" then
			items[#items + 1] = lower(item)
		end
	end
	return items
end

--- Whether a field that is a list has an item. Does not yield.
---@param value string|string[]|nil
---@param wanted string of small letters
---@return boolean
function M.has_item(value, wanted)
	for _, item in ipairs(M.items(value)) do
		if item == wanted then
			return true
		end
	end
	return false
end

---------------------------------------------------------------- writing

--- Raises when a text for a header would end its line. Does not yield.
---@param text string
---@return string text
function M.check_line(text)
	if find(text, "[\r\n]") then
		error("line break in a HTTP header")
	end
	return text
end

local check_line = M.check_line

-- A name that ends in a blank, or has a colon, is another one for who reads it more or less strictly: with names of strangers one
-- message could be made into two.
local function check_name(name)
	if find(name, "^[^%c%s:]+$") == nil then
		error(string.format("%q is no name of a HTTP field", check_line(tostring(name))))
	end
	return name
end

local function check_value(value)
	local text = check_line(tostring(value))
	if find(text, "\0", 1, true) then
		error "NUL in a HTTP header"
	end
	return text
end

local function write_fields(header, separator)
	local lines, names = {}, {}
	for name, value in pairs(header) do
		names[lower(check_name(name))] = true
		if type(value) == "table" then
			for _, item in ipairs(value) do
				lines[#lines + 1] = name .. separator .. check_value(item)
			end
		else
			lines[#lines + 1] = name .. separator .. check_value(value)
		end
	end
	lines[#lines + 1] = ""
	return table.concat(lines, "\r\n"), names.host, names["content-length"], names["transfer-encoding"]
end

local write_plain_fields = core.write_fields or function() end

--- The text of header fields. Raises when a name or value has a line break, when a name has a blank or a colon or is empty, and for
--- NUL. Does not yield.
---@param header table<string, any> values: string, number, or a list of them
---@param separator string between name and value
---@return string lines each with its end
---@return boolean? host, boolean? length, boolean? coding whether there are the fields Host, Content-Length
--- and Transfer-Encoding
function M.write_fields(header, separator)
	local text, host, length, coding = write_plain_fields(header, separator)
	if text then
		return text, host, length, coding
	end
	return write_fields(header, separator)
end

-- Where a character has begun that may go on: the first bytes of one (RFC 3629 §4).
local beginnings = {
	"^[\xc2-\xf4]$",
	"^\xe0[\xa0-\xbf]$",
	"^[\xe1-\xec\xee\xef][\x80-\xbf]$",
	"^\xed[\x80-\x9f]$",
	"^\xf0[\x90-\xbf][\x80-\xbf]?$",
	"^[\xf1-\xf3][\x80-\xbf][\x80-\xbf]?$",
	"^\xf4[\x80-\x8f][\x80-\xbf]?$",
}

local function check_utf8(text, more)
	local count, position = utf8.len(text)
	if count then
		return 0
	end
	local rest = sub(text, position, position + 3)
	for _, beginning in ipairs(more and position + #rest > #text and beginnings or {}) do
		if find(rest, beginning) then
			return #rest
		end
	end
	return false
end

--- utf8(text [, more]): whether a text is UTF-8 by RFC 3629. Does not yield.
--- `more`: it may end inside of a character, as more follows. Gives the bytes of such a character, which have to be looked
--- at again with what follows; false: no UTF-8.
---@type fun(text: string, more: boolean?): integer|false
M.utf8 = core.utf8 or check_utf8

--- Whether a text is a token (RFC 9110 §5.6.2), as names are. Does not yield.
---@param text string
---@return boolean
function M.is_token(text)
	return find(text, TOKEN) ~= nil
end

--- Whether an empty line begins at a position, and where what follows begins. Does not yield.
---@param text string
---@param position integer
---@return integer? behind nil: none; 0: the next byte decides
function M.empty_line(text, position)
	local first, second = byte(text, position, position + 1)
	if first == 10 then
		return position + 1
	elseif first == 13 then
		return second == 10 and position + 2 or second == nil and 0 or nil
	end
end

return M
