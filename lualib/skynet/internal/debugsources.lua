--- Files of a debugged node as the editor knows them: paths there and here, and those inside of the executable, whose text the editor
--- asks for.
---
---     local sources = require "skynet.internal.debugsources".new { pathMappings = { { localRoot = "/home/me/game", remoteRoot = "/srv/game" } } }
---     sources:here(source)   -- what files are compared by, of a source that the editor names
---     sources:there(path)    -- a source for the editor

local debugger = require "skynet.debugger"
local printable = require "skynet.internal.printable"

local Sources = {}
Sources.__index = Sources

local INSIDE <const> = "embedded/"
local MOST_SPELLED <const> = 10000 -- files whose spelling is kept
local LONGEST <const> = 1024 -- bytes of what the compiler says of a source, in which a string may have no end

local function ends_with_slash(root)
	return string.sub(root, -1) == "/" and root or root .. "/"
end

-- Whether a path is one of an editor on Windows: `C:\game`, `c:/game`, `\\server\game`.
local function is_of_windows(path)
	return string.find(path, "^%a:[/\\]") ~= nil or string.sub(path, 1, 2) == "\\\\"
end

-- What such paths are compared by; they are spelled in more than one way.
local function compared(path)
	return (string.gsub(string.gsub(path, "\\", "/"), "^%a:", string.lower))
end

local function add_mapping(list, mapping)
	local there, here = mapping.localRoot, mapping.remoteRoot
	if type(there) == "string" and type(here) == "string" and there ~= "" and here ~= "" then
		local made = { there = ends_with_slash(there), here = ends_with_slash(debugger.canonical(here)) }
		if is_of_windows(there) then
			made.compared = ends_with_slash(compared(there))
			made.sign = string.find(there, "\\", 1, true) and "\\" or "/"
			made.there = string.gsub(made.compared, "^%a", string.sub(there, 1, 1))
			made.there = string.gsub(made.there, "/", made.sign)
		end
		list[#list + 1] = made
	end
end

-- The rest of a path of the editor's below a mapping's root; nil if it is not there.
local function rest_there(mapping, path)
	local root = mapping.there
	if mapping.compared then
		root, path = mapping.compared, compared(path)
	end
	return string.sub(path, 1, #root) == root and string.sub(path, #root + 1) or nil
end

--- For the arguments of an attach request: `pathMappings`, or `localRoot` and `remoteRoot`.
local function new(arguments)
	local mappings = {}
	for _, mapping in ipairs(type(arguments.pathMappings) == "table" and arguments.pathMappings or {}) do
		add_mapping(mappings, mapping)
	end
	add_mapping(mappings, arguments)
	return setmetatable({ mappings = mappings, spelled = {}, spelled_count = 0, references = {}, paths = {} }, Sources)
end

local function is_inside(path)
	return string.sub(path, 1, #INSIDE) == INSIDE
end

--- What files are compared by, of a source that the editor names; nil when it has no file.
function Sources:here(source)
	local reference = source.sourceReference
	if reference and reference > 0 then
		return self.paths[reference]
	end
	local path = source.path
	if type(path) ~= "string" or path == "" then
		return nil
	elseif is_inside(path) then
		return path
	end
	for _, mapping in ipairs(self.mappings) do
		local rest = rest_there(mapping, path)
		if rest then
			path = mapping.here .. rest
			break
		end
	end
	local here = debugger.canonical(path)
	if self.spelled[here] or self.spelled_count < MOST_SPELLED then
		self.spelled_count = self.spelled_count + (self.spelled[here] and 0 or 1)
		self.spelled[here] = source.path
	end
	return here
end

--- A source for the editor.
function Sources:there(path)
	local name = string.match(path, "[^/]*$")
	if is_inside(path) then
		local reference = self.references[path]
		if not reference and not debugger.inside(path) then
			return { name = name, path = path } -- the editor has made it up
		elseif not reference then
			reference = #self.paths + 1
			self.references[path], self.paths[reference] = reference, path
		end
		return {
			name = name,
			path = path,
			sourceReference = reference,
			origin = "inside of the executable",
			presentationHint = "deemphasize",
		}
	end
	local spelled = self.spelled[path]
	if not spelled then
		spelled = path
		for _, mapping in ipairs(self.mappings) do
			if string.sub(path, 1, #mapping.here) == mapping.here then
				local rest = string.sub(path, #mapping.here + 1)
				spelled = mapping.there .. (mapping.sign and string.gsub(rest, "/", mapping.sign) or rest)
				break
			end
		end
	end
	return { name = name, path = spelled }
end

--- The text of a file here, nil and the reason when it cannot be read.
function Sources:text(path)
	if is_inside(path) then
		return debugger.inside(path), "there is no such file"
	end
	return debugger.read(path)
end

-- The first of these numbers, which are in their order, that is not below `least`.
local function first_from(numbers, least)
	local low, high = 1, #numbers + 1
	while low < high do
		local middle = (low + high) // 2
		if numbers[middle] < least then
			low = middle + 1
		else
			high = middle
		end
	end
	return numbers[low]
end

--- Where breakpoints that the editor wants may be: for each `{ line = }` the line of the next code, or nil and why not.
function Sources:places(path, wanted)
	local text, problem = self:text(path)
	local lines
	if text then
		lines, problem = debugger.lines(text)
		problem = problem and printable(problem, LONGEST)
	end
	local places = {}
	for i, breakpoint in ipairs(wanted) do
		local place = { line = breakpoint.line, verified = true }
		if not text then
			place.message = string.format("the node cannot read this file (%s): the line is taken as it is", problem)
		elseif not lines then
			place.verified, place.message = false, problem
		else
			local line = first_from(lines, breakpoint.line)
			place.line, place.verified = line or place.line, line ~= nil
			place.message = not line and "there is no code at this line or below it" or nil
		end
		places[i] = place
	end
	return places
end

return { new = new }
