--- TCP, UDP and stdin for a service. Functions that yield park only the task that calls them.
---
---     local socket = require "skynet.socket"
---     local listener = socket.listen("0.0.0.0", 8888)
---     socket.start(listener, function(id, from)
---         socket.start(id) -- from now on this service gets its input
---         local line = socket.readline(id)
---         socket.write(id, line .. "\n")
---         socket.close(id)
---     end)
---
--- A socket is an integer id of the node, not a file descriptor. One task at a time reads from it; a
--- second one raises. Input that is not read is kept; above 128 KiB the socket is paused meanwhile.
--- Whether the peer has closed or not: who opened or started a socket has to `close` it.

local core = require "skynet.core"
local driver = require "skynet.socketdriver"
local skynet = require "skynet"
local events = require "skynet.socket.events"
local check_yieldable = require "skynet.internal.kernel".check_yieldable

local pop, take_all, take_line = driver.pop, driver.readall, driver.readline
local socket_pool, on_close = events.pool, events.on_close
local park, finish, pause = events.park, events.finish, events.pause
local await_opening, open_new, await_end = events.await_opening, events.open_new, events.await_end
local OPENING <const>, OPEN <const>, ENDED <const> = events.OPENING, events.OPEN, events.ENDED

---@class skynet.socket
local M = {}

---------------------------------------------------------------- opening

local function new_stream(id)
	return {
		id = id,
		kind = "TCP",
		state = OPENING,
		input = driver.buffer(),
		blocks = {},
		empty = true,
	}
end

--- Connects to a TCP server. Yields.
---@param host string name, address, or "host:port"
---@param port integer?
---@param timeout integer? 1/100 s; without it the node's TCP decides when to give up
---@return integer? id, string? problem nil and the reason when it fails
function M.open(host, port, timeout)
	check_yieldable()
	local s = new_stream(driver.connect(host, port))
	if timeout then
		skynet.timeout(timeout, function()
			if s.state == OPENING then
				s.failure = "connect timeout"
				driver.shutdown(s.id)
				finish(s)
			end
		end)
	end
	return open_new(s)
end

--- Adopts a file descriptor of the process. Yields.
---@param fd integer
---@return integer? id, string? problem
function M.bind(fd)
	check_yieldable()
	return open_new(new_stream(driver.bind(fd)))
end

--- The standard input of the node as a socket. Yields.
---@return integer? id, string? problem
function M.stdin()
	return M.bind(0)
end

--- Binds a TCP port. Connections are accepted from `start` on. Yields.
---@param host string address, or "host:port"
---@param port integer? 0: any free one
---@param backlog integer?
---@return integer id, string address, integer port the bound ones. Raises when it cannot be bound
function M.listen(host, port, backlog)
	check_yieldable()
	local ok, id = pcall(driver.listen, host, port, backlog)
	if not ok then
		error(id, 2) -- where the port stands
	end
	local s = { id = id, kind = "listen", state = OPENING }
	open_new(s)
	return id, s.address, s.port
end

--- Makes this service the owner of a socket that `listen` has bound, that a listener has accepted, or
--- that another service has abandoned, and starts its events. Yields.
---@param id integer
---@param accept? fun(id: integer, address: string) for listeners, called in a task of its own
---@return integer? id, string? problem
function M.start(id, accept)
	check_yieldable()
	driver.start(id)
	if accept then
		return await_opening { id = id, kind = "listen", state = OPENING, callback = accept }
	end
	return await_opening(new_stream(id))
end

--- Calls a function each time that a connection cannot be accepted, as with too many open files. It goes on listening.
--- Without such a function, the older half of the listener's connections on which neither side has ever sent a byte, and that
--- are there for two seconds, are closed then. Does not yield.
---@param id integer of a listener that was started here
---@param callback fun(problem: string)
function M.accept_error(id, callback)
	assert(socket_pool[id], "socket is not open in this service").on_accept_error = callback
end

---------------------------------------------------------------- closing

--- Stops the input until the next read that has to wait. Yields.
---@param id integer
function M.pause(id)
	check_yieldable()
	local s = socket_pool[id]
	if s then
		pause(s)
	end
end

--- `pause` for who reads much and is slow: what comes meanwhile stays with the sender, and no line in the log. Does not
--- yield.
---@param id integer
function M.hold(id)
	local s = socket_pool[id]
	if s and s.state == OPEN and s.paused == nil then
		s.paused = events.HELD
		driver.pause(id)
	end
end

--- Ends the connection at once, both ways; output that is still queued is lost. `close` has to follow.
--- Does not yield.
---@param id integer
function M.shutdown(id)
	if socket_pool[id] then
		driver.shutdown(id)
	end
end

--- Closes a socket that this service has not started, as one just accepted. Does not yield.
---@param id integer
function M.close_fd(id)
	assert(socket_pool[id] == nil, "Use socket.close instead")
	driver.close(id)
end

