--- Reads a request from a source: what httpd and http.server share (RFC 9112 §3, §6; RFC 9110 §10.1.1).

local fields = require "http.fields"
local bodies = require "http.body"

local M = {}

-- Empty lines that some clients send behind a body.
local MOST_EMPTY_LINES <const> = 4

--- Reads the header of a request. Yields; raises when the connection ends.
---@param source table
---@param limits table see http.limits
---@param deadline table? of the connection; is left set
---@return table? request { method, target, version, header }
---@return integer? code for the client when there is no good request, string? reason
function M.read_header(source, limits, deadline)
	if deadline then
		deadline.idle = true
		deadline:set(limits.idle_time)
	end
	source:wait()
	if deadline then
		deadline.idle = false
		deadline:set(limits.header_time)
	end
	if string.byte(source.text, source.at) <= 13 then
		source:skip_empty_lines(MOST_EMPTY_LINES)
	end
	local head = source:head(limits.header)
	if not head then
		return nil, 413, "header too large"
	end
	local method, target, version, position = fields.read_request_line(head)
	if not method then
		return nil, 400, "malformed request line"
	elseif version ~= "1.1" and version ~= "1.0" then
		if not string.find(version, "^%d%.%d$") then
			return nil, 400, "malformed request line"
		end
		return nil, 505, "HTTP version"
	end
	local header = fields.read_fields(head, position, nil, limits.fields)
	if not header then
		return nil, header == false and 413 or 400, header == false and "too many fields" or "malformed field"
	end
	local host = header.host
	if type(host) == "table" then
		return nil, 400, "two fields Host"
	elseif host and not fields.is_host(host) then
		return nil, 400, "invalid field Host"
	elseif not source.any_target and not fields.is_target(method, target) then
		return nil, 400, "malformed target"
	end
	return { method = method, target = target, version = version, header = header }
end

--- Sends 100 (Continue) to a client that waits for it. Does not yield.
---@param request table
---@param source table
---@param write? fun(bytes: string)
function M.ask_for_body(request, source, write)
	local expect = request.header.expect
	if
		expect
		and write
		and request.version == "1.1"
		and not source:pending()
		and fields.has_item(expect, "100-continue")
	then
		write "HTTP/1.1 100 Continue\r\n\r\n"
	end
end

-- The body of a request. Returns it; otherwise nil, the code for the client, and the reason.
local function read_body(request, source, limits, most, deadline, write)
	local header = request.header
	local framing, code, problem = bodies.framing(header, request)
	if framing == false then
		return nil, code, problem
	elseif framing == nil or framing == 0 then
		return ""
	end
	if framing ~= "chunked" and framing > most then
		return nil, 413, "body too large"
	end
	if deadline then
		deadline:set(limits.body_time)
	end
	M.ask_for_body(request, source, write)
	source:credit(true)
	if framing ~= "chunked" then
		return source:take(framing)
	end
	-- What stands behind a body is not taken for its header: anybody may write there what a proxy in between would not let pass
	-- in a header (RFC 9110 section 6.5.1).
	local trailers = {}
	local body = bodies.read_chunks(source, most, trailers, limits)
	if not body then
		return nil, body == false and 413 or 400, body == false and "body too large" or "malformed chunk"
	elseif next(trailers) then
		request.trailers = trailers
	end
	return body
end

--- Reads a request. Yields; raises when the connection ends.
---@param source table
---@param limits table see http.limits
---@param most integer the most bytes of the body
---@param deadline table? of the connection: see http.deadline
---@param write? fun(bytes: string) for 100 (Continue)
---@return table? request { method, target, version, header, body, trailers = fields behind a body in chunks, if there are any }
---@return integer? code for the client when there is no good request, string? reason
---@return boolean? unread whether the client may still be sending a body
function M.read(source, limits, most, deadline, write)
	local request, code, reason = M.read_header(source, limits, deadline)
	local unread = request ~= nil
	if request then
		request.body, code, reason = read_body(request, source, limits, most, deadline, write)
	end
	source:credit(false)
	if deadline then
		deadline:clear()
	end
	if code then
		return nil, code, reason, unread
	end
	return request
end

return M
