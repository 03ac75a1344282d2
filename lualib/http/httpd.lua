--- The server's side of HTTP/1.1: reads a request, writes a response.
---
---     local code, target, method, header, body = httpd.read_request(sockethelper.readfunc(id), 8192)
---     httpd.write_response(sockethelper.writefunc(id), 200, "hello")

local budgets = require "http.budget"
local deadlines = require "http.deadline"
local fields = require "http.fields"
local limits = require "http.limits"
local reasons = require "http.phrases"
local requests = require "http.request"
local sockethelper = require "http.sockethelper"
local sources = require "http.source"

---@class http.httpd
local M = {}

-- Small bodies go out together with their header, in one write.
local SMALL <const> = 32 * 1024

-- Where the next request is read from, and the time limits, when `read` was made here.
local function input(read)
	local channel = sockethelper.channel(read)
	if not channel then
		local source = sources.new(read)
		source.any_target = true
		return source
	end
	local source = channel.source
	if not source then
		local deadline = deadlines.new(channel.id)
		source = sources.new(read, nil, deadline)
		source.any_target = true -- clients of the C core's layer send what their programs give them, as "login"
		source.account = budgets.of("http"):open(channel.id)
		channel.source, channel.deadline = source, deadline
	end
	channel.write = channel.write or sockethelper.writefunc(channel.id)
	return source, channel.deadline, channel.write
end

limits.of "http" -- a mistake in the config shows when the module is loaded

--- Reads a request. Yields. With a function of sockethelper.readfunc or tlshelper.readfunc, the time limits hold, a
--- client that expects 100 (Continue) gets it, and requests may follow each other.
---@param read fun(n: integer?): string as of sockethelper.readfunc
---@param limit integer? the most bytes of a body
---@param options table? fields header, fields, body, idle_time, header_time, body_time: the limits, see
--- [operations](operations.md#limits-of-listeners); write: a function for 100 (Continue)
---@return integer? code 200; another one is what the client should be answered; nil: `read` has raised
---@return string? target the error that was raised, or path and query: see http.url
---@return string? method, table? header, string? body
---@return table? trailers fields that stood behind a body in chunks, if there were any
function M.read_request(read, limit, options)
	if type(options) ~= "table" then
		options = nil -- programs of before it may have passed anything
	end
	local source, deadline, write = input(read)
	local held = limits.of("http", options)
	local ok, request, code =
		pcall(requests.read, source, held, limit or held.body, deadline, options and options.write or write)
	if deadline then
		deadline:clear()
	end
	source:credit(false)
	if not ok then
		return nil, request
	elseif not request then
		return code, nil, nil, nil, nil -- always five, unless something was raised
	elseif request.trailers then
		return 200, request.target, request.method, request.header, request.body, request.trailers
	end
	return 200, request.target, request.method, request.header, request.body
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

-- The pieces as they are: the header tells how many bytes they have together, or that they are coded already.
local function write_pieces(write, head, produce)
	write(head .. "\r\n")
	for piece in produce do
		if piece ~= "" then
			write(piece)
		end
	end
end

local status_lines = {} -- code -> line with its end

local function status_line(code)
	local line = string.format("HTTP/1.1 %03d %s\r\n", code, reasons[code] or "")
	if reasons[code] then
		status_lines[code] = line
	end
	return line
end

local function write_text(write, head, body, framed)
	local framing = framed and "\r\n" or "content-length: " .. #body .. "\r\n\r\n"
	if #body <= SMALL then
		write(head .. framing .. body)
	else
		write(head .. framing)
		write(body)
	end
end

local function write_response(write, code, body, header)
	local head, framed = status_lines[code] or status_line(code), false
	if header then
		local text, _, has_length, has_coding = fields.write_fields(header, ": ")
		head, framed = head .. text, has_length or has_coding
	end
	local kind = type(body)
	if kind ~= "nil" and kind ~= "string" and kind ~= "function" then
		error("HTTP body must be a string, a function or nil, not " .. kind)
	elseif kind == "nil" or code < 200 or code == 204 or code == 304 then
		write(head .. "\r\n") -- these codes have no body: a client would take it for the next response
	elseif code == 205 then
		write_text(write, head, "", framed)
	elseif kind == "string" then
		write_text(write, head, body, framed)
	elseif framed then
		write_pieces(write, head, body)
	else
		write_chunks(write, head, body)
	end
end

--- Writes a response. Does not yield, unless `body` or `write` does.
---@param write fun(bytes: string) as of sockethelper.writefunc
---@param code integer|string
---@param body? string|fun(): string? a function is called for the pieces until it returns nil; they are sent in
--- chunks, unless `header` has a content-length. Left out with the codes that have none: 1xx, 204, 205, 304
---@param header table<string, string|string[]>? a list is sent as several fields
---@return boolean ok, any problem what was raised
function M.write_response(write, code, body, header)
	return pcall(write_response, write, tonumber(code), body, header)
end

return M
