-- The lines of an answer that comes in pieces, as etcd's gateway sends a watch: one message each. A piece may have very many lines:
-- it costs what it is long, and now and then other tasks have their turn.

local skynet = require "skynet"

local MAX_LINE <const> = 16 * 1024 * 1024 -- bytes of one line
local LINES_A_TURN <const> = 256 -- lines that are handled before other tasks have their turn

---@class skynet.cluster.etcd.Lines
local Lines = {}
Lines.__index = Lines

-- Takes a piece in. What is behind its last line is the beginning of the next one.
local function take(self, piece)
	self.size = self.size + #piece
	if self.size > MAX_LINE then
		error(string.format("a message of more than %d bytes", MAX_LINE), 0)
	end
	local last = string.match(piece, "^.*()\n")
	if not last then
		self.parts[#self.parts + 1] = piece
		return
	end
	self.parts[#self.parts + 1] = string.sub(piece, 1, last)
	self.text, self.position = table.concat(self.parts), 1
	local beginning = string.sub(piece, last + 1)
	self.parts, self.size = { beginning }, #beginning
end

--- The next line that is not empty; nil at the end. Yields.
---@return string?
function Lines:next()
	while true do
		local start = string.find(self.text, "[^\n]", self.position)
		if start then
			local stop = string.find(self.text, "\n", start, true)
			self.position = stop + 1
			self.count = self.count + 1
			if self.count % LINES_A_TURN == 0 then
				skynet.yield()
			end
			return string.sub(self.text, start, stop - 1)
		end
		self.text, self.position = "", 1
		local piece = self.read()
		if not piece then
			return nil
		end
		take(self, piece)
	end
end

--- Makes a reader of lines. Does not yield.
---@param read fun(): string? the next piece; nil at the end
---@return skynet.cluster.etcd.Lines
return function(read)
	return setmetatable({ read = read, text = "", position = 1, count = 0, parts = {}, size = 0 }, Lines)
end
