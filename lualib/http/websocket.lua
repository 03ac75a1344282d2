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
local backlogs = require "http.backlog"
local clients = require "http.clients"
local httpd = require "http.httpd"
local limits = require "http.limits"
local sockethelper = require "http.sockethelper"
local sources = require "http.source"
local common = require "http.websocket.connection"
local deflate = require "http.websocket.deflate"
local frame = require "http.websocket.frame"
local handshake = require "http.websocket.handshake"
local inflate = require "http.websocket.inflate"
local messages = require "http.websocket.message"
local optionlists = require "http.websocket.options"
local defer = require "skynet.internal.defer"

---@class http.websocket
local M = {}

local socket_error = sockethelper.socket_error
local connections, is_strict = common.connections, common.is_strict
local open, finish, fail, send = common.open, common.finish, common.fail, common.send
local answer_ping, answer_close, await_close = common.answer_ping, common.answer_close, common.await_close

-- A client is not listened to while so much waits to be sent to it, in KiB; and so long at most, 1/100 s.
local MOST_BACKLOG <const>, BACKLOG_TIME <const> = 16 * 1024, 6000

-- Bytes a second that the rest of a frame may be as slow as.
local SLOWEST <const> = 500

local accepted = clients.new "websocket"

local function lookup(id)
	return connections[id] or error(string.format("websocket %s is closed", id), 3)
end

-- Messages begin. `session`: see http.websocket.deflate.
local function start_reading(connection, source, limit, strict, session)
	local masked = connection.mode == "server"
	source.account = connection.account
	common.compress(connection, session)
	connection.reader = session and inflate.new(source, masked, limit, strict, session)
		or messages.new(source, masked, limit, strict)
end

---------------------------------------------------------------- server

