--- What a function of these modules is given, looked at where it comes in: the error says, at the line of the call, what is wanted.

local M = {}

local KINDS <const> = {
	text = { "text", { string = true, number = true } },
	table = { "a table", { table = true } },
	integer = { "a whole number", { integer = true } },
}

--- Raises, in the name of who has called the caller. After `return request:redirect(nil)` that is not known any more: then no place is
--- better than a wrong one. Does not return.
---@param text string
---@param level integer? who is told: 1, the default; 2: who has called that one
function M.refuse(text, level)
	level = (level or 1) + 1
	error(text, debug.getinfo(level, "t").istailcall and 0 or level + 1)
end

--- Raises so when a value is not of a kind. Does not yield.
---@param value any
---@param kind "text"|"table"|"integer" text: also a number
---@param what string "url.escape: the text"
---@param level integer? see `refuse`
function M.check(value, kind, what, level)
	local name, types = KINDS[kind][1], KINDS[kind][2]
	if not (types[type(value)] or types[math.type(value) or ""]) then
		local is_short = type(value) == "number" or type(value) == "string" and #value < 40
		local shown = is_short and tostring(value) or type(value)
		M.refuse(string.format("%s must be %s, not %s", what, name, shown), (level or 1) + 1)
	end
end

return M
