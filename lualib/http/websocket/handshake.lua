--- The opening handshake of the WebSocket protocol (RFC 6455 §4).

local crypt = require "skynet.crypt"
local fields = require "http.fields"
local internal = require "http.internal"
local deflate = require "http.websocket.deflate"

local has_item = fields.has_item

local M = {}

local GUID <const> = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local function accept_value(key)
	return crypt.base64encode(crypt.sha1(key .. GUID))
end

---------------------------------------------------------------- client

-- Raises when the server has agreed to something that it was not asked for.
local function check_agreement(asked, received)
	local protocol = received["sec-websocket-protocol"]
	if
		protocol
		and (type(protocol) == "table" or not has_item(asked["sec-websocket-protocol"], string.lower(protocol)))
	then
		error("websocket handshake: the server chose a subprotocol that was not offered")
	elseif received["sec-websocket-extensions"] and not asked["sec-websocket-extensions"] then
		error("websocket handshake: the server chose an extension that was not offered")
	end
end

--- Asks a server for a WebSocket. Yields.
---@param interface table see http.interface
---@param host string value of the Host field
---@param target string
---@param header table<string, string>? more fields; with extensions of the caller's own none is offered besides
---@param settings table? compressed messages are wanted: see http.websocket.deflate
---@return string rest input behind the handshake, string? protocol, table? session. Raises when the server refuses
function M.ask(interface, host, target, header, settings)
	local key = crypt.base64encode(crypt.randomkey() .. crypt.randomkey())
	local request = {
		Upgrade = "websocket",
		Connection = "Upgrade",
		["Sec-WebSocket-Version"] = "13",
		["Sec-WebSocket-Key"] = key,
	}
	local asked = {}
	for name, value in pairs(header or {}) do
		assert(request[name] == nil, name)
		request[name] = value
		asked[string.lower(name)] = value
	end
	local offered = settings and not asked["sec-websocket-extensions"]
	if offered then
		request["Sec-WebSocket-Extensions"] = deflate.offer(settings)
	end
	local code, rest, received = internal.request(interface, "GET", host, target, {}, request)
	if code ~= 101 then
		error(string.format("websocket handshake error: code[%s] info:%s", code, rest))
	elseif not has_item(received.upgrade, "websocket") then
		error "websocket handshake upgrade must websocket"
	elseif not has_item(received.connection, "upgrade") then
		error "websocket handshake connection must upgrade"
	elseif not received["sec-websocket-accept"] then
		error "websocket handshake need Sec-WebSocket-Accept"
	elseif received["sec-websocket-accept"] ~= accept_value(key) then
		error "websocket handshake invalid Sec-WebSocket-Accept"
	end
	local extensions = received["sec-websocket-extensions"]
	if offered and extensions then
		local session = deflate.agree(settings, extensions)
		received["sec-websocket-extensions"] = nil
		check_agreement(asked, received)
		return rest, received["sec-websocket-protocol"], session
	end
	check_agreement(asked, received)
	return rest, received["sec-websocket-protocol"]
end

---------------------------------------------------------------- server

-- What a client that asks for something else is told of what there is (§4.4).
local UPGRADE <const> = { Upgrade = "websocket", Connection = "Upgrade", ["Sec-WebSocket-Version"] = "13" }
local CLOSE <const> = { Connection = "close" }

-- The request of a client, as { header, url }; otherwise nil, the code and text of a refusal.
local function read_request(source, held)
	source:skip_empty_lines(1)
	local head = source:head(held.header)
	if not head then
		return nil, 413
	end
	local method, target, version, position = fields.read_request_line(head)
	if not method then
		return nil, 400
	elseif method ~= "GET" then
		return nil, 400, "need GET method"
	elseif version ~= "1.1" then
		return nil, string.find(version, "^%d%.%d$") and 505 or 400
	end
	local header = fields.read_fields(head, position, nil, held.fields)
	if not header then
		return nil, header == false and 413 or 400
	end
	if not fields.is_target(method, target) then
		return nil, 400
	end
	return { header = header, url = target }
end

local function is_key(key)
	local ok, bytes = pcall(crypt.base64decode, key)
	return ok and #key == 24 and #bytes == 16
end

-- Returns the code and text of a refusal, or nothing.
local function check(header)
	local key = header["sec-websocket-key"]
	if not has_item(header.upgrade, "websocket") then
		return 426, "Upgrade Required"
	elseif type(header.host) ~= "string" then
		return 400, "host Required"
	elseif not fields.is_host(header.host) then
		return 400, "host invalid"
	elseif not has_item(header.connection, "upgrade") then
		return 400, "Connection must Upgrade"
	elseif not key then
		return 400, "Sec-WebSocket-Key Required"
	elseif type(key) ~= "string" or not is_key(key) then
		return 400, "Sec-WebSocket-Key invalid"
	elseif header["sec-websocket-version"] ~= "13" then
		return 426, "Sec-WebSocket-Version must 13"
	end
end

-- The first subprotocol of the client that the service speaks, as the client has written it.
local function choose(offered, spoken)
	offered = type(offered) == "table" and table.concat(offered, ",") or offered
	for part in string.gmatch(offered or "", "[^%s,]+") do
		for _, name in ipairs(spoken) do
			if part == name then
				return part
			end
		end
	end
end

--- Reads the request of a client and agrees to it. Yields.
---@param interface table
---@param source table see http.source
---@param held table see http.limits
---@param request { header: table, url: string }? one that was read before
---@param spoken string[]? subprotocols of the service; nil: "chat", and a client that offers others only is refused
---@param settings table? messages may be compressed: see http.websocket.deflate
---@return table? request { header, url, protocol, deflate }; nil: the client has to be refused
---@return integer code, string? text, table? header
function M.answer(interface, source, held, request, spoken, settings)
	local code, text
	if not request then
		request, code, text = read_request(source, held)
		if not request then
			return nil, code, text, CLOSE
		end
	elseif not request.header then
		return nil, 400, nil, CLOSE
	end
	local header = request.header
	code, text = check(header)
	local offered = header["sec-websocket-protocol"]
	local protocol = choose(offered, spoken or { "chat" })
	if not code and offered and not protocol and not spoken then
		code, text = 400, "Sec-WebSocket-Protocol need include chat"
	end
	local extensions, session
	if settings and not code and header["sec-websocket-extensions"] then
		extensions, session = deflate.answer(settings, header["sec-websocket-extensions"])
		if extensions == false then
			code, text = 400, "Sec-WebSocket-Extensions invalid"
		end
	end
	if code then
		return nil, code, text, code == 426 and UPGRADE or CLOSE
	end
	local lines = {
		"HTTP/1.1 101 Switching Protocols",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Accept: " .. accept_value(header["sec-websocket-key"]),
	}
	if protocol then
		lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. protocol
	end
	if extensions then
		lines[#lines + 1] = "Sec-WebSocket-Extensions: " .. extensions
	end
	lines[#lines + 1] = "\r\n"
	interface.write(table.concat(lines, "\r\n"))
	return { header = header, url = request.url or request.target, protocol = protocol, deflate = session }
end

return M
