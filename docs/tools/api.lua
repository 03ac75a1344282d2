-- Writes docs/lua-api.md from the comments in lualib/. From the root of the repository:
--
--     cargo run -- docs/tools/config
--
-- A public function without a comment is an error, and so is one whose parameters and results have no annotations for
-- editors. A test runs this and compares.

local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local annotations = require "annotations"
local comments = require "comments"
local markdown = require "markdown"
local modules = require "modules"

local mistakes = {} -- functions without a comment, or with incomplete annotations

local function paths(entry)
	local files = entry.files or { (string.gsub(entry[1], "%.", "/")) }
	local list = {}
	for i, file in ipairs(files) do
		list[i] = string.format("lualib/%s.lua", file)
	end
	return list
end

-- How the reference writes the table (or object) that a function is in; nil for internal ones.
local function owner_of(entry, file, item)
	if item.owner == "" then
		return ""
	end
	local own = entry.own and entry.own[item.owner]
	if own ~= nil then
		return own or nil
	elseif item.owner ~= file.returned then
		return nil
	elseif item.separator == ":" and entry.object then
		return entry.object
	end
	return string.match(entry[1], "[^.]+$")
end

local function capitalise(lines)
	lines[1] = string.gsub(lines[1], "^%l", string.upper)
	return lines
end

-- The heading and the comment of a function. An alias has its arguments in the comment: "name(arguments) -> result: text".
local function describe(owner, item)
	local separator = item.separator
	if string.find(item.owner, "^%u%l") then
		separator = ":" -- the table is a class, whichever way its methods are made
	end
	local full = owner .. separator .. item.name
	if item.arguments then
		return full .. item.arguments, item.lines
	end
	local signature, text = string.match(item.lines[1], "^" .. item.name .. "(%b()[^:]*): (.*)$")
	if not signature then
		return full, item.lines
	end
	local lines = table.move(item.lines, 1, #item.lines, 1, {})
	lines[1] = text
	return full .. signature, capitalise(lines)
end

local function add_function(functions, title, lines)
	functions[#functions + 1] = "#### `" .. title .. "`"
	functions[#functions + 1] = ""
	markdown.append(functions, lines)
end

local function add_rust_module(out, entry)
	local name = entry[1]
	out[#out + 1] = "### " .. name
	out[#out + 1] = ""
	local intro
	local functions = {}
	for _, path in ipairs(entry.rust) do
		local file = comments.read_rust(path)
		intro = intro or entry.intro and { entry.intro } or file.intro
		assert(#file.items > 0, path .. " has no functions with a comment")
		for _, item in ipairs(file.items) do
			local title = item.title
			if not string.find(title, "^[%w_]+[.:]") then
				title = (entry.name or string.match(name, "[^.]+$")) .. "." .. title
			end
			add_function(functions, title, capitalise(item.lines))
		end
	end
	markdown.append(out, intro)
	table.move(functions, 1, #functions, #out + 1, out)
end

local function add_mistake(path, item, owner, what)
	mistakes[#mistakes + 1] = string.format("%s: %s%s%s: %s", path, owner, item.separator, item.name, what)
end

local function check(path, file, item, owner)
	if not item.lines then
		return add_mistake(path, item, owner, "no comment")
	end
	local problems = annotations.problems(item)
	if #problems > 0 then
		add_mistake(path, item, owner, table.concat(problems, ", "))
	end
	if item.owner ~= "" and not file.classes[item.owner] then
		add_mistake(path, item, owner, "---@class of " .. item.owner)
	end
end

local function add_module(out, entry)
	local name = entry[1]
	out[#out + 1] = "### " .. name
	out[#out + 1] = ""
	local intro = entry.intro and { entry.intro }
	local functions, names, passed_on = {}, {}, {}
	for _, path in ipairs(paths(entry)) do
		local file = comments.read(path)
		intro = intro or file.intro
		table.move(file.passed_on, 1, #file.passed_on, #passed_on + 1, passed_on)
		for _, item in ipairs(file.items) do
			local owner = owner_of(entry, file, item)
			if owner == nil and not file.returned and (entry.own or {})[item.owner] == nil then
				add_mistake(path, item, item.owner, "what the file returns is not seen, so nobody knows whose this is")
			end
			if owner and not string.find(item.name, "^_") then
				check(path, file, item, owner)
				names[item.name] = true
				if item.lines then
					if owner == "" then -- the module is a function
						owner = string.match(name, "[^.]+$")
					end
					local title, lines = describe(owner, item)
					add_function(functions, title, lines)
				end
			end
		end
	end
	for _, passed in ipairs(passed_on) do
		if not names[passed] then
			mistakes[#mistakes + 1] = string.format("%s: nothing tells what %s takes", name, passed)
		end
	end
	markdown.append(out, intro)
	table.move(functions, 1, #functions, #out + 1, out)
end

local function contents(out)
	for _, entry in ipairs(modules) do
		if entry.heading then
			out[#out + 1] = string.format("\n**%s**:", entry.heading)
		else
			out[#out + 1] = string.format("[%s](#%s)", entry[1], (string.gsub(entry[1], "%.", "")))
		end
	end
	out[#out + 1] = ""
end

local function document()
	local out = {
		"# Lua API",
		"",
		"English | [中文](zh/lua-api.md)",
		"",
		'Made by `docs/tools/api.lua` from the comments in the sources; do not edit. "Yields" means that the task waits, and the',
		"service handles other messages meanwhile. Times are in 1/100 s where nothing else is said. `?` behind a type: may be nil.",
		"",
	}
	contents(out)
	for _, entry in ipairs(modules) do
		if entry.heading then
			out[#out + 1] = "## " .. entry.heading
			out[#out + 1] = ""
		elseif entry.rust then
			add_rust_module(out, entry)
		else
			add_module(out, entry)
		end
	end
	return markdown.join(out)
end

skynet.start(function()
	local ok, text = pcall(document)
	if not ok then
		print("failed: " .. text)
	elseif #mistakes > 0 then
		print("comments or annotations are missing:\n" .. table.concat(mistakes, "\n"))
	else
		local file <close> = assert(io.open(skynet.getenv "api_output", "w"))
		file:write(text)
		local stubs_output = skynet.getenv "stubs_output"
		if stubs_output then
			local stubs <close> = assert(io.open(stubs_output, "w"))
			stubs:write(require "stubs".all())
		end
		print "the reference is written"
	end
	skynet.abort()
end)
