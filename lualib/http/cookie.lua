--- Cookies (RFC 6265): those of a request, and the field that sets one.
---
---     local cookie = require "http.cookie"
---     return 200, "welcome\n", { ["set-cookie"] = cookie.set("session", token, { max_age = 3600, http_only = true }) }

local argument = require "http.argument"
local fields = require "http.fields"

---@class http.cookie
local M = {}

-- A header of the default size has no more.
local MOST <const> = 1000

--- Reads the field `cookie` of a request. Does not yield.
---@param value string|string[]|nil
---@return table<string, string> cookies of several with one name the first, which is the one for the longest path
function M.parse(value)
	local found, left = {}, MOST
	if type(value) == "table" then
		value = table.concat(value, ";")
	elseif value ~= nil then
		argument.check(value, "text", "cookie.parse: the field")
	end
	for item in string.gmatch(value or "", "[^;]+") do
		local name, text = string.match(item, "^[ \t]*([^=]*)=(.*)$")
		left = left - 1
		if left < 0 then
			break
		elseif name and name ~= "" and found[name] == nil then
			text = string.match(text, "^.*[^ \t]") or ""
			found[name] = string.match(text, '^"(.*)"$') or text
		end
	end
	return found
end

local SAME_SITE <const> = { strict = "Strict", lax = "Lax", none = "None" }

-- For who calls `set`.
local function check_attribute(what, text)
	if type(text) ~= "string" then
		error(string.format("cookie: %s has to be a string, not %s", what, type(text)), 3)
	elseif string.find(text, "[%c;\x7f]") then
		error(string.format("cookie: %s '%s' has a character that ends it", what, text), 3)
	end
	return text
end

--- The value of a field `set-cookie`; several are a list. Raises for what no cookie may have, such as a line end or a semicolon.
--- Does not yield.
---@param name string a token
---@param value string without blanks, quotes, commas, semicolons and backslashes: encode others
---@param options table? path ("/" by default; false: none), domain, max_age in seconds (0: the client forgets it), http_only, secure,
--- same_site: "lax" (the default), "strict", "none" (only with secure), false
---@return string field
function M.set(name, value, options)
	options = options or {}
	argument.check(options, "table", "cookie.set: options")
	if type(name) ~= "string" or not fields.is_token(name) then
		error(string.format("cookie: '%s' is no name: letters, digits, - and _", tostring(name)), 2)
	elseif type(value) ~= "string" or string.find(value, "[^]-~!\x23-\x2b\x2d-\x3a\x3c-\x5b]") then
		error(
			string.format("cookie '%s': the value has to be text without blanks, quotes, commas, semicolons", name),
			2
		)
	end
	local parts = { name .. "=" .. value }
	local path = options.path
	if path ~= false then
		parts[#parts + 1] = "Path=" .. check_attribute("path", path or "/")
	end
	if options.domain then
		parts[#parts + 1] = "Domain=" .. check_attribute("domain", options.domain)
	end
	if options.max_age then
		local seconds = math.tointeger(options.max_age) -- also 60.0
		if not seconds then
			local given = options.max_age
			local shown = (type(given) == "string" or type(given) == "number") and given or type(given)
			argument.refuse(
				string.format("cookie: max_age has to be a whole number of seconds, as 3600, not %s", shown)
			)
		end
		parts[#parts + 1] = string.format("Max-Age=%d", seconds)
	end
	local same_site = options.same_site
	if same_site == nil then
		same_site = "lax"
	end
	if same_site then
		local word = SAME_SITE[same_site] or argument.refuse("cookie: same_site is 'lax', 'strict', 'none' or false")
		if word == "None" and not options.secure then
			argument.refuse("cookie: same_site = 'none' needs secure = true, or browsers refuse it")
		end
		parts[#parts + 1] = "SameSite=" .. word
	end
	if options.secure then
		parts[#parts + 1] = "Secure"
	end
	if options.http_only then
		parts[#parts + 1] = "HttpOnly"
	end
	return table.concat(parts, "; ")
end

return M
