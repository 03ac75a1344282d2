--- The connection of a WebSocket, either side: opening, sending, and how it ends (RFC 6455 §5.5, §7).

local skynet = require "skynet"
local socket = require "skynet.socket"
local budgets = require "http.budget"
local deadlines = require "http.deadline"
local interfaces = require "http.interface"
local frame = require "http.websocket.frame"

local M = {}

local encode = frame.encode

-- A peer that does not read gets no more pongs while so much waits to be sent to it, in KiB.
local PONG_BACKLOG <const> = 1024
-- How long it may take until the peer takes some of the rest, and a second more for 500 bytes that it takes; 1/100 s.
local SEND_TIME <const> = 6000
-- What a peer that broke the protocol goes on to send is read, or it would not get the reason: so many bytes.
local LINGER_BYTES <const> = 1024 * 1024
-- ... and until nothing has come for so long, 1/100 s.
local LINGER_PAUSE <const> = 20

--- id -> connection: { id, mode = "server" or "client", addr, real_ip, protocol, read, write, deadline, backlog, held: its
--- limits, deflate: see http.websocket.deflate, reader: of messages; closing: this side has sent its close frame; task: that
--- accepts, tell: its events }
M.connections = {}
local connections = M.connections

--- Whether both sides have to keep to every rule. Does not yield.
---@param options { strict: boolean? }?
---@return boolean
function M.is_strict(options)
	if options and options.strict ~= nil then
		return options.strict
	end
	return skynet.getenv "websocket_strict" ~= "false"
end

--- Makes a connection of a socket. Does not yield; raises.
---@param id integer
---@param mode "server"|"client"
---@param protocol string
---@param hostname string?
---@param held table see http.limits
---@param address string? for the log
---@return table connection
function M.open(id, mode, protocol, hostname, held, address)
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
	connection.id, connection.mode, connection.held = id, mode, held
	connection.changes = mode == "client" -- what is sent; see `send`
	connection.deadline = deadlines.new(id)
	connection.account = budgets.of("websocket"):open(id, address)
	connections[id] = connection
	return connection
end

--- Closes the socket, once what waits is sent. Yields.
function M.finish(connection)
	local id = connection.id
	if connections[id] == connection then
		connections[id] = nil
	end
	if connection.finished then
		return
	end
	connection.finished = true
	if connection.deflate then
		connection.deflate:close()
	end
	local deadline = connection.deadline
	deadline.on_expired = nil
	deadline:set(SEND_TIME, true)
	socket.close(id)
	deadline:clear()
	connection.account:close()
	if connection.close then
		connection.close()
	end
end

--- Messages may be compressed from now on. Does not yield.
---@param session table? see http.websocket.deflate
function M.compress(connection, session)
	if session then
		connection.deflate, connection.changes = session, true
	end
end

--- Sends a frame. Does not yield.
---@param kind string
---@param payload string
---@param key integer?
function M.send(connection, kind, payload, key)
	if connection.changes then
		local session, name = connection.deflate, frame.compressed_kinds[kind]
		if session and name then
			local small = session:compress(payload)
			if small then
				kind, payload = name, small
			end
		end
		if not key and connection.mode == "client" then
			key = math.random(0, 0xffffffff) -- §5.3: a server has to refuse frames without one
		end
	end
	local bytes = encode(kind, payload, key)
	connection.account:wrote(#bytes)
	if connection.backlog then
		connection.backlog:wrote(#bytes)
	end
	connection.write(bytes)
end

local send = M.send

--- Answers a ping. Pongs for a peer that does not read are left out (§5.5.3 asks for the last ping only). Does not yield.
function M.answer_ping(connection, payload)
	if connection.backlog.kilobytes < PONG_BACKLOG then
		send(connection, "pong", payload)
	end
end

--- Answers the frame that closes with the same code (§5.5.1). The peer may be gone. Does not yield.
function M.answer_close(connection, payload)
	pcall(send, connection, "close", string.sub(payload, 1, 2))
end

--- Reads up to the peer's frame that closes. Yields.
function M.await_close(connection)
	local reader = connection.reader
	connection.deadline:set(connection.held.close_time)
	repeat
		local ok, kind = pcall(reader.next, reader)
	until not ok or kind == "close"
end

-- Takes what is on its way: with unread input, the socket's end would reach the peer before the reason does. Yields.
local function linger(connection)
	local id, deadline = connection.id, connection.deadline
	deadline.on_expired = nil
	deadline:set(connection.held.close_time)
	local read = 0
	repeat
		skynet.sleep(LINGER_PAUSE)
		local there = not socket.invalid(id) and socket.pending(id) or 0
		local ok = there > 0 and pcall(connection.read, nil)
		read = read + there
	until not ok or read > LINGER_BYTES
end

--- Tells a peer why it is left, and takes what is on its way. Yields.
---@param code integer
---@param reason string?
function M.fail(connection, code, reason)
	pcall(send, connection, "close", frame.encode_close(code, reason))
	linger(connection)
end

--- The task that read from a connection was killed: another one may, or it is closed. Does not yield.
function M.unread(connection)
	connection.reading = false
	if connection.closing then
		skynet.fork(M.finish, connection)
	end
end

--- The task that served a connection was killed: the peer is told, and so is the service. Does not yield.
function M.abandon(connection)
	local closing = connection.closing
	if not closing and connection.reader then
		pcall(send, connection, "close", frame.encode_close(1011))
	end
	skynet.fork(function()
		if not closing and connection.reader then
			linger(connection)
		end
		M.finish(connection)
	end)
	if connection.tell then
		skynet.fork(connection.tell, "error", "the task that served the connection was killed")
	end
end

return M
