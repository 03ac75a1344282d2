--- WebSockets (RFC 6455), both sides, over plain connections and TLS. They are named by the id of their
--- socket.
---
---     socket.start(listener, function(id, addr)
---         websocket.accept(id, { message = websocket.write }, "ws", addr) -- echo
---     end)
---
---     local id = websocket.connect "ws://127.0.0.1:9948/path"
---     websocket.write(id, "hello")
---     print(websocket.read(id))

local skynet = require "skynet"
local socket = require "skynet.socket"
local sockethelper = require "http.sockethelper"
local interfaces = require "http.interface"
local httpd = require "http.httpd"
local frame = require "http.websocket.frame"
local handshake = require "http.websocket.handshake"

local M = {}

local MAX_MESSAGE <const> = 256 * 1024 -- that a server takes, in bytes
local encode = frame.encode

-- id -> connection: { id, mode = "server" or "client", addr, real_ip, read, write, next_frame,
-- parts, size, kind: of a message that comes in several frames }
local connections = {}

local function open(id, mode, protocol, hostname)
	if protocol ~= "ws" and protocol ~= "wss" then
		error(string.format("invalid websocket protocol:%s", tostring(protocol)))
	end
	local use_tls = protocol == "wss"
	local connection
	if mode == "client" then
		connection = interfaces.client(id, use_tls, hostname)
	else
		connection = interfaces.server(id, use_tls)
	end
	if connection.init then
		connection.init()
	end
	connection.id, connection.mode = id, mode
	connections[id] = connection
	return connection
end

local function close(connection)
	local id = connection.id
	assert(connections[id] == connection)
	connections[id] = nil
	socket.close(id)
	if connection.close then
		connection.close()
	end
end

local function send(connection, kind, payload, key)
	if not key and connection.mode == "client" then
		key = math.random(0, 0xffffffff) -- §5.3: a server has to refuse frames without one
	end
	connection.write(encode(kind, payload, key))
end

