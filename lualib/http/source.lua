--- Input of a connection, read by its structure: a header, a line, a number of bytes. What has been read too
--- much is kept for the next one, so messages may follow each other. The cost is linear in the bytes, in
--- whatever pieces they come.

local fields = require "http.fields"

local find, sub = string.find, string.sub
local find_end, empty_line = fields.find_end, fields.empty_line

local M = {}
local Source = {}
Source.__index = Source

--- Makes a source. Does not yield.
---@param read fun(n: integer?): string read(n) for n bytes, read() for some; raises at the end
---@param first string? what has been read before
---@param deadline table? is put off by what comes while `credits` is set: see http.deadline
---@return table source
function M.new(read, first, deadline)
	-- Input that is not used begins at `at`.
	-- held: bytes of a message that is not whole; account: told of them, see http.budget.
	return setmetatable(
		{ read = read, text = first or "", at = 1, deadline = deadline, credits = false, held = 0 },
		Source
	)
end

-- Reads what there is. Whatever of a body comes is to its credit, however it is framed.
local function fetch(self)
	local piece = self.read()
	if self.credits then
		self.deadline:progress(#piece)
		if self.account then
			self.held = self.held + #piece
			self.account:hold(self.held)
		end
	end
	return piece
end

--- Whether what comes from now on puts the deadline off: a body, not a header. Does not yield.
---@param credits boolean
function Source:credit(credits)
	self.credits = credits and self.deadline ~= nil
	if self.account and self.held > 0 then
		self.held = 0
		self.account:hold(0)
	end
end

--- Whether there is input that is not used. Does not yield.
function Source:pending()
	return self.at <= #self.text
end

--- Takes all input that has been read and is not used. Does not yield.
---@return string
function Source:rest()
	local text = sub(self.text, self.at)
	self.text, self.at = "", 1
	return text
end

-- Reads once more. What is not used has to be short.
local function more(self)
	self.text, self.at = sub(self.text, self.at) .. fetch(self), 1
end

--- Waits until there is input. Yields.
function Source:wait()
	while self.at > #self.text do
		self.text, self.at = fetch(self), 1
	end
end

--- Waits until there are so many bytes from `at` on: a few. Yields.
---@param count integer
function Source:need(count)
	while #self.text - self.at + 1 < count do
		more(self)
	end
end

--- Passes over empty lines in front of a message (RFC 9112 §2.2). Yields.
---@param most integer
function Source:skip_empty_lines(most)
	for _ = 1, most do
		self:wait()
		local behind = empty_line(self.text, self.at)
		while behind == 0 do
			more(self)
			behind = empty_line(self.text, self.at)
		end
		if not behind then
			return
		end
		self.at = behind
	end
end

-- Goes on with `head` when its end is not in the input that there is.
local function long_head(self, limit)
	local first = self:rest()
	local parts, size = { first }, #first
	local last = sub(first, -2) -- the end may lie across two pieces
	while size <= limit do
		local piece = fetch(self)
		local probe = last .. piece
		local empty, behind = find_end(probe, 1)
		if empty then
			local before = size - #last
			parts[#parts + 1] = piece
			self.text, self.at = table.concat(parts), before + behind
			return before + empty - 1 <= limit and sub(self.text, 1, before + empty - 1) or nil
		end
		parts[#parts + 1] = piece
		size = size + #piece
		last = sub(probe, -2)
	end
	return nil
end

--- Reads up to the empty line that ends a header. Yields.
---@param limit integer the most bytes
---@return string? head with the end of its last line, "" for an empty one; nil: too long
function Source:head(limit)
	self:wait()
	local at = self.at
	local behind = empty_line(self.text, at)
	while behind == 0 do
		more(self)
		at = self.at
		behind = empty_line(self.text, at)
	end
	if behind then
		self.at = behind
		return ""
	end
	local empty
	empty, behind = find_end(self.text, at)
	if not empty then
		return long_head(self, limit)
	end
	self.at = behind
	return empty - at <= limit and sub(self.text, at, empty - 1) or nil
end

--- Reads a line that ends with CR LF. Yields.
---@param limit integer the most bytes
---@return string? line without its end; nil: too long
function Source:line(limit)
	while true do
		local stop = find(self.text, "\r\n", self.at, true)
		if stop then
			local line = sub(self.text, self.at, stop - 1)
			self.at = stop + 2
			return #line <= limit and line or nil
		elseif #self.text - self.at >= limit + 1 then
			return nil
		end
		more(self)
	end
end

--- Reads what there is, at least a byte. Yields.
---@param most integer the most bytes
---@return string
function Source:some(most)
	self:wait()
	local piece = sub(self.text, self.at, self.at + most - 1)
	self.at = self.at + #piece
	return piece
end

-- Reads `count` bytes, and tells how it goes on.
local function take_in_pieces(self, count)
	local parts, size = {}, 0
	while size < count do
		local piece = fetch(self)
		size = size + #piece
		parts[#parts + 1] = piece
	end
	local text = table.concat(parts)
	if size > count then
		self.text = sub(text, count + 1)
		return sub(text, 1, count)
	end
	return text
end

--- Reads a number of bytes. Yields.
---@param count integer
---@return string
function Source:take(count)
	local text, at = self.text, self.at
	local missing = count - (#text - at + 1)
	if missing <= 0 then
		self.at = at + count
		return sub(text, at, at + count - 1)
	end
	self.text, self.at = "", 1
	if self.account and not self.deadline then
		self.account:hold(self.held + count) -- what is announced: it piles up where it is not seen
	end
	local rest = self.deadline and take_in_pieces(self, missing) or self.read(missing)
	return at > #text and rest or sub(text, at) .. rest
end

return M
