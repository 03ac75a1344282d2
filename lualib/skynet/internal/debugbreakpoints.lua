--- How many breakpoints an editor may have: the node keeps all of them. Part of the debug adapter (debugsession.lua).

local MOST <const> = 20000 -- in all files
local MOST_BYTES <const> = 4 * 1024 * 1024 -- of their texts, and of the paths of the files

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

--- A file has one more, with these texts.
---@param path string
---@return string? problem why it may not have it
function Tally:add(path, ...)
	local file = self.files[path]
	local bytes = file and 0 or #path
	for _, text in ipairs { ... } do
		bytes = bytes + #text
	end
	if self.count >= MOST then
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
