--- Messages of the WebSocket protocol, put together from frames (RFC 6455 §5.4, §5.6, §8.1).

local skynet = require "skynet"
local fields = require "http.fields"
local frames = require "http.websocket.frame"

local M = {}
local Reader = {}
Reader.__index = Reader

-- So many parts are joined at a time: many small ones do not need a table entry each.
local JOIN <const> = 512
-- After so many frames that are there already others get their turn.
local TURN <const> = 64

--- Makes a reader of messages. Does not yield.
---@param source table see http.source
---@param masked boolean what the other side has to do with its frames
---@param limit integer the most bytes of a message
---@param strict boolean false: masks and texts are as the other side likes
---@return table reader
function M.new(source, masked, limit, strict)
	if not strict then
		masked = nil
	end
	-- Of a message that has begun: kind, joined and parts, count of the parts, size; the bytes of a character that goes on.
	return setmetatable(
		{ source = source, masked = masked, limit = limit, strict = strict, size = 0, turn = 0, rest = "" },
		Reader
	)
end

local function begin(self, kind)
	self.kind, self.joined, self.parts, self.count = kind, {}, {}, 0
end

local function add(self, payload)
	if payload == "" then
		return -- an endless row of empty parts takes no memory
	end
	self.size = self.size + #payload
	self.count = self.count + 1
	self.parts[self.count] = payload
	local source = self.source
	source.held = self.size
	source.account:hold(self.size)
	if self.count == JOIN then
		self.joined[#self.joined + 1] = table.concat(self.parts)
		self.parts, self.count = {}, 0
	end
end

local function finish(self)
	self.joined[#self.joined + 1] = table.concat(self.parts)
	local message, kind = table.concat(self.joined), self.kind
	self.kind, self.joined, self.parts, self.size = nil, nil, nil, 0
	self.source.held = 0
	return message, kind
end

-- A text is looked at as it comes: its sender is told at once.
local function check_text(self, payload, last)
	local text = self.rest .. payload
	local rest = fields.utf8(text, not last)
	if not rest then
		frames.violation(1007, "invalid UTF-8 in a websocket text")
	end
	self.rest = rest > 0 and string.sub(text, -rest) or ""
end

local function check_order(self, kind)
	if self.kind and kind ~= "frame" then
		frames.violation(1002, "invalid websocket frame: a message inside of another one")
	elseif not self.kind and kind == "frame" then
		frames.violation(1002, "invalid websocket frame: it continues nothing")
	end
end

--- Reads a frame. Yields; raises a violation of the protocol, and when the connection ends.
---@return string? kind "text" or "binary", or such a compressed one, with a whole message, "close", "ping", "pong"; nil: a part of a message
---@return string payload
function Reader:next()
	self.turn = self.turn + 1
	if self.turn == TURN then
		self.turn = 0
		if self.source:pending() then
			skynet.yield()
		end
	end
	if self.kind and self.source.unfinished and not self.source:pending() then
		self.source.unfinished(0)
	end
	local last, kind, payload = frames.read(self.source, self.masked, self.limit - self.size)
	if kind == "close" then
		if self.strict then
			frames.check_close(payload)
		end
		return kind, payload
	elseif kind == "ping" or kind == "pong" then
		return kind, payload
	end
	check_order(self, kind)
	if self.strict and (self.kind or kind) == "text" then
		check_text(self, payload, last)
	end
	if not last or self.kind then
		if not self.kind then
			begin(self, kind)
		end
		add(self, payload)
		if not last then
			return nil, ""
		end
		payload, kind = finish(self)
	end
	self.source.account:hold(0)
	return kind, payload
end

return M
