--- The body of a HTTP message: how it is framed, and reading it from a source (RFC 9112 §6, §7).

local skynet = require "skynet"
local fields = require "http.fields"

local match, find, sub = string.match, string.find, string.sub

local M = {}

-- The most bytes of the line that tells the size of a chunk, with its extensions.
local MAX_CHUNK_LINE <const> = 1024
-- So many pieces are joined at a time: many small chunks do not need a table entry each.
local JOIN <const> = 512

---------------------------------------------------------------- framing

-- The number of bytes that Content-Length tells, which may come several times with the same value; nil: invalid.
local function content_length(value)
	if type(value) == "string" and find(value, "^%d+$") then
		return math.tointeger(tonumber(value))
	end
	local text = type(value) == "table" and table.concat(value, ",") or value
	local bytes
	for item in string.gmatch(text .. ",", "([^,]*),") do
		local digits = match(item, "^[ \t]*(%d+)[ \t]*$")
		local number = digits and math.tointeger(tonumber(digits))
		if not number or (bytes and bytes ~= number) then
			return nil
		end
		bytes = number
	end
	return bytes
end

-- What Transfer-Encoding tells: "chunked", or nil for none. Otherwise false, and a code for the client.
local function transfer_coding(value)
	local codings = fields.items(value)
	local last = codings[#codings]
	if last == "chunked" and #codings == 1 then
		return "chunked"
	elseif (#codings == 1 and last == "identity") or (value == "" and #codings == 0) then
		return nil
	end
	for i = 1, #codings do
		if codings[i] == "chunked" then
			return false, 400 -- twice, or not as the last one
		end
	end
	return false, 501
end

--- Tells how the body of a message is sent. Content-Length becomes one value. Does not yield.
---@param header table
---@param request { version: string }? the message is a request: what may be understood in two ways is refused
---@return string|integer|nil framing "chunked", a number of bytes, or nil: neither; false: not valid
---@return integer|string|nil problem for false: the code for a client, and the reason
function M.framing(header, request)
	local coding, length = header["transfer-encoding"], header["content-length"]
	local chunked
	if coding then
		local code
		chunked, code = transfer_coding(coding)
		if chunked == false then
			return false, code, "Unsupport transfer-encoding"
		elseif request and (length or request.version == "1.0") then
			return false, 400, "Transfer-Encoding with Content-Length, or in HTTP/1.0"
		end
	end
	if chunked then
		return "chunked"
	elseif length then
		local bytes = content_length(length)
		if not bytes then
			return false, 400, "Invalid content-length"
		end
		if type(length) == "table" or find(length, "[^%d]") then
			header["content-length"] = tostring(bytes)
		end
		return bytes
	end
end

--- Whether a response has no body whatever its header says (RFC 9112 §6.3). Does not yield.
---@param code integer
---@param method string? of the request
---@return boolean
function M.is_empty(code, method)
	return code < 200 or code == 204 or code == 304 or method == "HEAD" or (method == "CONNECT" and code < 300)
end

---------------------------------------------------------------- chunks

--- Reads the line before a chunk's data. Yields.
---@param source table
---@return integer? size 0 for the last chunk, behind which the trailer follows; nil: malformed; false: too large
function M.read_chunk_size(source)
	local line = source:line(MAX_CHUNK_LINE)
	local digits, rest = match(line or "", "^(%x+)[ \t]*(.*)$")
	-- A lone line end in an extension is the end of the line for some.
	if not digits or not (rest == "" or find(rest, "^;")) or find(rest, "[\r\n]") then
		return nil
	end
	digits = match(digits, "^0*(.*)$")
	if #digits > 15 then
		return false
	end
	return digits == "" and 0 or tonumber(digits, 16)
end

--- Reads the data of the next chunk. Yields.
---@param source table
---@param limit integer? refuses larger chunks
---@return string? data "" for the last chunk, behind which the trailer follows; nil: malformed; false: too large
function M.read_chunk(source, limit)
	local size = M.read_chunk_size(source)
	if not size then
		return size
	elseif limit and size > limit then
		return false
	elseif size == 0 then
		return ""
	end
	local data = source:take(size)
	return source:take(2) == "\r\n" and data or nil
end

-- What says how a message is framed, routed, modified or understood, and who has sent it, has to stand in the header (RFC 9110
-- §6.5.1): a proxy between looks for it there alone. So has what such a proxy says of the client.
local header_only <const> = {
	["transfer-encoding"] = true,
	te = true,
	trailer = true,
	host = true,
	connection = true,
	upgrade = true,
	via = true,
	authorization = true,
	cookie = true,
	["set-cookie"] = true,
	origin = true,
	referer = true,
	["user-agent"] = true,
	expect = true,
	["max-forwards"] = true,
	range = true,
	["cache-control"] = true,
	pragma = true,
	age = true,
	location = true,
	["retry-after"] = true,
	vary = true,
	["www-authenticate"] = true,
	forwarded = true,
	["x-real-ip"] = true,
	["keep-alive"] = true,
}
local header_only_prefixes <const> = { "^content%-", "^x%-forwarded", "^proxy%-", "^sec%-", "^if%-" }

-- Whether a trailer may say this in the place of the header.
local function may_come_late(name)
	if header_only[name] then
		return false
	end
	for _, prefix in ipairs(header_only_prefixes) do
		if find(name, prefix) then
			return false
		end
	end
	return true
end

--- Reads the fields behind the last chunk, as far as they may stand there. Yields.
---@param source table
---@param header table receives them
---@param limits { header: integer, fields: integer }
---@return boolean? ok nil when they are malformed or too long
function M.read_trailer(source, header, limits)
	local head = source:head(limits.header)
	if not head then
		return nil
	end
	local trailer = fields.read_fields(head, 1, {}, limits.fields, true)
	if not trailer then
		return nil
	end
	for name, value in pairs(trailer) do
		if header[name] == nil and may_come_late(name) then
			header[name] = value
		end
	end
	return true
end

--- Reads a body that comes in chunks. Yields.
---@param source table
---@param limit integer? in bytes
---@param header table receives the trailer
---@param limits { header: integer, fields: integer }
---@return string? body nil: malformed; false: too large
function M.read_chunks(source, limit, header, limits)
	local joined, parts, count, size = {}, {}, 0, 0
	while true do
		local data = M.read_chunk(source, limit and limit - size)
		if not data then
			return data
		elseif data == "" then
			break
		end
		size = size + #data
		count = count + 1
		parts[count] = data
		if count == JOIN then
			joined[#joined + 1] = table.concat(parts)
			parts, count = {}, 0
			skynet.yield() -- tiny chunks: others get their turn
		end
	end
	if M.read_trailer(source, header, limits) then
		joined[#joined + 1] = table.concat(parts)
		return table.concat(joined)
	end
end

return M
