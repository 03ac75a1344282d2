--- HTTP/1.1 messages (RFC 9112) over a pair of functions: what httpc, httpd and websocket share.
---
--- An interface is a table with read(n), write(bytes) and, for clients, readall(); see http.interface.

local fields = require "http.fields"
local bodies = require "http.body"
local sources = require "http.source"
local sockethelper = require "http.sockethelper"

local M = {}

-- The most bytes of a header; of a response, whose server the caller has chosen, they are more.
local MAX_HEADER <const>, MAX_RESPONSE_HEADER <const> = 16 * 1024, 256 * 1024
-- The most lines of a header.
local MAX_FIELDS <const>, MAX_RESPONSE_FIELDS <const> = 256, 2048
-- The most responses in front of the final one.
local MAX_INTERIM <const> = 64
-- How long a request that expects 100 (Continue) waits for it with its body, in 1/100 s.
local CONTINUE_TIME <const> = 100

local trailer_limits = { header = MAX_HEADER, fields = MAX_FIELDS }

---------------------------------------------------------------- header and body, as functions

--- Reads the lines up to the empty one that ends a header. Yields.
---@param read fun(n: integer?): string
---@param lines string[] receives the lines
---@param first string what has been read before
---@return string? rest what was read behind the header; nil: too long
function M.recvheader(read, lines, first)
	local source = sources.new(read, first)
	local head = source:head(MAX_HEADER)
	if not head then
		return nil
	end
	for line in string.gmatch(head, "(.-)\r?\n") do
		lines[#lines + 1] = line
	end
	return source:rest()
end

--- Reads the fields of a header from its lines. Does not yield.
---@param lines string[]
---@param from integer first line that is a field
---@param header table
---@return table? header
function M.parseheader(lines, from, header)
	return fields.read_fields(table.concat(lines, "\r\n", from), 1, header, nil, true)
end

--- Reads a body that comes in chunks. Yields.
---@param read fun(n: integer?): string
---@param limit integer? in bytes
---@param header table receives the trailer
---@param text string what has been read before
---@return string? body, table? header nil: malformed or too large
---@return string? rest what was read behind it
function M.recvchunkedbody(read, limit, header, text)
	local source = sources.new(read, text)
	local body = bodies.read_chunks(source, limit, header, trailer_limits)
	if body then
		return body, header, source:rest()
	end
end

---------------------------------------------------------------- responses

-- Raises when a response's framing is not valid.
local function framing_of(header)
	local framing, _, problem = bodies.framing(header)
	if framing == false then
		error(problem)
	end
	return framing
end

-- Reads up to the end of the connection, `limit` bytes at most.
local function read_to_end(interface, text, limit)
	if not limit then
		text = text .. (interface.readall() or "")
	else
		local parts, size = { text }, #text
		while size <= limit do
			local ok, piece = pcall(interface.read)
			if not ok and not (interface.ended and interface.ended()) then
				error(piece, 0)
			elseif not ok then
				break
			end
			parts[#parts + 1], size = piece, size + #piece
		end
		text = table.concat(parts)
	end
	if interface.expired then -- shut down by a time limit: that is no end of a body
		error(sockethelper.socket_error "timeout")
	end
	return text
end

local function check_size(size, limit)
	if limit and size > limit then
		error(string.format("HTTP body of more than %d bytes", limit))
	end
end

--- Reads the body of a response. Yields.
---@param interface table `rest` receives what was read behind the body, `persists` whether the connection can go on; `limit`:
--- the most bytes
---@param code integer
---@param text string what has been read behind the header
---@param header table
---@param method string? of the request
---@return string body
function M.response(interface, code, text, header, method)
	-- A message with both may be understood differently by a proxy in between.
	interface.rest, interface.persists = text, not (header["transfer-encoding"] and header["content-length"])
	if bodies.is_empty(code, method) then
		return ""
	end
	local framing, limit = framing_of(header), interface.limit
	if framing then
		local source = sources.new(interface.read, text)
		local body
		if framing == "chunked" then
			body = bodies.read_chunks(source, limit, header, trailer_limits)
			if not body then
				check_size(body == false and math.huge or 0, limit)
				error "Invalid response body"
			end
		else
			check_size(framing, limit)
			body = source:take(framing)
		end
		interface.rest = source:rest()
		return body
	elseif code == 205 then
		return ""
	end
	interface.rest, interface.persists = "", false
	text = read_to_end(interface, text, limit)
	check_size(#text, limit)
	return text
end

--- The body of a response, piece by piece: see http.stream. Does not yield.
function M.response_stream(interface, code, text, header, method)
	local empty = bodies.is_empty(code, method)
	local framing = not empty and framing_of(header) or nil
	return require "http.stream".new(interface, code, text, header, framing, empty or (code == 205 and not framing))
end

---------------------------------------------------------------- requests

local check_line = fields.check_line

local CONTENT_OF <const> = { table = " (cjson.encode makes one of a table)" }

local function request_text(method, host, target, header, content)
	if header and type(header) ~= "table" then
		error(string.format("httpc: the header is a table of fields, not a %s", type(header)), 0)
	end
	local lines, has_host, has_length, has_coding = fields.write_fields(header or {}, ":")
	-- In pieces it is sent as it is: a list of strings, too.
	if content and type(content) ~= "string" and not (has_coding and type(content) == "table") then
		error(
			string.format("httpc: the content is a string%s, not a %s", CONTENT_OF[type(content)] or "", type(content)),
			0
		)
	end
	local first = check_line(string.format("%s %s HTTP/1.1", method, target))
	if not has_host then
		first = first .. "\r\n" .. check_line("Host:" .. host)
	end
	local framing = ""
	if not has_length and not has_coding and (content or (method ~= "GET" and method ~= "HEAD")) then
		framing = "Content-length:" .. #(content or "") .. "\r\n"
	end
	return first .. "\r\n" .. lines .. framing .. "\r\n"
end

local function expects_continue(header)
	for name, value in pairs(header or {}) do
		if type(name) == "string" and string.lower(name) == "expect" then
			return type(value) == "string" and string.lower(value) == "100-continue"
		end
	end
	return false
end

-- A function that sends the content, at most once: when the server says so, or when it says nothing for a time.
local function content_sender(interface, header, content)
	local waiting = content ~= nil and content ~= ""
	local function send()
		if waiting then
			waiting = false
			interface.write(content)
		end
	end
	local function withhold()
		local withheld = waiting
		waiting = false
		return withheld
	end
	if waiting and expects_continue(header) then
		require "skynet".timeout(CONTINUE_TIME, function()
			pcall(send) -- whether it arrives is seen by who reads the answer
		end)
	else
		send()
	end
	return send, withhold
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
	header, content = header or nil, content or nil -- `false`, as of `condition and table`, is none
	interface.write(request_text(method, host, target, header, content))
	local send, withhold = content_sender(interface, header, content)
	local source = sources.new(interface.read)
	for _ = 1, MAX_INTERIM do
		source:skip_empty_lines(1)
		local head = source:head(MAX_RESPONSE_HEADER)
		if not head then
			error "Recv header failed"
		end
		interface.answered = true
		local code, version, position = fields.read_status_line(head)
		if not code then
			error "Invalid HTTP status line"
		end
		if code >= 200 or code == 101 then
			received = received or {}
			if not fields.read_fields(head, position, received, MAX_RESPONSE_FIELDS, true) then
				error "Invalid HTTP response header"
			end
			interface.version = version
			interface.withheld = withhold() -- the server may still wait for the content
			return code, source:rest(), received
		elseif code == 100 then
			send()
		end -- others only say that the response is still to come
	end
	error "Too many interim HTTP responses"
end

return M
