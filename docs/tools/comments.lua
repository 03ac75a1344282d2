-- Reads the documentation comments of a Lua file.
--
-- A comment is a run of lines that begin with `---` (`----...` is a ruler). The one at the top of a file is about the
-- module; any other belongs to the line below it:
--
--     function NAME.name(...)      function NAME:name(...)      NAME.name = value      return function(...)

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

--- Reads a file.
---@param path string
---@return table file { intro = lines, returned = name of the local that it returns,
--- items = list of { owner, separator, name, arguments?, lines? } }; lines is nil where a comment is missing
function comments.read(path)
	local lines = read_lines(path)
	local file = { intro = {}, items = {} }
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
			if name and (arguments or block) then
				file.items[#file.items + 1] = {
					owner = owner, separator = separator, name = name, arguments = arguments, lines = block,
				}
			end
			block = nil
			file.returned = string.match(line, "^return ([%w_]+)$") or file.returned
		end
		i = i + 1
	end
	return file
end

return comments
