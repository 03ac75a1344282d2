-- Frames of RFC 6455 as bytes.
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local FIN <const> = 0x80
local opcodes = { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

-- A frame: kind or opcode, payload, and what is unusual: fin = false, reserved, key = false, size.
local function build(kind, payload, unusual, masked)
	unusual = unusual or {}
	local first = (opcodes[kind] or kind) | (unusual.reserved or 0) | (unusual.fin == false and 0 or FIN)
	if unusual.masked ~= nil then
		masked = unusual.masked
	end
	local mask, size = masked and 0x80 or 0, unusual.size or #payload
	local head
	if unusual.wide or size > 65535 then
		head = string.pack(">BBI8", first, mask | 127, size)
	elseif size > 125 then
		head = string.pack(">BBI2", first, mask | 126, size)
	else
		head = string.pack("BB", first, mask | size)
	end
	if masked then
		return head .. "abcd" .. (payload ~= "" and crypt.xor_str(payload, "abcd") or "")
	end
	return head .. payload
end

local function from_client(kind, payload, unusual)
	return build(kind, payload or "", unusual, true)
end

local function from_server(kind, payload, unusual)
	return build(kind, payload or "", unusual, false)
end

-- Reads a frame without a mask from a socket. Returns kind, payload; nil at the end.
local function read_frame(id)
	local head = socket.read(id, 2)
	if not head then
		return nil
	end
	local first, size = string.byte(head, 1, 2)
	if size == 126 then
		size = string.unpack(">I2", socket.read(id, 2))
	elseif size == 127 then
		size = string.unpack(">I8", socket.read(id, 8))
	end
	local payload = socket.read(id, size)
	for name, code in pairs(opcodes) do
		if code == first & 0x0f then
			return name, payload
		end
	end
end

return {
	FIN = FIN,
	opcodes = opcodes,
	build = build,
	from_client = from_client,
	from_server = from_server,
	read_frame = read_frame,
}
