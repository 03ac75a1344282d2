--- Expressions for what is inside of a value. Part of the debugger's agent (debugagent.lua).

local format = string.format

local SHORT <const> = 64 -- bytes of a key in an expression

local RESERVED <const> = {}
for word in
	string.gmatch(
		"and break do else elseif end false for function global goto if in local nil not or repeat return then true until while",
		"%a+"
	)
do
	RESERVED[word] = true
end

local M = {}

--- Whether a key looks like a name.
function M.is_name(key)
	return type(key) == "string" and string.find(key, "^[%a_][%w_]*$") ~= nil
end

--- The expression for a field of what `parent` stands for; nil if there is none. `show(key)` is a number, or true or false, as text.
function M.field(parent, key, show)
	if M.is_name(key) and not RESERVED[key] then
		return parent .. "." .. key
	elseif type(key) == "string" and #key <= SHORT and utf8.len(key) then
		return format("%s[%q]", parent, key)
	elseif type(key) == "number" or type(key) == "boolean" then
		return format("%s[%s]", parent, show(key))
	end
end

return M