--- Closes a socket once its output is sent; a task that reads gets what there is. Unknown ids are ignored. Any number of tasks
--- may close one socket: each waits until it is gone. Yields; where that cannot be, as in a finalizer, it does not wait.
---@param id integer
function M.close(id)
	local s = socket_pool[id]
	if s == nil then
		return
	end
	driver.close(id)
	if s.state == OPEN then
		s.paused = false
		if coroutine.isyieldable() then
			await_end(s)
		elseif s.closing then
			return -- who waits for its end takes the record away
		else
			finish(s)
		end
	elseif s.state == OPENING then
		s.failure = "closed"
		finish(s)
	end
	if socket_pool[id] == s then
		socket_pool[id] = nil
	end
end

--- Gives a socket up so that another service can `start` it. Does not yield.
---@param id integer
function M.abandon(id)
	local s = socket_pool[id]
	if s then
		on_close[id] = nil
		socket_pool[id] = nil
		finish(s)
	end
end

---------------------------------------------------------------- reading

local function not_open(id)
	error(string.format("socket %s is not open in this service", id), 3)
end

local function stream(id)
	return socket_pool[id] or error(string.format("socket %s is not open in this service", id), 3)
end

-- The end of the input, and the error that it ended with, if there was one.
local function ended(s, bytes)
	if s.failure then
		return false, bytes, s.failure
	end
	return false, bytes
end

local function rest(s)
	return ended(s, take_all(s.input, s.blocks))
end

local function read_some(s)
	local bytes = s.empty and "" or take_all(s.input, s.blocks)
	if bytes == "" and s.state == OPEN and not s.closing then
		s.wants = 0
		park(s)
		s.wants = nil
		bytes = take_all(s.input, s.blocks)
	end
	s.empty = true
	if bytes == "" then
		return ended(s, bytes)
	end
	return bytes
end

--- Reads from a TCP socket. Yields when the input is not there yet.
---@param id integer
---@param size integer? number of bytes; nil: as much as there is, at least one
---@return string|false bytes, string? rest false and what has arrived, when the end came before
---@return string? problem the error of the connection, such as a reset; nothing when the peer has closed
function M.read(id, size)
	local s = socket_pool[id] or not_open(id)
	if size == nil then
		return read_some(s)
	elseif size == 0 then
		return ""
	end
	local bytes = pop(s.input, s.blocks, size)
	if bytes then
		return bytes
	end
	if s.closing or s.state ~= OPEN then
		return rest(s)
	end
	s.wants = size
	park(s)
	s.wants = nil
	bytes = pop(s.input, s.blocks, size)
	if bytes then
		return bytes
	end
	return rest(s)
end

--- Reads all input until the peer closes. Yields.
---@param id integer
---@return string|false false when the connection had ended before and left nothing
function M.readall(id)
	local s = stream(id)
	if s.state == OPEN then
		s.wants = true
		park(s)
		s.wants = nil
		return take_all(s.input, s.blocks)
	end
	local bytes = take_all(s.input, s.blocks)
	return bytes ~= "" and bytes
end

-- A line that is there. Returns nil when it is not, and true behind that when it is longer than it may be.
local function line_within(s, separator, most)
	local line = take_line(s.input, s.blocks, separator)
	if not most then
		return line
	elseif line then
		return #line <= most and line or nil, #line > most
	end
	local _, size = pop(s.input, s.blocks, 0)
	return nil, size > most
end

--- Reads up to a separator, which is taken but not returned. Yields when it is not there yet.
---@param id integer
---@param separator string? default "\n"
---@param most integer? bytes of a line; of what a stranger sends nothing is believed without it
---@return string|false line, string? rest false and what has arrived, when the end came before; false and nil when the line
--- is longer than `most`: then the connection is to be closed
function M.readline(id, separator, most)
	separator = separator or "\n"
	local s = stream(id)
	local line, long = line_within(s, separator, most)
	if line then
		return line
	elseif long then
		return false
	end
	if s.closing or s.state ~= OPEN then
		return rest(s)
	end
	s.wants, s.most = separator, most
	park(s)
	s.wants, s.most = nil, nil
	line, long = line_within(s, separator, most)
	if line then
		return line
	elseif long then
		return false
	end
	return rest(s)
end

--- Waits until there is new input. Yields.
---@param id integer
---@return boolean false when the connection has ended
function M.block(id)
	local s = socket_pool[id]
	if not s or s.state ~= OPEN then
		return false
	end
	s.wants = 0
	park(s)
	s.wants = nil
	return s.state == OPEN
end

---------------------------------------------------------------- writing

--- write(id, data [, size]) -> boolean: queues a string, a list of strings, or a pointer and its size
--- (consumed). False when the socket is not open. Does not yield.
---@type fun(id: integer, data: string|string[]|lightuserdata, size: integer?): boolean
M.write = driver.send
--- lwrite(id, data [, size]) -> boolean: the same behind everything that `write` has queued.
---@type fun(id: integer, data: string|string[]|lightuserdata, size: integer?): boolean
M.lwrite = driver.lsend
--- header(bytes) -> integer: 1 to 4 bytes as an unsigned number, most significant first.
---@type fun(bytes: string): integer
M.header = driver.header

