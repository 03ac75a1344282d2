-- Stubs of modules in Rust, from which editors complete: for each module a file with the functions of the reference, without
-- bodies. Modules in Lua need none, as their sources have annotations. `skynet types` writes both.

local comments = require "comments"
local modules = require "modules"

local stubs = {}

-- "text [, size]" -> { { name, optional } ... }
local function parameters(list)
	local found, optional = {}, false
	for part in string.gmatch(list, "[^,]+") do
		optional = optional or string.find(part, "[", 1, true) ~= nil
		local name = string.match(part, "%.%.%.") or string.match(part, "[%a_][%w_]*")
		if name then
			found[#found + 1] = { name = name, optional = optional or string.find(part, "?", 1, true) ~= nil }
		end
		-- "a [, b]": the bracket opens in the part before.
		optional = optional or string.find(part, "%[%s*$") ~= nil
	end
	return found
end

local KEYWORDS <const> = { ["end"] = true, ["repeat"] = true, ["function"] = true, ["local"] = true, ["nil"] = true }

local function add(out, owner, separator, name, arguments, lines)
	for _, line in ipairs(lines) do
		out[#out + 1] = line == "" and "---" or "--- " .. line
	end
	local names = {}
	for i, parameter in ipairs(parameters(arguments)) do
		local word = KEYWORDS[parameter.name] and parameter.name .. "_" or parameter.name
		names[i] = word
		out[#out + 1] = string.format("---@param %s%s any", word, parameter.optional and word ~= "..." and "?" or "")
	end
	out[#out + 1] = "---@return any ..."
	out[#out + 1] = string.format("function %s%s%s(%s) end", owner, separator, name, table.concat(names, ", "))
	out[#out + 1] = ""
end

local function stub(entry)
	local name = entry[1]
	local own = entry.name or string.match(name, "[^.]+$")
	local out = { "---@meta " .. name, "" }
	local body, classes, seen = {}, {}, {}
	for _, path in ipairs(entry.rust) do
		for _, item in ipairs(comments.read_rust(path).items) do
			local owner, separator, func, arguments =
				string.match(item.title, "^([%a_][%w_]*)([.:])([%a_][%w_]*)(%b())$")
			if not owner then
				func, arguments = string.match(item.title, "^([%a_][%w_]*)(%b())$")
				owner, separator = own, "."
			end
			if func and not seen[owner .. separator .. func] then
				seen[owner .. separator .. func] = true
				if owner ~= own and not classes[owner] then
					classes[owner] = true
					classes[#classes + 1] = owner
				end
				add(body, owner, separator, func, string.sub(arguments, 2, -2), item.lines)
			end
		end
	end
	out[#out + 1] = "---@class " .. name
	out[#out + 1] = string.format("local %s = {}", own)
	out[#out + 1] = ""
	for _, class in ipairs(classes) do
		out[#out + 1] = string.format("---@class %s.%s", name, class)
		out[#out + 1] = string.format("local %s = {}", class)
		out[#out + 1] = ""
	end
	table.move(body, 1, #body, #out + 1, out)
	out[#out + 1] = "return " .. own
	return table.concat(out, "\n") .. "\n"
end

--- The text of one file: all stubs, each behind a line `---- NAME`.
function stubs.all()
	local out = {}
	for _, entry in ipairs(modules) do
		if entry.rust then
			out[#out + 1] = "---- " .. entry[1] .. "\n" .. stub(entry)
		end
	end
	return table.concat(out)
end

return stubs
