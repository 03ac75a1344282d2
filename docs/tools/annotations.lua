-- What editors are told of a public function (`---@param`, `---@return`, `---@type`), compared with its code.

local annotations = {}

-- Removes what could look like code: comments and strings of one line.
local function code_of(line)
	line = string.gsub(line, "\\.", "")
	line = string.gsub(line, '"[^"]*"', '""')
	line = string.gsub(line, "'[^']*'", "''")
	return (string.gsub(line, "%-%-.*$", ""))
end

local OPENS <const> = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local CLOSES <const> = { ["end"] = true, ["until"] = true }

--- Whether a function has results: it returns a value somewhere, functions inside of it set aside.
---@param lines string[] of the file
---@param first integer the line with `function`
---@return boolean
function annotations.returns_values(lines, first)
	local blocks = {} -- kinds of the open ones
	local depth = 0 -- functions among them
	for i = first, #lines do
		local line = code_of(lines[i])
		for word, after in string.gmatch(line, "([%a_][%w_]*)()") do
			if OPENS[word] then
				blocks[#blocks + 1] = word
				depth = depth + (word == "function" and 1 or 0)
			elseif CLOSES[word] then
				if table.remove(blocks) == "function" then
					depth = depth - 1
				end
				if #blocks == 0 then
					return false
				end
			elseif word == "return" and depth == 1 then
				local value = string.match(line, "^%s*([^%s;]+)", after)
				if not value and not string.find(line, "return%s*;") then
					value = string.match(code_of(lines[i + 1] or "end"), "^%s*(%S+)")
				end
				if value and not string.find(value, "^end%f[^%w_]") and value ~= "else" and value ~= "elseif" then
					return true
				end
			end
		end
	end
	return false
end

-- A type that ends a sentence would be read as another one.
local function is_no_type(line)
	local text = string.match(line, "^@return (%S+)") or string.match(line, "^@param %S+ (%S+)")
	return text and text ~= "..." and string.find(text, "^[^<({]*[.,;]$") ~= nil
end

local function tags_of(comment)
	local parameters, results, kind = {}, false, nil
	for _, line in ipairs(comment) do
		local name, type_of_it = string.match(line, "^@param (%S+)%s+(%S+)")
		if name then
			name = string.gsub(name, "%?$", "")
			parameters[#parameters + 1] = name
			parameters[name] = type_of_it
		end
		results = results or string.find(line, "^@return %S") ~= nil
		kind = kind or string.match(line, "^@type (%S+)")
	end
	return parameters, results, kind
end

--- What is wrong with the annotations of a function, or of a value that is one.
---@param item table of comments.read
---@return string[] problems
function annotations.problems(item)
	local problems = {}
	local parameters, results, kind = tags_of(item.lines)
	for _, line in ipairs(item.lines) do
		if is_no_type(line) then
			problems[#problems + 1] = "no type: " .. line
		end
	end
	if not item.arguments then
		if string.find(item.lines[1], "^" .. item.name .. "%(") and not (kind and string.find(kind, "^fun%(")) then
			problems[#problems + 1] = "---@type fun(...)"
		end
		return problems
	end
	local declared = {}
	for name in string.gmatch(item.arguments, "[%w_.]+") do
		declared[#declared + 1] = name
		declared[name] = true
		if not parameters[name] then
			problems[#problems + 1] = "---@param " .. name
		end
	end
	for i, name in ipairs(parameters) do
		if not declared[name] then
			problems[#problems + 1] = "there is no parameter " .. name
		elseif #problems == 0 and declared[i] ~= name then
			problems[#problems + 1] = "another order of parameters"
		end
	end
	if item.returns and not results then
		problems[#problems + 1] = "---@return"
	elseif results and not item.returns then
		problems[#problems + 1] = "---@return of a function that returns nothing"
	end
	return problems
end

return annotations