--- Sets what happens when output piles up: at 1 MiB, at each doubling, and when it is gone (0).
---@param id integer
---@param callback? fun(id: integer, kilobytes: integer) nil: a line in the log
function M.warning(id, callback)
	stream(id).warn = callback
end

--- Limits the output that may wait in a socket. A write that would exceed the limit closes the socket with an error; a
--- datagram is dropped. Connections that a listener accepts later have its limit. Any service may set it.
---@param id integer
---@param bytes integer? 0: no limit; nil: that of the config key `socket_write_limit`
---@return boolean false when there is no such socket
function M.write_limit(id, bytes)
	local fits = bytes == nil or math.type(bytes) == "integer" and bytes >= 0
	assert(fits and math.type(id) == "integer", "write_limit(id [, bytes])")
	return core.command("WRITELIMIT", bytes and id .. " " .. bytes or tostring(id)) ~= nil
end

--- TCP keep-alive of one socket, or of those that a listener accepts later; otherwise `tcp_keepalive` of the config counts.
---@param id integer
---@param times string|integer as there: "60 10 3" asks after 60 seconds of silence, three times, ten seconds apart; "60 10 3 90": bytes are acknowledged in 90 seconds; "off"
---@return boolean false when there is no such socket
function M.keepalive(id, times)
	return core.command("KEEPALIVE", string.format("%d %s", id, times)) ~= nil
end

--- Closes the socket when more input than this piles up while no task reads a given number of bytes.
---@param id integer
---@param bytes integer? nil: no limit
function M.limit(id, bytes)
	stream(id).limit = bytes
end

--- Calls a function once when the connection ends. `abandon` forgets it.
---@param id integer
---@param callback? fun(id: integer)
function M.onclose(id, callback)
	on_close[id] = callback
end

--- Whether this service has no such socket.
---@param id integer
---@return boolean
function M.invalid(id)
	return socket_pool[id] == nil
end

--- Whether the connection has ended and the socket waits for `close`.
---@param id integer
---@return boolean? nil when this service has no such socket
function M.disconnected(id)
	local s = socket_pool[id]
	if s then
		return s.state == ENDED
	end
end

--- The number of bytes that have arrived and were not read. Does not yield.
---@param id integer TCP
---@return integer
function M.pending(id)
	local _, size = pop(stream(id).input, stream(id).blocks, 0)
	return size
end

---------------------------------------------------------------- UDP

local function new_datagrams(id, callback)
	assert(not socket_pool[id], "socket is not closed")
	socket_pool[id] = { id = id, kind = "UDP", state = OPEN, callback = callback }
	return id
end

--- A UDP socket. Does not yield.
---@param callback fun(data: string, from: string) `from` is for `sendto` and `udp_address`
---@param host string? with port: where to receive
---@param port integer?
---@return integer id
function M.udp(callback, host, port)
	return new_datagrams(driver.udp(host, port), callback)
end

--- Sets where `write` sends the datagrams of a UDP socket. Does not yield.
---@param id integer one of `udp`, or of another service with a callback for this one
---@param host string
---@param port integer
---@param callback? fun(data: string, from: string)
function M.udp_connect(id, host, port, callback)
	local s = socket_pool[id]
	if s == nil then
		new_datagrams(id, callback)
	else
		assert(s.kind == "UDP", "not a UDP socket")
		s.callback = callback or s.callback
	end
	driver.udp_connect(id, host, port)
end

--- A UDP socket that receives at an address. Does not yield.
---@param host string
---@param port integer
---@param callback fun(data: string, from: string)
---@return integer id. Raises when it cannot be bound
function M.udp_listen(host, port, callback)
	return new_datagrams(driver.udp_listen(host, port), callback)
end

--- A UDP socket for one peer: `write` sends to it. Does not yield.
---@param host string
---@param port integer
---@param callback fun(data: string, from: string)
---@return integer id
function M.udp_dial(host, port, callback)
	return new_datagrams(driver.udp_dial(host, port), callback)
end

--- sendto(id, address, data [, size]) -> boolean: sends a datagram to an address that a callback got.
---@type fun(id: integer, address: string, data: string|string[]|lightuserdata, size: integer?): boolean
M.sendto = driver.udp_send
--- udp_address(address) -> string host, integer port
---@type fun(address: string): string, integer
M.udp_address = driver.udp_address
--- netstat() -> list of a table for each socket of the node
---@type fun(): table[]
M.netstat = driver.info
--- resolve(name) -> list of addresses, by the C library. Blocks the worker thread: prefer skynet.dns.
---@type fun(name: string): string[]
M.resolve = driver.resolve

return M