-- A frame that has begun has to come as a whole, and the next of its message to begin.
local function watch_unfinished(connection, source)
	local held, deadline = connection.held, connection.deadline
	local time, idle_time = held.message_time, held.idle_time
	if time == 0 or idle_time ~= 0 and idle_time <= time then
		return
	end
	function source.unfinished(bytes)
		if not connection.closing then
			connection.unfinished = true
			deadline:set(time + bytes * 100 // SLOWEST)
		end
	end
end

-- The side of a connection that says nothing is asked once whether it is still there.
local function watch_idle(connection)
	local time = connection.held.idle_time
	local deadline = connection.deadline
	connection.idle_time = time
	function deadline.on_expired()
		if connection.unfinished then
			local limit = connection.held.message_time / 100
			local problem = string.format("is closed: half a message, and not the rest of it in %g s", limit)
			clients.complain("websocket", connection.id, connection.addr, problem)
			socket.shutdown(connection.id)
		elseif connection.asked or connection.closing or not pcall(send, connection, "ping", "") then
			socket.shutdown(connection.id)
		else
			connection.asked = true
			deadline:set(time)
		end
	end
end

local function next_frame(connection)
	if not connection.closing then
		connection.backlog:wait(MOST_BACKLOG, connection.deadline, BACKLOG_TIME)
		connection.unfinished = false
		connection.deadline:set(connection.idle_time)
	end
	local kind, payload = connection.reader:next()
	connection.asked = false
	return kind, payload
end

local function converse(connection, handler)
	local id, tell = connection.id, connection.tell
	local on_message = handler and handler.message
	while true do
		if connection.closing then
			tell "close"
		end
		local kind, payload = next_frame(connection)
		if connection.closing then
			if kind == "close" then
				return
			end
		elseif kind == "close" then
			answer_close(connection, payload)
			tell("close", frame.decode_close(payload))
			return
		elseif kind == "ping" then
			answer_ping(connection, payload)
			tell "ping"
		elseif kind == "pong" then
			tell "pong"
		elseif kind and on_message then
			on_message(id, payload, kind)
		end
	end
end

local function serve(connection, client, handler, options, settings)
	local tell, held, deadline = connection.tell, connection.held, connection.deadline
	tell "connect"
	local upgrade = options and options.upgrade
	local source = sources.new(connection.read, upgrade and upgrade.unread)
	local request, code, text, header =
		handshake.answer(connection, source, held, upgrade, options and options.protocols, settings)
	deadline:clear()
	if not request then
		assert(httpd.write_response(connection.write, code, text, header))
		tell "close"
		return
	end
	accepted:heard(client)
	connection.real_ip = request.header["x-real-ip"] -- set by proxies
	connection.protocol = request.protocol
	start_reading(connection, source, held.message, is_strict(options), request.deflate)
	tell("handshake", request.header, request.url)
	watch_idle(connection)
	watch_unfinished(connection, source)
	converse(connection, handler)
end

-- A function that calls the handler's function for an event; that of the end once.
local function teller(id, handler)
	local ended = false
	return function(event, ...)
		if event == "close" or event == "error" then
			if ended then
				return
			end
			ended = true
		end
		local func = handler and handler[event]
		if func then
			func(id, ...)
		end
	end
end

-- What has ended `serve`: tells the peer and the service. Returns what `accept` does.
local function conclude(connection, problem)
	local tell = connection.tell
	if problem == socket_error then
		local closed_here = connection.closing or connections[connection.id] ~= connection
		tell(closed_here and "close" or "error", not closed_here and problem or nil)
		return true
	elseif frame.is_violation(problem) then
		clients.complain("websocket", connection.id, connection.addr, problem.text)
		local told, trouble = xpcall(tell, debug.traceback, "error", problem.text)
		fail(connection, problem.code, problem.text)
		return false, told and problem.text or trouble
	end
	if connection.reader and not connection.closing then
		fail(connection, 1011)
	end
	return false, problem
end

-- Nobody else would close the connection of a task that is killed.
local function abandon(task)
	accepted:remove(task.client)
	if task.connection then
		common.abandon(task.connection)
	else
		socket.close(task.id)
	end
end

local function accept(task, handler, protocol, addr, options, held, settings)
	local id, client = task.id, task.client
	if not (options and options.upgrade) then
		local started, problem = socket.start(id)
		if not started then
			return false, problem
		end
	end
	local opened, connection = pcall(open, id, "server", protocol or "ws", nil, held, addr)
	if not opened then
		socket.close(id)
		return false, connection
	end
	task.connection = connection
	connection.deadline:set(held.handshake_time)
	if connection.init then
		local ok, problem = pcall(connection.init)
		if not ok then
			finish(connection)
			return false, problem
		end
	end
	connection.addr, connection.task, connection.tell = addr, coroutine.running(), teller(id, handler)
	local watched, backlog = pcall(backlogs.watch, id, handler and handler.warning and function(_, kilobytes)
		handler.warning(connection, kilobytes)
	end)
	if not watched then
		finish(connection)
		return false, "connect is closed " .. id
	end
	connection.backlog = backlog
	local ok, problem = xpcall(serve, debug.traceback, connection, client, handler, options, settings)
	if not ok then
		local concluded
		concluded, ok, problem = xpcall(conclude, debug.traceback, connection, problem)
		if not concluded then
			ok, problem = false, ok
		end
	end
	finish(connection)
	return ok, problem
end

local function pass(guard, client, called, ok, problem)
	guard.dismissed = true
	accepted:remove(client)
	if not called then
		error(ok, 0)
	elseif ok then
		return true
	end
	return ok, problem
end

--- Serves a connection that was accepted until it ends. Yields.
---
--- `handler` has functions for what happens, all optional: connect(id), handshake(id, header, target),
--- message(id, message, kind), ping(id), pong(id), close(id, code, reason), error(id, problem): the connection is lost, or the
--- client has broken the protocol; warning(connection, kilobytes): see socket.warning.
---
--- `options` may have `upgrade`: a request that a web server has read (its fields header and url or target), the socket is
--- started then; `protocols`: a list of subprotocols; `strict = false`: clients need not mask their frames, nor send UTF-8 as
--- text; `deflate`: messages may be compressed, see [http](http.md#compressed-messages); and limits: message, header, fields, handshake_time, message_time, idle_time, close_time, connections, per_address, see
--- [operations](operations.md#limits-of-listeners).
---@param id integer socket, started here
---@param handler table
---@param protocol "ws"|"wss"|nil
---@param addr string? kept for `addrinfo`
---@param options table?
---@return boolean ok, any problem
function M.accept(id, handler, protocol, addr, options)
	optionlists.of_accept(options)
	local held, settings = limits.of("websocket", options), deflate.settings(options and options.deflate)
	local client, problem = accepted:add(id, addr, held)
	if not client then
		if options and options.upgrade then
			socket.close(id)
		else
			socket.close_fd(id)
		end
		return false, problem
	end
	local task = { id = id, client = client }
	local guard <close> = defer(abandon, task)
	return pass(guard, client, pcall(accept, task, handler, protocol, addr, options, held, settings))
end

---------------------------------------------------------------- client

local function split_url(url)
	local protocol, authority, target = string.match(url, "^(%a+)://([^/?]+)(.*)$")
	if protocol ~= "ws" and protocol ~= "wss" then
		error(string.format("invalid protocol: %s", protocol), 3)
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

local function is_name(host)
	return not string.find(host, ":", 1, true) and not string.find(host, "^%d+%.%d+%.%d+%.%d+$")
end

-- TLS and the upgrade, within the time that is left. Raises.
local function shake_hands(connection, authority, target, header, settings, time)
	local waiting, late = true, false
	if time then
		skynet.timeout(math.max(time, 1), function()
			if waiting then
				late = true
				socket.shutdown(connection.id)
			end
		end)
	end
	local ok, rest, protocol, session = pcall(function()
		if connection.init then
			connection.init()
		end
		return handshake.ask(connection, authority, target, header, settings)
	end)
	waiting = false
	if not ok then
		if late then
			error(socket_error(string.format("no answer from %s within the time limit", authority)))
		end
		error(rest, 0)
	end
	return rest, protocol, session
end

--- Connects to a server. Yields.
---
--- `options` may have `received`, the most bytes of a message; `close_time`; and `strict = false`: the server may mask its
--- frames, and send what is no UTF-8 as text; `deflate`: messages may be compressed, see [http](http.md#compressed-messages).
---@param url string ws://host[:port]/path or wss://...
---@param header table<string, string>? more fields of the request
---@param timeout integer? 1/100 s, of connecting, TLS and the upgrade together
---@param options table?
---@return integer id. Raises
function M.connect(url, header, timeout, options)
	optionlists.of_connect(url, header, timeout, options)
	local protocol, host, port, authority, target = split_url(url)
	local held, start = limits.of("websocket", options), skynet.now()
	local settings = deflate.settings(options and options.deflate)
	local id = sockethelper.connect(host, port, timeout)
	local ok, connection = pcall(open, id, "client", protocol, is_name(host) and host or nil, held, authority)
	if not ok then
		socket.close(id)
		error(connection, 0)
	end
	connection.addr = authority
	local guard <close> = defer(common.abandon, connection)
	connection.backlog = backlogs.watch(id)
	local rest, chosen, session
	ok, rest, chosen, session =
		pcall(shake_hands, connection, authority, target, header, settings, timeout and timeout + start - skynet.now())
	guard.dismissed = true
	if not ok then
		finish(connection)
		error(rest, 0)
	end
	connection.protocol = chosen
	start_reading(connection, sources.new(connection.read, rest), held.received, is_strict(options), session)
	return id
end

local function receive(connection)
	while true do
		local kind, payload = connection.reader:next()
		if kind == "close" then
			if connection.closing then
				error(socket_error("websocket closed fd = " .. connection.id))
			end
			answer_close(connection, payload)
			finish(connection)
			return false, payload
		elseif kind == "ping" and not connection.closing then
			answer_ping(connection, payload)
		elseif (kind == "text" or kind == "binary") and not connection.closing then
			return payload, kind
		end
	end
end

--- Reads the next message. Yields.
---@param id integer one of `connect`
---@return string|false message, string? kind or payload: false and the payload of the closing frame (see
--- http.websocket.frame) when the server has closed. Raises when the connection is lost, or the server breaks the protocol
function M.read(id)
	local connection = lookup(id)
	connection.reading = true
	local guard <close> = defer(common.unread, connection)
	local ok, message, payload = pcall(receive, connection)
	connection.reading, guard.dismissed = false, true
	if ok then
		if message then
			return message
		end
		return false, payload
	elseif connection.closing then
		finish(connection)
	elseif frame.is_violation(message) then
		local code, text = message.code, message.text
		fail(connection, code, text)
		finish(connection)
		error(text, 0)
	end
	error(message, 0)
end

---------------------------------------------------------------- both

--- Sends a message. Does not yield.
---@param id integer
---@param data string
---@param kind "text"|"binary"|nil default "text", which has to be UTF-8
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
---@param id integer
---@return string?
function M.addrinfo(id)
	return lookup(id).addr
end

--- The client's address as a proxy has told it in X-Real-IP.
---@param id integer
---@return string?
function M.real_ip(id)
	return lookup(id).real_ip
end

--- The subprotocol that both sides have agreed to.
---@param id integer
---@return string?
function M.subprotocol(id)
	return lookup(id).protocol
end

-- The rest of a closing handshake that this side has begun, where no task reads from the connection.
local function close_alone(connection)
	await_close(connection)
	finish(connection)
end

--- Closes a connection; unknown ids are ignored. The other side is given a moment to say the same. May yield.
---@param id integer
---@param code integer? tells the peer why: 1000 and more (RFC 6455 §7.4)
---@param reason string?
function M.close(id, code, reason)
	local connection = connections[id]
	if not connection then
		return
	end
	connections[id] = nil
	local ok, problem = pcall(send, connection, "close", frame.encode_close(code, reason))
	if not ok then
		skynet.error(problem)
	end
	connection.closing = true
	if not ok or not connection.reader then
		finish(connection)
	elseif connection.mode == "client" and not connection.reading then
		skynet.fork(close_alone, connection)
	else
		connection.deadline.on_expired = nil
		connection.deadline:set(connection.held.close_time) -- for the task that reads
	end
	if connection.tell and connection.task ~= coroutine.running() then
		connection.tell "close"
	end
end

--- Whether there is no such connection.
---@param id integer
---@return boolean
function M.is_close(id)
	return not connections[id]
end

return M
