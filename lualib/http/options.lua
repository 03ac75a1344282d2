-- Options of the HTTP modules. One with a misspelled name changes nothing, and nobody would see it: `origin` for `origins`
-- would let the pages of everybody in.

local skynet = require "skynet"
local nearest = require "skynet.internal.nearest"

local M = {}

-- An option that is not known: what to say of it; nil when all are.
local function find_unknown(who, options, known)
	for name in pairs(options) do
		local found = false
		for _, other in ipairs(known) do
			found = found or other == name
		end
		if not found then
			local meant = nearest(name, known)
			local guess = meant and string.format("did you mean '%s'? ", meant) or ""
			local all = table.concat(known, ", ")
			return string.format("%s: there is no option '%s'; %sthere are: %s", who, tostring(name), guess, all), name
		end
	end
end

--- Returns the options, or an empty table. Raises, in the name of who has called the caller, when they are no table or one of
--- them is not known. Does not yield.
---@param who string the function whose they are
---@param options table?
---@param known string[] their names
---@param level integer? 3, where who has called the caller is blamed
---@return table options
function M.check(who, options, known, level)
	if options == nil then
		return {}
	elseif type(options) ~= "table" then
		error(string.format("%s: options are a table, not a %s", who, type(options)), level or 3)
	end
	local problem = find_unknown(who, options, known)
	if problem then
		error(problem, level or 3)
	end
	return options
end

local told = {} -- function -> option -> true
local MOST_TOLD <const> = 16 -- of one function

--- The same of a function to which programs of before these options may hand tables with fields of their own: an option that is not known
--- makes a line of the log, once. Does not yield.
---@param who string
---@param options table?
---@param known string[]
function M.tell(who, options, known)
	local problem, name
	if type(options) == "table" then
		problem, name = find_unknown(who, options, known)
	end
	if not problem then
		return
	end
	local names = told[who] or { count = 0 }
	told[who] = names
	if not names[name] and names.count < MOST_TOLD then
		names[name], names.count = true, names.count + 1
		skynet.error("warning: " .. problem)
	end
end

return M
