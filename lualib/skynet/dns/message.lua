--- Questions and answers of the Domain Name System as bytes (RFC 1035 §4; AAAA: RFC 3596; SRV: RFC 2782).

local M = {}

M.A, M.CNAME, M.AAAA, M.SRV = 1, 5, 28, 33
local INTERNET <const> = 1
local RESPONSE <const>, TRUNCATED <const>, RECURSION_DESIRED <const> = 0x8000, 0x0200, 0x0100
local HEADER <const>, QUESTION_END <const>, RECORD <const> = ">HHHHHH", ">HH", ">HHI4s2"
-- A name has at most 255 bytes, so this many labels; servers use a pointer or two in a name.
local MAX_STEPS <const>, MAX_NAME <const>, MAX_LABEL <const> = 128, 255, 63
local MAX_POINTERS <const> = 16
-- Aliases that lead from one to the next within an answer.
local MAX_ALIASES <const> = 16

--- A question for the records of a name. Does not yield.
---@param id integer 16 bits
---@param name string
---@param kind integer A, AAAA or SRV
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
	local labels, after, length, pointers = {}, nil, 1, 0
	for _ = 1, MAX_STEPS do
		local size = string.unpack("B", bytes, position)
		if size & 0xc0 == 0xc0 then -- the rest stands at an offset from the start
			pointers = pointers + 1
			if pointers > MAX_POINTERS then
				break
			end
			after = after or position + 2
			position = (string.unpack(">H", bytes, position) & 0x3fff) + 1
		elseif size == 0 then
			return table.concat(labels, "."), after or position + 1
		else
			length = length + size + 1
			if size > MAX_LABEL or length > MAX_NAME then
				break
			end
			labels[#labels + 1], position = string.unpack("s1", bytes, position)
		end
	end
	error "malformed name in a DNS answer"
end

-- nil: it has not the bytes of an address of this kind.
local function address(kind, data)
	if kind == M.A then
		return #data == 4 and string.format("%d.%d.%d.%d", string.byte(data, 1, 4)) or nil
	end
	return #data == 16 and string.format("%x:%x:%x:%x:%x:%x:%x:%x", string.unpack(">HHHHHHHH", data)) or nil
end

local function read_record(bytes, position)
	local name, kind, class, ttl, data, after
	name, position = read_name(bytes, position)
	kind, class, ttl, data, after = string.unpack(RECORD, bytes, position)
	if class ~= INTERNET then
		kind = nil
	elseif kind == M.A or kind == M.AAAA then
		data = address(kind, data)
		kind = data and kind -- a broken one is passed over
	elseif kind == M.CNAME then
		data = string.lower((read_name(bytes, after - #data)))
	elseif kind == M.SRV then
		local priority, weight, port = string.unpack(">HHH", data)
		local target = string.lower((read_name(bytes, after - #data + 6)))
		data = { priority = priority, weight = weight, port = port, target = target }
	end
	return { name = string.lower(name), kind = kind, ttl = ttl, data = data }, after
end

--- The id of an answer: what is cheap to know of it. Does not yield.
---@param bytes string
---@return integer? id nil when it is too short to be one
function M.id(bytes)
	return #bytes >= 12 and string.unpack(">H", bytes) or nil
end

--- Reads an answer. Raises when the bytes are not one. Does not yield.
---@param bytes string
---@param is_asked? fun(name: string, kind: integer): boolean whether that was asked for: if not, nothing more is read
---@return table answer { id =, name =, kind =, code = (0: no error), truncated = boolean, records = list of
--- { name =, kind =, ttl = seconds, data = } }; data is an address, the name behind an alias, or a table
--- { priority =, weight =, port =, target = }. What was cut has none
function M.answer(bytes, is_asked)
	local id, flags, questions, records = string.unpack(HEADER, bytes)
	assert(questions == 1 and flags & RESPONSE ~= 0, "malformed packet")
	local name, position = read_name(bytes, 13)
	local kind
	kind, position = string.unpack(">Hxx", bytes, position)
	local answer = {
		id = id,
		name = string.lower(name),
		kind = kind,
		code = flags & 0xf,
		truncated = flags & TRUNCATED ~= 0,
		records = {},
	}
	local is_read = not answer.truncated and (not is_asked or is_asked(answer.name, kind))
	for _ = 1, is_read and records or 0 do
		answer.records[#answer.records + 1], position = read_record(bytes, position)
	end
	return answer
end

--- Follows the aliases in an answer. Does not yield.
---@param answer table
---@return string[]? addresses of the kind that was asked for, integer? ttl in seconds
---@return string? alias where there are no addresses: the name that the server knows the asked one to stand for
function M.addresses(answer)
	local ttl
	local function found(record)
		ttl = math.min(ttl or record.ttl, record.ttl)
		return record.data
	end
	local is_meant, name = { [answer.name] = true }, answer.name
	for _ = 1, MAX_ALIASES do
		local former = name
		for _, record in ipairs(answer.records) do
			if record.kind == M.CNAME and record.name == name and not is_meant[record.data] then
				name = found(record)
				is_meant[name] = true
				break
			end
		end
		if name == former then
			break
		end
	end
	local list = {}
	for _, record in ipairs(answer.records) do
		if record.kind == answer.kind and is_meant[record.name] then
			list[#list + 1] = found(record)
		end
	end
	if #list > 0 then
		return list, ttl
	end
	return nil, ttl, name ~= answer.name and name or nil
end

return M
