--- The server's side of HTTP/1.1: reads a request, writes a response.
---
---     local code, target, method, header, body = httpd.read_request(sockethelper.readfunc(id), 8192)
---     httpd.write_response(sockethelper.writefunc(id), 200, "hello")

local internal = require "http.internal"

local M = {}

local sub = string.sub

-- Small bodies go out together with their header, in one write.
local SMALL <const> = 32 * 1024

local reasons = {} -- code -> phrase (RFC 9110 §15)
for code, phrase in string.gmatch([[
	100 Continue; 101 Switching Protocols; 200 OK; 201 Created; 202 Accepted;
	203 Non-Authoritative Information; 204 No Content; 205 Reset Content; 206 Partial Content;
	300 Multiple Choices; 301 Moved Permanently; 302 Found; 303 See Other; 304 Not Modified;
	305 Use Proxy; 307 Temporary Redirect; 308 Permanent Redirect; 400 Bad Request; 401 Unauthorized;
	402 Payment Required; 403 Forbidden; 404 Not Found; 405 Method Not Allowed; 406 Not Acceptable;
	407 Proxy Authentication Required; 408 Request Time-out; 409 Conflict; 410 Gone;
	411 Length Required; 412 Precondition Failed; 413 Request Entity Too Large;
	414 Request-URI Too Large; 415 Unsupported Media Type; 416 Requested range not satisfiable;
	417 Expectation Failed; 422 Unprocessable Content; 426 Upgrade Required; 429 Too Many Requests;
	500 Internal Server Error; 501 Not Implemented; 502 Bad Gateway; 503 Service Unavailable;
	504 Gateway Time-out; 505 HTTP Version not supported;
]], "(%d+) ([^;]*);") do
	reasons[math.tointeger(tonumber(code))] = phrase
end

local function read_request(read, limit)
	local head, rest = internal.read_head(read, "")
	if not head then
		return 413
	end
	local method, target, version, fields = internal.read_request_line(head)
	if not method then
		return 400
	end
	if version ~= "1.1" and version ~= "1.0" then
		version = tonumber(version)
		if not version or version < 1.0 or version > 1.1 then
			return 505
		end
	end
	local header = internal.read_fields(head, fields)
	if not header then
		return 400
	end
	local ok, framing = pcall(internal.framing, header)
	if not ok then
		return header["transfer-encoding"] and 501 or 400
	end
	local body = rest
	if framing == "chunked" then
		body = internal.recvchunkedbody(read, limit, header, rest)
		if not body then
			return 413
		end
	elseif framing then
		if limit and framing > limit then
			return 413
		elseif #rest > framing then
			body = sub(rest, 1, framing)
		elseif #rest < framing then
			body = rest .. read(framing - #rest)
		end
	end
	return 200, target, method, header, body
end

local function pass(ok, code, ...)
	if ok then
		return code, ...
	end
	return nil, code
end

--- Reads a request. Yields.
---@param read fun(n: integer?): string as of sockethelper.readfunc
---@param limit integer? the most bytes of a body
---@return integer? code 200; another one is what the client should be answered; nil: `read` has raised
---@return string? target the error that was raised, or path and query: see http.url
---@return string? method, table? header, string? body
function M.read_request(read, limit)
	return pass(pcall(read_request, read, limit))
end

local function write_chunks(write, head, produce)
	local pending = head .. "transfer-encoding: chunked\r\n\r\n"
	for piece in produce do
		if piece ~= "" then
			write(string.format("%s%x\r\n%s\r\n", pending, #piece, piece))
			pending = ""
		end
	end
	write(pending .. "0\r\n\r\n")
end

local status_lines = {} -- code -> line with its end

local function status_line(code)
	local line = string.format("HTTP/1.1 %03d %s\r\n", code, reasons[code] or "")
	if reasons[code] then
		status_lines[code] = line
	end
	return line
end

local function write_response(write, code, body, header)
	local status, fields, has_length = status_lines[code] or status_line(code), "", nil
	if header then
		local _
		fields, _, has_length = internal.write_fields(header, ": ")
	end
	if type(body) == "string" then
		local size = #body
		local framing = has_length and "\r\n" or "content-length: " .. size .. "\r\n\r\n"
		if size <= SMALL then
			write(status .. fields .. framing .. body)
		else
			write(status .. fields .. framing)
			write(body)
		end
	elseif type(body) == "function" then
		write_chunks(write, status .. fields, body)
	elseif body == nil then
		write(status .. fields .. "\r\n")
	else
		error("HTTP body must be a string, a function or nil, not " .. type(body))
	end
end

--- Writes a response. Does not yield, unless `body` or `write` does.
---@param write fun(bytes: string) as of sockethelper.writefunc
---@param code integer
---@param body? string|fun(): string? a function is called for the pieces until it returns nil
---@param header table<string, string|string[]>? a list is sent as several fields
---@return boolean ok, any problem what was raised
function M.write_response(write, code, body, header)
	return pcall(write_response, write, code, body, header)
end

return M
