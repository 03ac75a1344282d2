--- A gate for WebSockets, with the interface of `snax.gateserver`: a gate that exists becomes one by another `require`.
---
---     wsgateserver.start {
---         connect = function(fd, address, header, url) ... wsgateserver.openclient(fd) end, -- the handshake is done
---         message = function(fd, msg, sz, kind) ... end, -- owns msg: skynet.redirect or skynet.trash it; "text" or "binary"
---         disconnect = function(fd) end, error = function(fd, text) end,
---         warning = function(fd, kilobytes) end,     -- a client that reads too slowly
---         open = function(source, conf) end,         -- listening has begun; answers the `open`
---         command = function(name, source, ...) end, -- any other "lua" message
---         is_behind = function(fd, count) end,       -- as there
---         embed = true,                              -- inside of a service that has its own start
---     }
---
--- What is sent to a client has to be a frame: `socket.write(fd, wsgateserver.pack(data))`, from any service, in place of
--- the two bytes of size that a gate of packets has.
---
--- The service listens when it gets the "lua" message ("open", conf), with the fields of conf that `snax.gateserver` has, but
--- for idle: address, port, maxclient, nodelay, backlog, handshake, peraddress. options: those of `websocket.accept`, such as
--- `message`, `idle_time`, `protocols`. protocol: "ws", or "wss", whose certificate is that of the service
--- ([tls](tls.md)); then only this service can send, by `wsgateserver.send`. ("close") ends listening.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local frame = require "http.websocket.frame"
local limitedlog = require "skynet.internal.limitedlog"
local websocket = require "http.websocket"
local gatecommands = require "skynet.internal.gatecommands"

local HANDSHAKE <const> = 300 -- seconds
local TURN <const> = 64 -- messages
local MOST_PAUSE <const> = 50 -- 1/1000 s

---@class snax.wsgateserver
local wsgateserver = {}

local log = limitedlog()
local listener
-- fd -> { is_open, task = what waits for `openclient`, left = messages until `is_behind` is asked }: those that `connect` knows
local connections = {}

--- Lets the messages of a new connection come in. Does not yield.
---@param fd integer
function wsgateserver.openclient(fd)
	local connection = connections[fd]
	if connection and not connection.is_open then
		connection.is_open = true
		if connection.task then
			skynet.wakeup(connection.task)
		end
	end
end

--- Closes a connection, after what is written has been sent; `disconnect` is called then, unless it has been already. May yield.
---@param fd integer
---@param code integer? tells the client why: 1000 and more (RFC 6455 §7.4)
---@param reason string?
function wsgateserver.closeclient(fd, code, reason)
	local connection = connections[fd]
	if connection then
		websocket.close(fd, code or 1000, reason)
		if connection.task then
			skynet.wakeup(connection.task)
		end
	end
end

--- The bytes of a message, for `socket.write`. Does not yield.
---@param data string
---@param kind "text"|"binary"|nil default "binary"; text has to be UTF-8
---@return string
function wsgateserver.pack(data, kind)
	return frame.encode(kind or "binary", data)
end

--- Sends a message to a connection of this gate. Does not yield.
---@param fd integer
---@param data string
---@param kind "text"|"binary"|nil default "binary"; text has to be UTF-8
---@return boolean sent false when there is no such connection
function wsgateserver.send(fd, data, kind)
	return connections[fd] ~= nil and (pcall(websocket.write, fd, data, kind or "binary"))
end

-- Waits until the service wants the messages of a connection, for some time.
local function await_open(fd, connection, seconds)
	if connection.is_open then
		return
	end
	connection.task = coroutine.running()
	local timer = seconds and skynet.timer(seconds * 100, skynet.wakeup, connection.task)
	skynet.wait(connection.task)
	connection.task = nil
	if timer then
		timer:cancel()
	end
	if not connection.is_open then
		websocket.close(fd, 1001)
	end
end

-- Who gets the messages of a connection may keep up first.
local function take_turn(handler, fd, connection)
	connection.left = connection.left - 1
	if connection.left > 0 then
		return
	end
	local behind, count = handler.is_behind(fd, TURN)
	local pause = 1
	while behind and connections[fd] == connection do
		skynet.sleep_ms(pause)
		pause = math.min(2 * pause, MOST_PAUSE)
		behind, count = handler.is_behind(fd, 0)
	end
	connection.left = count or TURN
end

-- What happens to one connection, as `websocket.accept` tells it.
local function events(handler, address, seconds)
	local on = {}

	function on.handshake(fd, header, url)
		local connection = { left = TURN }
		connections[fd] = connection
		handler.connect(fd, address, header, url)
		await_open(fd, connection, seconds)
	end

	function on.message(fd, payload, kind)
		local connection = connections[fd]
		if not connection then
			return
		end
		local msg, sz = driver.str2p(payload)
		handler.message(fd, msg, sz, kind)
		if handler.is_behind then
			take_turn(handler, fd, connection)
		end
	end

	function on.close(fd)
		local connection = connections[fd]
		if connection then
			connections[fd] = nil
			if handler.disconnect then
				handler.disconnect(fd)
			end
		end
	end

	function on.error(fd, text)
		local connection = connections[fd]
		if connection then
			connections[fd] = nil
			if handler.error then
				handler.error(fd, tostring(text))
			end
		end
	end

	if handler.warning then
		function on.warning(connection, kilobytes)
			handler.warning(connection.id, kilobytes)
		end
	end
	return on
end

local function configured(conf, name, default)
	local value = conf[name] or tonumber(skynet.getenv("gate_" .. name)) or default
	return value and value > 0 and value or nil
end

local function open_listener(handler, conf)
	assert(not listener, "the gate listens already")
	local protocol = conf.protocol or "ws"
	assert(protocol == "ws" or protocol == "wss", 'protocol has to be "ws" or "wss"')
	local options = setmetatable({}, { __index = conf.options })
	options.connections = (conf.maxclient or 1024) - 1
	options.per_address = configured(conf, "peraddress")
	local seconds = configured(conf, "handshake", HANDSHAKE)
	local address, port = conf.address or "0.0.0.0", conf.port
	skynet.error("Listen on", address, port)
	listener, conf.address, conf.port = socket.listen(address, port, conf.backlog)
	socket.start(listener, function(fd, from)
		if conf.nodelay then
			driver.nodelay(fd)
		end
		local ok, problem = websocket.accept(fd, events(handler, from, seconds), protocol, from, options)
		local connection = connections[fd]
		if connection then -- the handler has failed
			connections[fd] = nil
			if handler.disconnect then
				handler.disconnect(fd)
			end
		end
		-- What clients do wrong has its line already.
		if not ok and string.find(tostring(problem), "stack traceback", 1, true) then
			log("gate of websockets:", problem)
		end
	end)
end

--- Makes this service a gate. Once only.
---@param handler table see above; `connect` and `message` are needed
function wsgateserver.start(handler)
	assert(handler.message, "a gate needs handler.message")
	assert(handler.connect, "a gate needs handler.connect")
	local command = {}

	function command.open(source, conf)
		open_listener(handler, conf)
		if handler.open then
			return handler.open(source, conf)
		end
	end

	function command.close()
		assert(listener, "the gate does not listen")
		socket.close(listener)
		listener = nil
	end

	gatecommands(command, handler)
end

return wsgateserver
