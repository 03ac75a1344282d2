--- Messages of a connection on which they may be compressed (RFC 7692 §6.2). Where they may not, nothing of this is in the way.

local skynet = require "skynet"
local fields = require "http.fields"
local frames = require "http.websocket.frame"
local messages = require "http.websocket.message"

local M = {}
local Reader = {}
Reader.__index = Reader

-- What a decompressor gives at once; after so many pieces others get their turn.
local PIECE <const>, TURN <const> = 16 * 1024, 64
-- So many bytes more than the message its frames may have, however short it is.
local SLACK <const> = 64

local kinds = {} -- name of a compressed message -> kind
for kind, name in pairs(frames.compressed_kinds) do
	kinds[name] = kind
end

-- A message of bytes without a pattern does not become smaller, but a little larger.
local function most_of_frames(limit)
	return limit < math.maxinteger // 2 and limit + (limit >> 3) + SLACK or limit
end

--- Makes a reader of messages. Does not yield. The first four as of http.websocket.message.
---@param source table
---@param masked boolean
---@param limit integer
---@param strict boolean
---@param session table see http.websocket.deflate
---@return table reader
function M.new(source, masked, limit, strict, session)
	source.compressed = true
	local reader = messages.new(source, masked, most_of_frames(limit), strict)
	return setmetatable({ reader = reader, limit = limit, strict = strict, session = session }, Reader)
end

-- The message that a payload stands for: nothing beyond the limit is asked for.
local function decompress(self, payload)
	local session, pieces, room, position, turn = self.session, {}, self.limit, 1, 0
	repeat
		local piece
		piece, position = session:decompress(payload, position, room < PIECE and room + 1 or PIECE)
		if not piece then
			frames.violation(1007, "invalid websocket message: its compression is malformed")
		end
		room = room - #piece
		if room < 0 then
			frames.violation(1009, "a compressed message is too large")
		end
		pieces[#pieces + 1] = piece
		turn = turn + 1
		if turn == TURN and position then
			turn = 0
			skynet.yield()
		end
	until not position
	if not session:finish() then
		frames.violation(1007, "invalid websocket message: its compression is cut off")
	end
	return #pieces == 1 and pieces[1] or table.concat(pieces)
end

--- Reads a frame. Yields; raises a violation of the protocol, and when the connection ends.
---@return string? kind, string payload as of http.websocket.message
function Reader:next()
	local kind, payload = self.reader:next()
	local compressed = kinds[kind]
	if compressed then
		kind, payload = compressed, decompress(self, payload)
		if self.strict and kind == "text" and not fields.utf8(payload) then
			frames.violation(1007, "invalid UTF-8 in a websocket text")
		end
	elseif #payload > self.limit then
		frames.violation(1009, "payload_len is too large")
	end
	return kind, payload
end

return M
