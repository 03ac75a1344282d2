--- How many breakpoints an editor may have: the node keeps all of them. Part of the debug adapter (debugsession.lua).

local MOST <const> = 20000 -- in all files
local MOST_BYTES <const> = 4 * 1024 * 1024 -- of their texts, and of the paths of the files
-- Bytes of one: each hit compiles and matches them, and that may take more time than they are long.
local MOST_CONDITION <const>, MOST_HIT_CONDITION <const>, MOST_LOG <const> = 16384, 64, 4096

-- What is wrong with a condition, as far as that is known before it is met.
local function problem_of(condition)
	local compiled, problem = load("return " .. condition .. "\n", "=(condition)", "t")
	return not compiled and "the condition: " .. string.gsub(problem, "^%(condition%):%d+: ", "") or nil
end

local Tally = {}
Tally.__index = Tally

--- None so far.
local function new()
	return setmetatable({ files = {}, count = 0, bytes = 0 }, Tally)
end

--- A file has none any more.
---@param path string
function Tally:forget(path)
	local file = self.files[path]
	if file then
		self.files[path] = nil
		self.count, self.bytes = self.count - file.count, self.bytes - file.bytes
	end
end

--- A file has one more, with these texts, of which any may be empty.
---@param path string
---@param condition string
---@param hit_condition string
---@param log string
---@return string? problem why it may not have it
function Tally:add(path, condition, hit_condition, log)
	local file = self.files[path]
	local bytes = (file and 0 or #path) + #condition + #hit_condition + #log
	if #condition > MOST_CONDITION then
		return string.format("a condition of more than %d bytes", MOST_CONDITION)
	elseif #hit_condition > MOST_HIT_CONDITION then
		return string.format("a condition of hits of more than %d bytes", MOST_HIT_CONDITION)
	elseif #log > MOST_LOG then
		return string.format("a log message of more than %d bytes", MOST_LOG)
	elseif condition ~= "" and problem_of(condition) then
		return problem_of(condition)
	elseif self.count >= MOST then
		return string.format("more than %d breakpoints in all files", MOST)
	elseif self.bytes + bytes > MOST_BYTES then
		return string.format("conditions and log messages of more than %d bytes in all files", MOST_BYTES)
	end
	file = file or { count = 0, bytes = 0 }
	self.files[path] = file
	file.count, file.bytes = file.count + 1, file.bytes + bytes
	self.count, self.bytes = self.count + 1, self.bytes + bytes
end

return { new = new }
