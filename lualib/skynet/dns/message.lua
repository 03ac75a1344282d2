--- Questions and answers of the Domain Name System as bytes (RFC 1035 §4; AAAA: RFC 3596).

local M = {}

M.A, M.AAAA = 1, 28
local INTERNET <const> = 1
local RECURSION_DESIRED <const> = 0x0100
local HEADER <const>, QUESTION_END <const>, RECORD <const> = ">HHHHHH", ">HH", ">HHI4s2"
-- A name has at most 255 bytes, so this many labels; more pointers than that are a loop.
local MAX_STEPS <const> = 128

--- A question for the addresses of a name. Does not yield.
---@param id integer 16 bits
---@param name string
---@param kind integer A or AAAA
---@return string
function M.question(id, name, kind)
	local parts = { string.pack(HEADER, id, RECURSION_DESIRED, 1, 0, 0, 0) }
	for label in string.gmatch(name, "[^.]+") do
		parts[#parts + 1] = string.pack("s1", label)
	end
	parts[#parts + 1] = "\0" .. string.pack(QUESTION_END, kind, INTERNET)
	return table.concat(parts)
end

-- Reads the name at `position`; returns it and the position after it.
local function read_name(bytes, position)
	local labels, after = {}, nil
	for _ = 1, MAX_STEPS do
		local size = string.unpack("B", bytes, position)
		if size & 0xc0 == 0xc0 then -- the rest stands at an offset from the start
			after = after or position + 2
			position = (string.unpack(">H", bytes, position) & 0x3fff) + 1
		elseif size == 0 then
			return table.concat(labels, "."), after or position + 1
		else
			labels[#labels + 1], position = string.unpack("s1", bytes, position)
		end
	end
	error "malformed name in a DNS answer"
end

local function address(kind, data)
	if kind == M.A then
		return string.format("%d.%d.%d.%d", string.unpack("BBBB", data))
	end
	return string.format("%x:%x:%x:%x:%x:%x:%x:%x", string.unpack(">HHHHHHHH", data))
end

--- Reads an answer. Raises when the bytes are not one. Does not yield.
---@param bytes string
---@return table answer { id =, name =, code = (0: no error), [A] = list?, [AAAA] = list?, ttl = seconds }
function M.answer(bytes)
	local id, flags, questions, records = string.unpack(HEADER, bytes)
	assert(questions == 1, "malformed packet")
	local name, position = read_name(bytes, 13)
	position = position + 4
	local answer = { id = id, name = string.lower(name), code = flags & 0xf }
	for _ = 1, records do
		local kind, _, ttl, data
		_, position = read_name(bytes, position)
		kind, _, ttl, data, position = string.unpack(RECORD, bytes, position)
		if kind == M.A or kind == M.AAAA then
			answer[kind] = answer[kind] or {}
			table.insert(answer[kind], address(kind, data))
			answer.ttl = math.min(answer.ttl or ttl, ttl)
		end
	end
	return answer
end

return M