-- Adds a frame to the message it belongs to. Returns the message and its kind when it is complete.
local function assemble(connection, last, kind, payload)
	local parts = connection.parts
	if last and not parts then
		return payload, kind
	end
	if not parts then
		parts = {}
		connection.parts, connection.size, connection.kind = parts, 0, kind
	end
	parts[#parts + 1] = payload
	connection.size = connection.size + #payload
	if connection.limit and connection.size > connection.limit then
		error "payload_len is too large"
	end
	if last then
		connection.parts = nil
		return table.concat(parts), connection.kind
	end
end

local function lookup(id)
	return connections[id] or error(string.format("websocket %s is closed", id), 3)
end

---------------------------------------------------------------- server

local function serve(connection, handler, options)
	local id = connection.id
	local function tell(event, ...)
		local func = handler and handler[event]
		if func then
			func(id, ...)
		end
	end
	tell "connect"
	local code, header, target, rest = handshake.answer(connection, options and options.upgrade)
	if code then
		assert(httpd.write_response(connection.write, code, header))
		tell "close"
		return
	end
	connection.real_ip = header["x-real-ip"] -- set by proxies
	tell("handshake", header, target)
	connection.limit = MAX_MESSAGE
	local next_frame = frame.reader(connection.read, rest, MAX_MESSAGE)
	local on_message = handler and handler.message
	while connections[id] do
		local last, kind, payload = next_frame()
		if kind == "close" then
			send(connection, "close", payload)
			tell("close", frame.decode_close(payload))
			return
		elseif kind == "ping" then
			send(connection, "pong", payload)
			tell "ping"
		elseif kind == "pong" then
			tell "pong"
		else
			local message, message_kind = assemble(connection, last, kind, payload)
			if message and on_message then
				on_message(id, message, message_kind)
			end
		end
	end
	tell "close"
end

--- Serves a connection that was accepted until it ends. Yields.
---
--- `handler` has functions for what happens, all optional: connect(id), handshake(id, header, target),
--- message(id, message, kind), ping(id), pong(id), close(id, code, reason), error(id, problem),
--- warning(connection, kilobytes): see socket.warning.
---@param id integer socket, started here
---@param handler table
---@param protocol "ws"|"wss"|nil
---@param addr string? kept for `addrinfo`
---@param options { upgrade: { header: table, method: string, url: string } }? a request that a web
--- server has read; the socket is started then
---@return boolean ok, any problem
function M.accept(id, handler, protocol, addr, options)
	if not (options and options.upgrade) then
		local started, problem = socket.start(id)
		if not started then
			return false, problem
		end
	end
	local opened, connection = pcall(open, id, "server", protocol or "ws")
	if not opened then
		socket.close(id)
		return false, connection
	end
	connection.addr = addr
	if handler and handler.warning then
		local ok = pcall(socket.warning, id, function(_, kilobytes)
			handler.warning(connection, kilobytes)
		end)
		if not ok then
			close(connection)
			return false, "connect is closed " .. id
		end
	end
	local ok, problem = xpcall(serve, debug.traceback, connection, handler, options)
	local closed_here = connections[id] ~= connection
	if not closed_here then
		close(connection)
	end
	if ok then
		return true
	elseif problem ~= sockethelper.socket_error then
		return false, problem
	end
	local event = closed_here and "close" or "error"
	if handler and handler[event] then
		handler[event](id, event == "error" and problem or nil)
	end
	return true
end

---------------------------------------------------------------- client

local function split_url(url)
	local protocol, authority, target = string.match(url, "^(%a+)://([^/?]+)(.*)$")
	if protocol ~= "ws" and protocol ~= "wss" then
		error(string.format("invalid protocol: %s", protocol))
	end
	local host, port = string.match(authority, "^%[(.-)%]:?(%d*)$")
	if not host then
		host, port = string.match(authority, "^([^:]+):?(%d*)$")
	end
	assert(host, "invalid host in a websocket URL")
	if string.sub(target, 1, 1) ~= "/" then
		target = "/" .. target
	end
	return protocol, host, tonumber(port) or (protocol == "ws" and 80 or 443), authority, target
end

--- Connects to a server. Yields.
---@param url string ws://host[:port]/path or wss://...
---@param header table<string, string>? more fields of the request
---@param timeout integer? 1/100 s, of connecting
---@return integer id. Raises
function M.connect(url, header, timeout)
	local protocol, host, port, authority, target = split_url(url)
	local id = sockethelper.connect(host, port, timeout)
	local hostname = not string.find(host, "[%d:]$") and host or nil
	local ok, connection = pcall(open, id, "client", protocol, hostname)
	if not ok then
		socket.close(id)
		error(connection, 0)
	end
	connection.addr = authority
	local rest
	ok, rest = pcall(handshake.ask, connection, authority, target, header)
	if not ok then
		close(connection)
		error(rest, 0)
	end
	connection.next_frame = frame.reader(connection.read, rest)
	return id
end

--- Reads the next message. Yields.
---@param id integer one of `connect`
---@return string|false message, string? payload false and the payload of the closing frame (see
--- http.websocket.frame) when the server has closed. Raises when the connection is lost
function M.read(id)
	local connection = lookup(id)
	while true do
		local last, kind, payload = connection.next_frame()
		if kind == "close" then
			pcall(send, connection, "close", payload) -- §5.5.1: the answer; the server may be gone
			close(connection)
			return false, payload
		elseif kind == "ping" then
			send(connection, "pong", payload)
		elseif kind ~= "pong" then
			local message = assemble(connection, last, kind, payload)
			if message then
				return message
			end
		end
	end
end

---------------------------------------------------------------- both

--- Sends a message. Does not yield.
---@param id integer
---@param data string
---@param kind "text"|"binary"|nil default "text"
---@param key integer? mask, 32 bits; clients use a random one
function M.write(id, data, kind, key)
	kind = kind or "text"
	assert(kind == "text" or kind == "binary")
	send(lookup(id), kind, data or "", key)
end

--- Sends a ping. Does not yield.
---@param id integer
function M.ping(id)
	send(lookup(id), "ping", "")
end

--- The address given to `accept`, or the host connected to.
---@return string?
function M.addrinfo(id)
	return lookup(id).addr
end

--- The client's address as a proxy has told it in X-Real-IP.
---@return string?
function M.real_ip(id)
	return lookup(id).real_ip
end

--- Closes a connection; unknown ids are ignored. Yields.
---@param id integer
---@param code integer? tells the peer why: 1000 and more (RFC 6455 §7.4)
---@param reason string?
function M.close(id, code, reason)
	local connection = connections[id]
	if not connection then
		return
	end
	local ok, problem = pcall(send, connection, "close", frame.encode_close(code, reason))
	close(connection)
	if not ok then
		skynet.error(problem)
	end
end

--- Whether there is no such connection.
---@param id integer
---@return boolean
function M.is_close(id)
	return not connections[id]
end

return M
