--- Messages of the WebSocket protocol, put together from frames (RFC 6455 §5.4, §5.6, §8.1), and made large again (RFC 7692
--- §6.2).

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
-- What a decompressor gives at once.
local PIECE <const> = 16 * 1024
-- So many bytes more than the message a compressed one may have, however short it is.
local SLACK <const> = 64

--- Makes a reader of messages. Does not yield.
---@param source table see http.source
---@param masked boolean what the other side has to do with its frames
---@param limit integer the most bytes of a message
---@param strict boolean false: masks and texts are as the other side likes
---@param deflate table? messages may be compressed: see http.websocket.deflate
---@return table reader
function M.new(source, masked, limit, strict, deflate)
	if not strict then
		masked = nil
	end
	-- A message of bytes without a pattern is not smaller, but a little larger when it is compressed.
	local most = deflate and (limit < math.maxinteger // 2 and limit + (limit >> 3) + SLACK or limit) or nil
	-- Of a message that has begun: kind, joined and parts, count of the parts, size; the bytes of a character that goes on; if it
	-- is compressed, how many bytes of frames may still come.
	return setmetatable({
		source = source, masked = masked, limit = limit, strict = strict, deflate = deflate, most = most,
		size = 0, turn = 0, rest = "", left = nil,
	}, Reader)
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
	if self.count == JOIN then
		self.joined[#self.joined + 1] = table.concat(self.parts)
		self.parts, self.count = {}, 0
	end
end

local function finish(self)
	self.joined[#self.joined + 1] = table.concat(self.parts)
	local message, kind = table.concat(self.joined), self.kind
	self.kind, self.joined, self.parts, self.size = nil, nil, nil, 0
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

-- Others get their turn while a small payload becomes a large message.
local function take_turn(self)
	self.turn = self.turn + 1
	if self.turn == TURN then
		self.turn = 0
		skynet.yield()
	end
end

-- Adds what a payload stands for, and nothing beyond the limit.
local function expand(self, payload)
	local is_text = self.strict and self.kind == "text"
	local position = 1
	repeat
		local room, piece = self.limit - self.size, nil
		piece, position = self.deflate:decompress(payload, position, room < PIECE and room + 1 or PIECE)
		if not piece then
			frames.violation(1007, "invalid websocket message: its compression is malformed")
		elseif #piece > room then
			frames.violation(1009, "a compressed message is too large")
		elseif is_text then
			check_text(self, piece, false)
		end
		add(self, piece)
		if position then
			take_turn(self)
		end
	until not position
end

-- A frame of a compressed message; the same results as `Reader:next`.
local function take_compressed(self, kind, payload, last)
	if not self.kind then
		begin(self, kind)
		self.left = self.most
		self.deflate:begin()
	end
	self.left = self.left - #payload
	expand(self, payload)
	if not last then
		return nil, ""
	elseif not self.deflate:finish() then
		frames.violation(1007, "invalid websocket message: its compression is cut off")
	elseif self.strict and self.kind == "text" then
		check_text(self, "", true)
	end
	self.left = nil
	local message, is = finish(self)
	return is, message
end

--- Reads a frame. Yields; raises a violation of the protocol, and when the connection ends.
---@return string? kind "text" or "binary" with a whole message, "close", "ping", "pong"; nil: a part of a message
---@return string payload
function Reader:next()
	self.turn = self.turn + 1
	if self.turn == TURN then
		self.turn = 0
		if self.source:pending() then
			skynet.yield()
		end
	end
	local last, kind, payload, compressed = frames.read(self.source, self.masked, self.left or self.limit - self.size, self.most)
	if kind == "close" then
		if self.strict then
			frames.check_close(payload)
		end
		return kind, payload
	elseif kind == "ping" or kind == "pong" then
		return kind, payload
	end
	check_order(self, kind)
	if compressed or self.left then
		return take_compressed(self, kind, payload, last)
	end
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
	return kind, payload
end

return M
