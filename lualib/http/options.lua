-- Options of the HTTP modules. One with a misspelled name changes nothing, and nobody would see it: `origin` for `origins`
-- would let the pages of everybody in.

local M = {}

--- Returns the options, or an empty table. Raises, in the name of who has called the caller, when they are no table or one of
--- them is not known. Does not yield.
---@param who string the function whose they are
---@param options table?
---@param known string[] their names
---@return table options
function M.check(who, options, known)
	if options == nil then
		return {}
	elseif type(options) ~= "table" then
		error(string.format("%s: options are a table, not a %s", who, type(options)), 3)
	end
	for name in pairs(options) do
		local found = false
		for _, other in ipairs(known) do
			found = found or other == name
		end
		if not found then
			local all = table.concat(known, ", ")
			error(string.format("%s: there is no option '%s'; there are: %s", who, tostring(name), all), 3)
		end
	end
	return options
end

return M
