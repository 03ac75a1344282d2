--- Frames of the WebSocket protocol as bytes (RFC 6455 §5).

local crypt = require "skynet.crypt"
local fields = require "http.fields"

local mask_bytes = crypt.xor_str
local pack, unpack, sub = string.pack, string.unpack, string.sub

local M = {}

local FIN <const>, RESERVED <const>, MASKED <const> = 0x80, 0x70, 0x80
local LENGTH_16 <const>, LENGTH_64 <const> = 126, 127
local COMPRESSED <const> = 0x40 -- RSV1, of the first frame of a message (RFC 7692 §6)
local CONTROL <const> = 0x08 -- in the opcode
local KEY_BYTES <const> = 4
local MAX_CONTROL <const> = 125 -- bytes of a control frame

local names = { [0] = "frame", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong" }
local codes = {}
for code, name in pairs(names) do
	codes[name] = code
end
local compressed_kinds = { text = "compressed text", binary = "compressed binary" }
for kind, name in pairs(compressed_kinds) do
	codes[name] = COMPRESSED | codes[kind]
end

--- The kinds of messages that may be compressed, and what their first frame is then called.
M.compressed_kinds = compressed_kinds

---------------------------------------------------------------- problems

-- A peer that breaks the protocol: `code` is what it is told when the connection is closed (§7.4).
local Violation = {}
Violation.__index = Violation
function Violation.__tostring(self)
	return self.text
end

--- Raises a violation of the protocol. Does not return.
---@param code integer
---@param text string
function M.violation(code, text)
	error(setmetatable({ code = code, text = text }, Violation))
end
local violation = M.violation

--- Whether something raised is a violation of the protocol. Does not yield.
---@return boolean
function M.is_violation(problem)
	return getmetatable(problem) == Violation
end

---------------------------------------------------------------- frames

--- A frame with a whole message. Does not yield.
---@param kind "text"|"binary"|"close"|"ping"|"pong"|string or one of `compressed_kinds`
---@param payload string
---@param key integer? mask, 32 bits; what clients send has to have one
---@return string
function M.encode(kind, payload, key)
	local first, size = FIN | codes[kind], #payload
	local mask = key and MASKED or 0
	local head
	if size < LENGTH_16 then
		head = pack("BB", first, mask | size)
	elseif size <= 0xffff then
		head = pack(">BBI2", first, mask | LENGTH_16, size)
	else
		head = pack(">BBI8", first, mask | LENGTH_64, size)
	end
	if key then
		local key_bytes = pack(">I4", key)
		return head .. key_bytes .. (size > 0 and mask_bytes(payload, key_bytes) or "")
	end
	return head .. payload
end

-- Before input is waited for that has to come: `count` bytes of a frame that has begun.
local function missing(source, count)
	if source.unfinished and #source.text - source.at + 1 < count then
		source.unfinished(count)
	end
end

-- `strict`: the length takes no more bytes than it needs (§5.2).
local function payload_length(source, second, strict)
	local size = second & 0x7f
	if size < LENGTH_16 then
		return size
	end
	local bytes = size == LENGTH_16 and 2 or 8
	missing(source, bytes)
	size = unpack(bytes == 2 and ">I2" or ">i8", source:take(bytes))
	if size < 0 then
		violation(1002, "invalid websocket frame: a length of more than 63 bits")
	elseif strict and size < (bytes == 2 and LENGTH_16 or 0x10000) then
		violation(1002, "invalid websocket frame: a length of more bytes than it needs")
	end
	return size
end

local function check_mask(second, masked)
	if masked ~= nil and (second & MASKED ~= 0) ~= masked then
		violation(
			1002,
			masked and "invalid websocket frame: a client has to mask"
				or "invalid websocket frame: a server must not mask"
		)
	end
end

-- The kind of a frame with a reserved bit or opcode. Raises unless it may be compressed, and is.
local function compressed_kind(source, first)
	local name = compressed_kinds[names[first & 0x0f]]
	if source.compressed and name and first & RESERVED == COMPRESSED then
		return name
	end
	violation(1002, "invalid websocket frame: a reserved bit or opcode")
end

--- Reads a frame. Yields, and raises when it is malformed or the connection ends.
---@param source table see http.source; with a field `compressed` messages may be; a field `unfinished(bytes)` is called when
--- it is waited for bytes of a frame that has begun
---@param masked boolean? what the other side has to do; nil: as it likes
---@param limit integer the most bytes of a payload
---@return boolean last whether it is the last of its message
---@return string kind, string payload
function M.read(source, masked, limit)
	source:wait()
	missing(source, 2)
	source:need(2)
	local first, second = string.byte(source.text, source.at, source.at + 1)
	source.at = source.at + 2
	local last, kind = first & FIN ~= 0, names[first & 0x0f]
	if not kind or first & RESERVED ~= 0 then
		kind = compressed_kind(source, first)
	end
	check_mask(second, masked)
	if first & CONTROL ~= 0 and (not last or second & 0x7f > MAX_CONTROL) then
		violation(1002, "invalid websocket frame: a control frame in parts, or too large")
	end
	local size = payload_length(source, second, masked ~= nil)
	if size > limit then
		violation(1009, "payload_len is too large")
	end
	missing(source, size + (second & MASKED ~= 0 and KEY_BYTES or 0))
	if second & MASKED == 0 then
		return last, kind, size > 0 and source:take(size) or ""
	end
	local key = source:take(KEY_BYTES)
	return last, kind, size > 0 and mask_bytes(source:take(size), key) or ""
end

---------------------------------------------------------------- the frame that closes (§5.5.1, §7.4)

-- `text`, or as much of it as may be in the frame: whole characters.
local function shorten(text)
	if #text <= MAX_CONTROL - 2 then
		return text
	end
	local stop = MAX_CONTROL - 2
	while stop > 0 and string.byte(text, stop + 1) & 0xc0 == 0x80 do
		stop = stop - 1
	end
	return sub(text, 1, stop)
end

--- The payload of a frame that closes. Does not yield.
---@param code integer? 1000 and more; without it the payload is empty
---@param reason string? at most 123 bytes are sent
---@return string
function M.encode_close(code, reason)
	return code and pack(">I2", code) .. shorten(reason or "") or ""
end

--- Reads the payload of a frame that closes. Does not yield.
---@return integer? code, string? reason
function M.decode_close(payload)
	if #payload >= 2 then
		return unpack(">I2", payload), sub(payload, 3)
	end
end

-- Whether a peer may send a code: those that only programs of its own side see, and those without a meaning, are not
-- for the wire.
local function may_be_sent(code)
	return (code >= 1000 and code <= 1003) or (code >= 1007 and code <= 1014) or (code >= 3000 and code <= 4999)
end

--- Raises when the payload of a frame that closes is malformed. Does not yield.
---@param payload string
function M.check_close(payload)
	if payload == "" then
		return
	end
	local code, reason = M.decode_close(payload)
	if not code or not may_be_sent(code) then
		violation(1002, "invalid websocket close code")
	elseif not fields.utf8(reason) then
		violation(1007, "invalid UTF-8 in a websocket close reason")
	end
end

return M
