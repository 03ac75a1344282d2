--- The opening handshake of the WebSocket protocol (RFC 6455 §4).

local crypt = require "skynet.crypt"
local internal = require "http.internal"

local M = {}

local GUID <const> = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local function accept_value(key)
	return crypt.base64encode(crypt.sha1(key .. GUID))
end

-- Whether a header field, a list separated by commas, has the word.
local function has_word(value, word)
	if type(value) == "table" then
		value = table.concat(value, ",")
	end
	for item in string.gmatch(value or "", "[^%s,]+") do
		if string.lower(item) == word then
			return true
		end
	end
	return false
end

---------------------------------------------------------------- client

--- Asks a server for a WebSocket. Yields.
---@param interface table see http.interface
---@param host string value of the Host field
---@param target string
---@param header table<string, string>? more fields
---@return string rest input behind the handshake. Raises when the server refuses
function M.ask(interface, host, target, header)
	local key = crypt.base64encode(crypt.randomkey() .. crypt.randomkey())
	local fields = {
		Upgrade = "websocket",
		Connection = "Upgrade",
		["Sec-WebSocket-Version"] = "13",
		["Sec-WebSocket-Key"] = key,
	}
	for name, value in pairs(header or {}) do
		assert(fields[name] == nil, name)
		fields[name] = value
	end
	local code, rest, received = internal.request(interface, "GET", host, target, {}, fields)
	if code ~= 101 then
		error(string.format("websocket handshake error: code[%s] info:%s", code, rest))
	elseif not has_word(received.upgrade, "websocket") then
		error "websocket handshake upgrade must websocket"
	elseif not has_word(received.connection, "upgrade") then
		error "websocket handshake connection must upgrade"
	elseif not received["sec-websocket-accept"] then
		error "websocket handshake need Sec-WebSocket-Accept"
	elseif received["sec-websocket-accept"] ~= accept_value(key) then
		error "websocket handshake invalid Sec-WebSocket-Accept"
	end
	return rest
end

---------------------------------------------------------------- server

local function read_request(read)
	local head, rest = internal.read_head(read, "")
	if not head then
		return 413
	end
	local method, target, version, fields = internal.read_request_line(head)
	if not method then
		return 400
	elseif method ~= "GET" then
		return 400, "need GET method"
	elseif (tonumber(version) or 0) < 1.1 then
		return 505
	end
	local header = internal.read_fields(head, fields)
	if not header then
		return 400
	end
	return nil, header, target, rest
end

-- Returns the code and text of a refusal, or nothing.
local function check(header)
	if not has_word(header.upgrade, "websocket") then
		return 426, "Upgrade Required"
	elseif not header.host then
		return 400, "host Required"
	elseif not has_word(header.connection, "upgrade") then
		return 400, "Connection must Upgrade"
	end
	local key = header["sec-websocket-key"]
	if not key then
		return 400, "Sec-WebSocket-Key Required"
	end
	local ok, bytes = pcall(crypt.base64decode, key)
	if not ok or #bytes ~= 16 then
		return 400, "Sec-WebSocket-Key invalid"
	elseif header["sec-websocket-version"] ~= "13" then
		return 400, "Sec-WebSocket-Version must 13"
	end
	local protocols = header["sec-websocket-protocol"]
	if protocols and not has_word(protocols, "chat") then
		return 400, "Sec-WebSocket-Protocol need include chat"
	end
end

--- Reads the request of a client and agrees to it. Yields.
---@param interface table
---@param request { header: table, url: string }? one that was read before
---@return integer? code with the text, when the client has to be refused; nil: accepted
---@return string|table? header, string? target, string? rest input behind the handshake
function M.answer(interface, request)
	local code, header, target, rest
	if request then
		header, target, rest = request.header, request.url, ""
		if not header then
			return 400
		end
	else
		code, header, target, rest = read_request(interface.read)
		if code then
			return code, header
		end
	end
	local refusal, text = check(header)
	if refusal then
		return refusal, text
	end
	local lines = {
		"HTTP/1.1 101 Switching Protocols",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Accept: " .. accept_value(header["sec-websocket-key"]),
	}
	if header["sec-websocket-protocol"] then
		lines[#lines + 1] = "Sec-WebSocket-Protocol: chat"
	end
	lines[#lines + 1] = "\r\n"
	interface.write(table.concat(lines, "\r\n"))
	return nil, header, target, rest
end

return M
