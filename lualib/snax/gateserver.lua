--- A service that accepts connections and gets packets of 2 bytes of size (big-endian) and content.
---
---     gateserver.start {
---         connect = function(fd, address) ... gateserver.openclient(fd) end,
---         message = function(fd, msg, sz) ... end,   -- owns msg: skynet.redirect or skynet.trash it
---         disconnect = function(fd) end, error = function(fd, text) end,
---         warning = function(fd, kilobytes) end,     -- a client that reads too slowly
---         open = function(source, conf) end,         -- listening has begun; answers the `open`
---         command = function(name, source, ...) end, -- any other "lua" message
---         is_behind = function(fd, count) end,       -- optional, asked after count packets of a connection: whether who
---                                                    -- gets them cannot keep up, so that no more are read for a while;
---                                                    -- after a false, how many are to come before it is asked again (64)
---         embed = true,                              -- inside of a service that has its own start
---     }
---
--- The service listens when it gets the "lua" message ("open", conf), with the fields address
--- ("0.0.0.0"), port (0: any), maxclient (1024; connections stay below it), nodelay, backlog; conf's
--- address and port are then those it really has. ("close") ends listening.
---
--- Limits, as fields of conf or as config keys with `gate_` in front: handshake (seconds until a client has to send
--- something; by default one is closed after 300 to which nothing was sent either; 0: no limit), idle (seconds without
--- input; no limit), peraddress (connections of one address; no limit). A full gate closes the connection that has been
--- silent for longest, if that is 2 seconds at least, or turns the new one away. unread: bytes that all clients together may
--- leave unread ("512m"; 0: no limit), half of them those of one address; beyond that those are closed that do not read.

local skynet = require "skynet"
local netpack = require "skynet.netpack"
local socketdriver = require "skynet.socketdriver"
local admission = require "skynet.internal.admission"
local defer = require "skynet.internal.defer"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local turns = require "skynet.internal.turns"
local unreads = require "skynet.internal.unread"
local gatecommands = require "skynet.internal.gatecommands"

local HANDSHAKE <const>, GRACE <const> = 300, 2 -- seconds
local UNREAD <const>, PACE <const> = "512m", 500 -- bytes; those that a client takes in a second when it reads

---@class snax.gateserver
local gateserver = {}

local queue -- of netpack: packets that came at once, and halves of packets
local listener -- socket
local listening -- { task, address, port } while `open` waits for the socket server
local limiter -- of connections
local unread -- what clients have not read
local line -- of packets that wait for their turn
local nodelay

-- fd -> OPEN; CLOSING: by the gate, the socket server has not said so yet; HALF: by the client, and the gate has
-- not called `closeclient` yet
local OPEN <const>, CLOSING <const>, HALF <const> = 1, 2, 3
local connections = {}

--- Lets the packets of a new connection come in. One that is held up is read again when it has its turn. Does not yield.
---@param fd integer
function gateserver.openclient(fd)
	if connections[fd] == OPEN and not (line and line.is_paused(fd)) then
		socketdriver.start(fd)
	end
end

--- Closes a connection, after what is written has been sent; `disconnect` is called then, unless it
--- has been already. Does not yield.
---@param fd integer
function gateserver.closeclient(fd)
	local state = connections[fd]
	if state == OPEN then
		connections[fd] = CLOSING
		socketdriver.close(fd)
	elseif state == HALF then
		connections[fd] = nil
		socketdriver.close(fd)
	end
end

local function seconds(conf, name, default)
	local value = conf[name] or tonumber(skynet.getenv("gate_" .. name)) or default
	return value and value > 0 and value or nil
end

-- The sockets know when something came or went: so packets are not looked at for that.
local function signs(strict)
	local times = {}
	for _, info in ipairs(socketdriver.info()) do
		if connections[info.id] and ((info.read or 0) > 0 or not strict and (info.write or 0) > 0) then
			times[info.id] = info.rtime or 0
		end
	end
	return times
end

local function new_limiter(conf)
	local strict = seconds(conf, "handshake")
	return admission.new {
		name = "gate",
		most = (conf.maxclient or 1024) - 1,
		most_address = seconds(conf, "peraddress"),
		handshake = seconds(conf, "handshake", HANDSHAKE),
		grace = GRACE,
		idle = seconds(conf, "idle"),
		signs = function()
			return signs(strict)
		end,
		close = gateserver.closeclient,
	}
end

local UNITS <const> = { k = 1 << 10, m = 1 << 20, g = 1 << 30 }

local function bytes(text)
	local number, unit = string.match(string.lower(text), "^%s*([%d.]+)%s*([kmg]?)b?%s*$")
	return number and (tonumber(number) or 0) * (UNITS[unit] or 1) or nil
end

local function new_unread(conf)
	local most = conf.unread and bytes(tostring(conf.unread))
		or bytes(skynet.getenv "gate_unread" or UNREAD)
		or bytes(UNREAD)
	return unreads.new {
		pace = PACE,
		most = function()
			return most
		end,
		close = function(fd, why)
			limiter:report(limiter:from(fd), "is closed: " .. why .. " (config key gate_unread)")
			socketdriver.shutdown(fd) -- nothing of it is sent any more; the end is told as ever
		end,
	}
end

-- The task of an `open` was killed: another one may open the gate.
local function stop_opening(id)
	socketdriver.close(id)
	listener, listening = nil, nil
end

