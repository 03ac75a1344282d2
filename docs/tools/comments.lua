-- Reads the documentation comments of a Lua file.
--
-- A comment is a run of lines that begin with `---` (`----...` is a ruler). The one at the top of a file is about the
-- module; any other belongs to the line below it (a function that only passes its arguments on is documented where they go):
--
--     function NAME.name(...)      function NAME:name(...)      NAME.name = value      return function(...)

local annotations = require "annotations"

local comments = {}

local function read_lines(path)
	local lines = {}
	for line in io.lines(path) do
		lines[#lines + 1] = line
	end
	return lines
end

-- The text of a comment's line, nil if it is none.
local function comment_text(line)
	local text = line and string.match(line, "^%-%-%-(.*)$")
	if text and not string.find(text, "^%-") then
		return (string.gsub(text, "^ ", ""))
	end
end

-- What a line of code defines: table, separator, name, arguments. Arguments are nil for a value.
local function definition(line)
	local owner, separator, name, arguments = string.match(line, "^function ([%w_]+)([.:])([%w_]+)(%b())")
	if owner then
		return owner, separator, name, arguments
	end
	arguments = string.match(line, "^return function(%b())")
	if arguments then
		return "", "", "", arguments
	end
	owner, name = string.match(line, "^([%w_]+)%.([%w_]+) = ")
	return owner, ".", name
end

local function is_class(block)
	for _, text in ipairs(block or {}) do
		if string.find(text, "^@class ") then
			return true
		end
	end
	return false
end

--- Reads a file.
---@param path string
---@return table file { intro = lines, returned = name of the local that it returns, classes = names of locals with
--- `---@class`, as keys, passed_on = names of functions that only pass their arguments on,
--- items = list of { owner, separator, name, arguments?, lines?, returns? } }; lines is nil where a comment is missing
function comments.read(path)
	local lines = read_lines(path)
	local file = { intro = {}, items = {}, classes = {}, passed_on = {} }
	local i = 1
	while comment_text(lines[i]) do
		file.intro[i] = comment_text(lines[i])
		i = i + 1
	end
	local block
	while i <= #lines do
		local line = lines[i]
		local text = comment_text(line)
		if text then
			block = block or {}
			block[#block + 1] = text
		else
			local owner, separator, name, arguments = definition(line)
			local passes_on = arguments == "(...)"
				and string.find(line .. (lines[i + 1] or ""), 'return require "', 1, true)
			if passes_on then
				file.passed_on[#file.passed_on + 1] = name
			elseif name and (arguments or block) then
				file.items[#file.items + 1] = {
					owner = owner,
					separator = separator,
					name = name,
					arguments = arguments,
					lines = block,
					returns = arguments and annotations.returns_values(lines, i),
				}
			end
			local defined = string.match(line, "^local ([%w_]+)")
			if defined and is_class(block) then
				file.classes[defined] = true
			end
			assert(
				not string.find(line, "^function [^)]*$"),
				"parameters of a function go on in another line: " .. line
			)
			block = nil
			file.returned = string.match(line, "^return ([%w_]+)$")
				or string.match(line, "^return setmetatable%(([%w_]+),")
				or file.returned
		end
		i = i + 1
	end
	return file
end

-- The text of a Rust comment `///` or `//!`. Links to other items are plain there.
local function rust_text(line, mark)
	local text = string.match(line, "^%s*//" .. mark .. " ?(.*)$")
	return text and (string.gsub(text, "%[(`[^`]*`)%]", "%1"))
end

--- Reads a module in Rust: its functions are those with a comment that begins with `name(arguments)`.
---@param path string
---@return table file { intro = lines, items = list of { title, lines } }
function comments.read_rust(path)
	local file = { intro = {}, items = {} }
	local item
	for line in io.lines(path) do
		local text = rust_text(line, "/")
		if not text then
			item = nil
			file.intro[#file.intro + 1] = rust_text(line, "!")
		elseif item then
			table.insert(item.lines, text)
		else
			local title, rest = string.match(text, "^`([%w_.:]+%b())`[:.]?%s*(.*)$")
			if title then
				local other, rest_of_other = string.match(rest, "^or `([^`]+)`[:,]?%s*(.*)$")
				if other then -- `name(this)` or `name(that)`
					title, rest = title .. " or " .. other, rest_of_other
				end
				item = { title = title, lines = { rest } }
				table.insert(file.items, item)
			end
		end
	end
	return file
end

return comments
