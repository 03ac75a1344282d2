--- Frames of the WebSocket protocol as bytes (RFC 6455 §5).

local crypt = require "skynet.crypt"

local mask_bytes = crypt.xor_str
local pack, unpack = string.pack, string.unpack

local M = {}

local FIN <const>, RESERVED <const>, MASKED <const> = 0x80, 0x70, 0x80
local LENGTH_16 <const>, LENGTH_64 <const> = 126, 127

local names = { [0] = "frame", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong" }
local codes = {}
for code, name in pairs(names) do
	codes[name] = code
end

--- A frame with a whole message. Does not yield.
---@param kind "text"|"binary"|"close"|"ping"|"pong"
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

--- A function that reads frames. It yields, and raises when a frame is malformed or `read` raises.
---@param read fun(): string returns some input; yields
---@param first string input that has been read before
---@param limit integer? the most bytes of a payload
---@return fun(): boolean, string, string next whether it is the last of its message, kind, payload
function M.reader(read, first, limit)
	local buffer, position = first, 1 -- input that is not used begins at `position`

	-- Makes `count` bytes be there at `position`.
	local function need(count)
		local missing = count - (#buffer - position + 1)
		if missing <= 0 then
			return
		end
		local parts = { string.sub(buffer, position) }
		repeat
			local more = read()
			parts[#parts + 1] = more
			missing = missing - #more
		until missing <= 0
		buffer, position = table.concat(parts), 1
	end

	return function()
		need(2)
		local first_byte, size = unpack("BB", buffer, position)
		position = position + 2
		local masked = size & MASKED ~= 0
		size = size & 0x7f
		if size >= LENGTH_16 then
			local bytes = size == LENGTH_16 and 2 or 8
			need(bytes)
			size, position = unpack(bytes == 2 and ">I2" or ">i8", buffer, position)
		end
		local kind = names[first_byte & 0x0f]
		if not kind or first_byte & RESERVED ~= 0 then
			error "invalid websocket frame"
		elseif size < 0 or (limit and size > limit) then
			error "payload_len is too large"
		end
		local total = masked and size + 4 or size
		need(total)
		local payload
		if masked then
			local key = string.sub(buffer, position, position + 3)
			payload = string.sub(buffer, position + 4, position + total - 1)
			payload = size > 0 and mask_bytes(payload, key) or payload
		else
			payload = string.sub(buffer, position, position + total - 1)
		end
		position = position + total
		return first_byte & FIN ~= 0, kind, payload
	end
end

--- The payload of a frame that closes. Does not yield.
---@param code integer? 1000 and more; without it the payload is empty
---@param reason string?
---@return string
function M.encode_close(code, reason)
	return code and pack(">I2", code) .. (reason or "") or ""
end

--- Reads the payload of a frame that closes. Does not yield.
---@return integer? code, string? reason
function M.decode_close(payload)
	if #payload >= 2 then
		return unpack(">I2", payload), string.sub(payload, 3)
	end
end

return M
