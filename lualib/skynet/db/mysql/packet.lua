--- Packets of the MySQL protocol and the values in them
--- (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html).
---
--- Positions are indices into the payload, from 1; the readers return the value and the next position.

local numbers = require "skynet.db.mysql.numbers"

local M = {}

local unpack, pack, byte, sub = string.unpack, string.pack, string.byte, string.sub

-- A payload of this size goes on in the next packet.
local WHOLE <const> = 0xffffff

--- A payload as the bytes to send. Does not yield.
---@param payload string
---@param sequence integer number of the packet in its exchange; 0 begins one
---@return string
function M.encode(payload, sequence)
	if #payload < WHOLE then
		return pack("<I3B", #payload, sequence) .. payload
	end
	local parts, position = {}, 1
	repeat
		local part = sub(payload, position, position + WHOLE - 1)
		parts[#parts + 1] = pack("<I3B", #part, sequence & 0xff) .. part
		position = position + WHOLE
		sequence = sequence + 1
	until #part < WHOLE
	return table.concat(parts)
end

local function check_size(size, most, advice)
	if size > most then
		error(string.format("mysql: a packet of the server has more than %d bytes%s", most, advice or ""), 0)
	end
end

--- Reads a payload. Yields.
---@param sock table of a socket channel
---@param most integer bytes of it
---@param advice string? how to have more, for the error
---@return string payload, integer sequence
function M.read(sock, most, advice)
	local size, sequence = unpack("<I3B", sock:read(4))
	check_size(size, most, advice)
	if size == 0 then
		error("mysql: the server has sent an empty packet", 0)
	end
	local payload = sock:read(size)
	if size == WHOLE then
		local parts, total = { payload }, size
		repeat
			size, sequence = unpack("<I3B", sock:read(4))
			total = total + size
			check_size(total, most, advice)
			parts[#parts + 1] = size > 0 and sock:read(size) or ""
		until size < WHOLE
		payload = table.concat(parts)
	end
	return payload, sequence
end

--- A packet is not what the protocol says. Does not return.
---@param what string
function M.malformed(what)
	error("mysql: malformed packet of the server: " .. what, 0)
end
local malformed = M.malformed

--- Reads an integer of 1 to 9 bytes.
---@return integer? value nil is NULL, integer position
function M.integer(payload, position)
	local first = byte(payload, position) or malformed "it ends in front of a number"
	if first < 251 then
		return first, position + 1
	elseif first == 251 then
		return nil, position + 1
	elseif first == 252 then
		return unpack("<I2", payload, position + 1)
	elseif first == 253 then
		return unpack("<I3", payload, position + 1)
	elseif first == 254 then
		return unpack("<i8", payload, position + 1)
	end
	malformed "no number"
end

--- Reads a string with its length before it.
---@return string? value nil is NULL, integer position
function M.text(payload, position)
	local size = byte(payload, position) or malformed "it ends in front of a value"
	if size >= 251 then
		size, position = M.integer(payload, position)
		if size == nil then
			return nil, position
		end
	else
		position = position + 1
	end
	if size < 0 or size > #payload - position + 1 then
		malformed(string.format("a value of %d bytes, and %d are left", size, #payload - position + 1))
	end
	return sub(payload, position, position + size - 1), position + size
end

--- A string with its length before it.
---@param value string
---@return string
function M.encode_text(value)
	local size = #value
	if size < 251 then
		return pack("B", size) .. value
	elseif size < 1 << 16 then
		return pack("<BI2", 0xfc, size) .. value
	elseif size < 1 << 24 then
		return pack("<BI3", 0xfd, size) .. value
	end
	return pack("<BI8", 0xfe, size) .. value
end

--- Whether a payload is an error; its first byte means something else where rows may come as well.
function M.is_error(payload)
	return byte(payload) == 0xff
end

--- Whether a payload ends a list. A row may begin with the same byte, but is longer.
function M.is_end(payload)
	return byte(payload) == 0xfe and #payload < 9
end

--- Reads an error.
---@return table { err = text, errno = integer, sqlstate = string? }
function M.error(payload)
	local number, position = unpack("<I2", payload, 2)
	local state
	if sub(payload, position, position) == "#" then
		state = sub(payload, position + 1, position + 5)
		position = position + 6
	end
	return { err = sub(payload, position), errno = number, sqlstate = state }
end

--- Reads what the server says when a command without rows is done.
---@return table { affected_rows, insert_id, server_status, warning_count: integers, message = text? }
function M.ok(payload)
	local result, position = {}, 2
	result.affected_rows, position = M.integer(payload, position)
	result.insert_id, position = M.integer(payload, position)
	if result.insert_id < 0 then
		result.insert_id = numbers.unsigned(result.insert_id)
	end
	result.server_status, result.warning_count, position = unpack("<I2I2", payload, position)
	local message = sub(payload, position)
	if #message > 1 and byte(message) == #message - 1 then
		message = sub(message, 2) -- some servers put its length before it
	end
	result.message = message ~= "" and message or nil
	return result
end

--- Reads the end of a list.
---@return integer server_status
function M.end_status(payload)
	return (unpack("<I2", payload, 4))
end

return M
