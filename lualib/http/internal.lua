--- HTTP/1.1 messages (RFC 9112) over a pair of functions: what httpc, httpd and websocket share.
---
--- An interface is a table with read(n), write(bytes) and, for clients, readall(); see http.interface.
--- Header tables are keyed by lower-case names; a field that comes several times is a list.

local M = {}

local find, sub, byte, match, lower = string.find, string.sub, string.byte, string.match, string.lower

-- The C project's modules have no such one: then the functions below do it.
local has_core, core = pcall(require, "skynet.http.core")
core = has_core and core or nil

local CR <const>, LF <const> = 13, 10
-- The most bytes a header may have, and the line that tells the size of a chunk.
local MAX_HEADER <const>, MAX_CHUNK_LINE <const> = 8192, 128

---------------------------------------------------------------- header

--- Reads up to the empty line that ends a header. Yields.
---@param read fun(n: integer?): string
---@param first string what has been read before
---@return string? head with the end of its last line, "" for an empty one; nil: too long
---@return string? rest what was read behind it
function M.read_head(read, first)
	local text, from = first, 1
	while true do
		if byte(text, 1) == CR and byte(text, 2) == LF then
			return "", sub(text, 3)
		end
		local at = find(text, "\r\n\r\n", from, true)
		if at then
			return sub(text, 1, at + 1), sub(text, at + 4)
		end
		if #text > MAX_HEADER then
			return nil
		end
		from = math.max(#text - 2, 1)
		text = text .. read()
	end
end

local function add_field(header, name, value)
	local former = header[name]
	if former == nil then
		header[name] = value
	elseif type(former) == "table" then
		former[#former + 1] = value
	else
		header[name] = { former, value }
	end
end

local function extend_field(header, name, more)
	local value = header[name]
	if type(value) == "table" then
		value[#value] = value[#value] .. more
	else
		header[name] = value .. more
	end
end

local function read_fields(head, position, header)
	header = header or {}
	local last
	while position <= #head do
		local stop = find(head, "\r\n", position, true) or #head + 1
		local name, from = match(head, "^([^:\r\n]+):[ \t]*()", position)
		if find(head, "^[ \t]", position) then -- an old way to continue a long value
			if not last then
				return nil
			end
			extend_field(header, last, sub(head, position + 1, stop - 1))
		elseif name then
			last = lower(name)
			add_field(header, last, sub(head, from, stop - 1))
		else
			return nil
		end
		position = stop + 2
	end
	return header
end

--- read_fields(head, position [, header]): reads the fields of a header. Does not yield.
---@param head string lines, each with its end
---@param position integer where the fields begin
---@param header table? receives them; a new one by default
---@return table? header nil when a line is not a field
M.read_fields = core and core.read_fields or read_fields

--- Splits the first line of a request. Does not yield.
---@param head string
---@return string? method nil when it is malformed
---@return string target, string version, integer fields where the fields begin
function M.read_request_line(head)
	local method, target, version, fields = match(head, "^(%a+) +([^ \r\n]+) +HTTP/([%d.]+)\r\n()")
	if method then
		return method, target, version, fields
	end
	return match(head, "^(%a+) +([^\r\n]-) +HTTP/([%d.]+)\r\n()") -- a target with spaces
end

--- `read_head` with the lines in a list. Yields.
---@param read fun(n: integer?): string
---@param lines string[] receives the lines
---@param first string what has been read before
---@return string? rest what was read behind the header; nil: too long
function M.recvheader(read, lines, first)
	local head, rest = M.read_head(read, first)
	if not head then
		return nil
	end
	for line in string.gmatch(head, "(.-)\r\n") do
		lines[#lines + 1] = line
	end
	return rest
end

--- `read_fields` of lines. Does not yield.
---@param lines string[]
---@param from integer first line that is a field
---@param header table
---@return table? header
function M.parseheader(lines, from, header)
	return M.read_fields(table.concat(lines, "\r\n", from), 1, header)
end

---------------------------------------------------------------- body

-- Reads the line with the size of the next chunk. Returns nil when there is none.
local function read_chunk_size(read, text)
	while true do
		local at = find(text, "\r\n", 1, true)
		if at then
			local digits = match(text, "^(%x+)[ \t]*%f[;\r]", 1)
			return digits and #digits < 16 and tonumber(digits, 16), sub(text, at + 2)
		elseif #text > MAX_CHUNK_LINE then
			return nil
		end
		text = text .. read()
	end
end

--- Reads the data of the next chunk. Yields.
---@param read fun(n: integer?): string
---@param text string what has been read before
---@param limit integer? refuses larger chunks
---@return string? data "" for the last chunk, behind which the trailer follows; nil: malformed or too large
---@return string? rest
function M.read_chunk(read, text, limit)
	local size, rest = read_chunk_size(read, text)
	if not size or (limit and size > limit) then
		return nil
	elseif size == 0 then
		return "", rest
	end
	if #rest < size + 2 then
		rest = rest .. read(size + 2 - #rest)
	end
	if sub(rest, size + 1, size + 2) ~= "\r\n" then
		return nil
	end
	return sub(rest, 1, size), sub(rest, size + 3)
end

--- Reads the fields behind the last chunk. Yields.
---@return boolean? ok nil when they are malformed or too long
---@return string? rest
function M.read_trailer(read, text, header)
	local head, rest = M.read_head(read, text)
	if head and M.read_fields(head, 1, header) then
		return true, rest
	end
end

--- Reads a body that comes in chunks. Yields.
---@param read fun(n: integer?): string
---@param limit integer? in bytes
---@param header table receives the trailer
---@param text string what has been read before
---@return string? body, table? header nil: malformed or too large
function M.recvchunkedbody(read, limit, header, text)
	local parts, size = {}, 0
	while true do
		local data
		data, text = M.read_chunk(read, text, limit and limit - size)
		if not data then
			return nil
		elseif data == "" then
			break
		end
		size = size + #data
		parts[#parts + 1] = data
	end
	if M.read_trailer(read, text, header) then
		return table.concat(parts), header
	end
end

--- Tells how the body of a message is sent.
---@return string|integer|nil framing "chunked", a number of bytes, or nil: neither. Raises when not valid
function M.framing(header)
	local coding = header["transfer-encoding"]
	if coding and coding ~= "identity" then
		if type(coding) == "string" and lower(coding) == "chunked" then
			return "chunked"
		end
		error "Unsupport transfer-encoding"
	end
	local length = header["content-length"]
	if length then
		local bytes = type(length) == "string" and find(length, "^%d+$") and tonumber(length)
		return math.type(bytes) == "integer" and bytes or error "Invalid content-length"
	end
end

local function has_no_body(code)
	return code < 200 or code == 204 or code == 304
end

--- Reads the body of a response. Yields.
---@param interface table
---@param code integer
---@param body string what has been read behind the header
---@param header table
---@return string body
function M.response(interface, code, body, header)
	local framing = M.framing(header)
	if framing == "chunked" then
		return M.recvchunkedbody(interface.read, nil, header, body) or error "Invalid response body"
	elseif framing then
		if #body >= framing then
			return sub(body, 1, framing)
		end
		return body .. interface.read(framing - #body)
	elseif has_no_body(code) then
		return ""
	end
	return body .. (interface.readall() or "")
end

--- The body of a response, piece by piece: see http.stream.
function M.response_stream(interface, code, body, header)
	return require "http.stream".new(interface, code, body, header, has_no_body(code))
end

---------------------------------------------------------------- requests

local function check_line(text)
	if find(text, "[\r\n]") then
		error("line break in a HTTP header")
	end
	return text
end

local function write_fields(header, separator)
	local lines, names = {}, {}
	for name, value in pairs(header) do
		names[lower(name)] = true
		if type(value) == "table" then
			for _, item in ipairs(value) do
				lines[#lines + 1] = check_line(name .. separator .. tostring(item))
			end
		else
			lines[#lines + 1] = check_line(name .. separator .. tostring(value))
		end
	end
	lines[#lines + 1] = ""
	return table.concat(lines, "\r\n"), names.host, names["content-length"], names["transfer-encoding"]
end

local write_plain_fields = core and core.write_fields or function() end

--- The text of header fields. Raises when a name or value has a line break. Does not yield.
---@param header table<string, any> values: string, number, or a list of them
---@param separator string between name and value
---@return string lines each with its end
---@return boolean? host, boolean? length, boolean? coding whether there are the fields Host, Content-Length
--- and Transfer-Encoding
function M.write_fields(header, separator)
	local text, host, length, coding = write_plain_fields(header, separator)
	if text then
		return text, host, length, coding
	end
	return write_fields(header, separator)
end

local function request_text(method, host, target, header, content)
	local fields, has_host, has_length, has_coding = M.write_fields(header or {}, ":")
	local first = check_line(string.format("%s %s HTTP/1.1", method, target))
	if not has_host then
		first = first .. "\r\n" .. check_line("Host:" .. host)
	end
	local framing = ""
	if not has_length and not has_coding and (content or (method ~= "GET" and method ~= "HEAD")) then
		framing = "Content-length:" .. #(content or "") .. "\r\n"
	end
	return first .. "\r\n" .. fields .. framing .. "\r\n"
end

--- Sends a request and reads the header of the response. Yields.
---@param interface table
---@param method string
---@param host string value of the Host field, unless `header` has one
---@param target string path and query
---@param received table? receives the fields of the response
---@param header table? fields to send
---@param content string?
---@return integer code, string rest what was read behind the header, table header
function M.request(interface, method, host, target, received, header, content)
	interface.write(request_text(method, host, target, header, content))
	if content and content ~= "" then
		interface.write(content)
	end
	local rest = ""
	while true do
		local head
		head, rest = M.read_head(interface.read, rest)
		if not head then
			error "Recv header failed"
		end
		local code, fields = match(head, "^HTTP/[%d.]+%s+(%d+)[^\r\n]*\r\n()")
		code = tonumber(code) or error "Invalid HTTP status line"
		local target_header = received or {}
		if code >= 200 or code == 101 then
			if not M.read_fields(head, fields, target_header) then
				error "Invalid HTTP response header"
			end
			return code, rest, target_header
		end -- others only say that the response is still to come
	end
end

return M