local function open_listener(conf)
	assert(not listener, "the gate listens already")
	local address, port = conf.address or "0.0.0.0", conf.port
	limiter, unread = new_limiter(conf), new_unread(conf)
	nodelay = conf.nodelay
	skynet.error("Listen on", address, port)
	listener = socketdriver.listen(address, port, conf.backlog)
	listening = { task = coroutine.running() }
	local guard <close> = defer(stop_opening, listener)
	skynet.wait(listening.task)
	guard.dismissed = true
	conf.address, conf.port = listening.address, listening.port
	local problem = listening.problem
	listening = nil
	if problem then
		listener = nil
		error(problem, 0)
	end
	socketdriver.start(listener)
end

-- The task that was to let a connection in was killed: nobody else would do that. What raises leaves it as it is.
local Connecting = {
	__close = function(connecting, problem)
		if not connecting.over and problem == nil then
			gateserver.closeclient(connecting.fd)
		end
	end,
}

local limit_drops = ratelimit(1, 100)

-- What has come of a connection that the gate has closed.
local function drop(fd, msg, sz)
	local text = netpack.tostring(msg, sz) -- frees it
	local more = limit_drops()
	if more then
		skynet.error(string.format("Drop message from fd (%d) : %s%s", fd, printable(text), more))
	end
end

-- Packets are given in turns.
local function new_line(handler)
	return turns.new {
		message = function(fd, msg, sz)
			if connections[fd] == OPEN then
				handler.message(fd, msg, sz)
			else
				drop(fd, msg, sz)
			end
		end,
		is_behind = handler.is_behind,
		is_closing = function(fd)
			return connections[fd] ~= OPEN
		end,
	}
end

local function listener_failed(text)
	if listening then
		listening.problem = text
		skynet.wakeup(listening.task)
	else
		skynet.error("gateserver accept error:", text)
		limiter:starved()
	end
end

local function leave(fd)
	limiter:leave(fd)
	unread.forget(fd)
end

local function watch_unread(fd, kilobytes)
	local host = kilobytes > 0 and limiter:host(fd)
	if host then
		unread.note(fd, host)
	end
end

-- What netpack.filter makes of the socket messages.
local function socket_events(handler)
	local on = { data = line.packet }

	-- Several packets. When the handler of one waits, another task goes on with the next.
	function on.more()
		local fd, msg, sz = netpack.pop(queue)
		if not fd then
			return
		end
		skynet.fork(on.more)
		repeat
			on.data(fd, msg, sz)
			fd, msg, sz = netpack.pop(queue)
		until not fd
	end

	function on.open(fd, address)
		if not limiter:enter(fd, address) then
			socketdriver.shutdown(fd)
			return
		end
		connections[fd] = OPEN
		if nodelay then
			socketdriver.nodelay(fd)
		end
		local connecting <close> = setmetatable({ fd = fd }, Connecting)
		handler.connect(fd, address)
		connecting.over = true
	end

	function on.close(fd)
		if fd == listener then
			listener = nil
		elseif connections[fd] then
			if connections[fd] == CLOSING then
				line.discard(fd)
			end
			line.ending(fd, function()
				connections[fd] = connections[fd] == OPEN and HALF or nil
				leave(fd)
				if handler.disconnect then
					handler.disconnect(fd)
				end
			end)
		end
	end

	function on.error(fd, text)
		if fd == listener then
			return listener_failed(text)
		end
		socketdriver.shutdown(fd)
		line.ending(fd, function()
			if connections[fd] then
				leave(fd)
			end
			connections[fd] = nil
			if handler.error then
				handler.error(fd, text)
			end
		end)
	end

	function on.warning(fd, kilobytes)
		watch_unread(fd, kilobytes)
		if handler.warning then
			handler.warning(fd, kilobytes)
		end
	end

	-- The answer to socketdriver.listen; later ones say that a socket was started.
	function on.init(fd, address, port)
		if listening and fd == listener and not listening.address then
			listening.address, listening.port = address, port
			skynet.wakeup(listening.task)
		end
	end

	return on
end

-- Takes in what a socket brings; what is no whole packet waits in the queue.
local function packets_of(message, size)
	return netpack.filter(queue, message, size)
end

--- Makes this service a gate. Once only.
---@param handler table see above; `connect` and `message` are needed
function gateserver.start(handler)
	assert(handler.message, "a gate needs handler.message")
	assert(handler.connect, "a gate needs handler.connect")

	line = new_line(handler)
	local on = socket_events(handler)
	skynet.register_protocol {
		id = skynet.PTYPE_SOCKET,
		name = "socket",
		unpack = packets_of,
		dispatch = function(_, _, packets, event, ...)
			queue = packets
			if event then
				line.arrive()
				on[event](...)
			end
		end,
	}

	-- The first two hold memory that is freed nowhere else; clients of a gate that was killed learn of it at once.
	local command = setmetatable({}, {
		__gc = function()
			netpack.clear(queue)
			line.discard()
			for fd in pairs(connections) do
				socketdriver.close(fd)
			end
			if listener then
				socketdriver.close(listener)
			end
		end,
	})

	function command.open(source, conf)
		open_listener(conf)
		if handler.open then
			return handler.open(source, conf)
		end
	end

	function command.close()
		assert(listener, "the gate does not listen")
		socketdriver.close(listener)
	end

	gatecommands(command, handler)
end

return gateserver
