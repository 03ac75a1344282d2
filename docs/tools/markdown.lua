-- Documentation comments as Markdown.

local markdown = {}

local function escape(text)
	return (string.gsub(text, "[<*]", "\\%0"))
end

-- Prose: outside of `code`, what Markdown would take for its own is escaped.
local function prose(text)
	local out, position = {}, 1
	while true do
		local first, last = string.find(text, "`[^`]*`", position)
		if not first then
			out[#out + 1] = escape(string.sub(text, position))
			return table.concat(out)
		end
		out[#out + 1] = escape(string.sub(text, position, first - 1)) .. string.sub(text, first, last)
		position = last + 1
	end
end

-- Splits the type off the text behind `@param name` or `@return`: up to a blank that is not inside of brackets or behind
-- something that is not complete.
local function split_type(text)
	local depth = 0
	local open = string.find(text, "^fun%(") and "[:|,]$" or "[:|]$" -- results of a function may be several
	for position, char in string.gmatch(text, "()(.)") do
		if string.find(char, "[(<{[]") then
			depth = depth + 1
		elseif string.find(char, "[)>}%]]") then
			depth = depth - 1
		elseif char == " " and depth == 0 and not string.find(string.sub(text, 1, position - 1), open) then
			return string.sub(text, 1, position - 1), string.sub(text, position + 1)
		end
	end
	return text, ""
end

local function tag_line(kind, text)
	local name = ""
	if kind == "param" then
		name, text = string.match(text, "^(%S+) ?(.*)$")
		name = "`" .. name .. "` "
	else
		name = "returns "
	end
	local kind_of_value, rest = split_type(text)
	local comma = string.match(kind_of_value, "[,.;]*$")
	kind_of_value = string.sub(kind_of_value, 1, #kind_of_value - #comma)
	if kind_of_value ~= "" then
		name = name .. "`" .. kind_of_value .. "`" .. comma
	end
	return "* " .. name .. (rest ~= "" and " " .. prose(rest) or "")
end

-- An entry of a list: "name, name    text".
local function list_item(text)
	local names, rest = string.match(text, "^(.-)  +(.*)$")
	if names then
		return string.format("* `%s`: %s", names, prose(rest))
	end
	return "* " .. prose(text)
end

local function looks_like_lua(lines)
	local text = table.concat(lines, "\n")
	return string.find(text, "[=({]") and not string.find(text, "  %l+ %l+ %l+")
end

local function add_code(out, lines)
	out[#out + 1] = ""
	out[#out + 1] = looks_like_lua(lines) and "```lua" or "```text"
	table.move(lines, 1, #lines, #out + 1, out)
	out[#out + 1] = "```"
	out[#out + 1] = ""
end

--- Appends a comment to a document.
---@param out string[] lines of the document
---@param lines string[] lines of the comment
function markdown.append(out, lines)
	local tags, code = {}, nil
	local function flush()
		if code then
			while code[#code] == "" do
				code[#code] = nil
			end
			add_code(out, code)
			code = nil
		end
	end
	for _, line in ipairs(lines) do
		local kind, text = string.match(line, "^@(%l+) ?(.*)$")
		if kind == "type" then
			goto continue -- the heading says it
		elseif kind then
			tags[#tags + 1] = { kind, text }
		elseif #tags > 0 then -- goes on with the tag above
			tags[#tags][2] = tags[#tags][2] .. " " .. string.gsub(line, "^ +", "")
		elseif string.find(line, "^    ") and not code and string.find(out[#out] or "", "^%* ") then
			out[#out] = out[#out] .. " " .. prose((string.gsub(line, "^ +", ""))) -- goes on with the entry above
		elseif string.find(line, "^    ") then
			code = code or {}
			code[#code + 1] = string.sub(line, 5)
		elseif line == "" and code then
			code[#code + 1] = ""
		else
			flush()
			local item = string.match(line, "^  +(.*)$")
			if item and not string.find(out[#out], "^%* ") then
				out[#out + 1] = ""
			end
			out[#out + 1] = item and list_item(item) or prose(line)
		end
		::continue::
	end
	flush()
	if #tags > 0 then
		out[#out + 1] = ""
	end
	for _, tag in ipairs(tags) do
		out[#out + 1] = tag_line(tag[1], tag[2])
	end
	out[#out + 1] = ""
end

--- Joins the lines of a document; blank lines that follow each other become one.
---@param out string[]
---@return string
function markdown.join(out)
	local text = table.concat(out, "\n")
	return (string.gsub(string.gsub(text, "\n\n\n+", "\n\n"), "\n*$", "\n"))
end

return markdown
