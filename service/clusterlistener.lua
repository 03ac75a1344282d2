-- Listens on one address of the node for other nodes of the cluster, and reads what they send first; clusterd has a clusteragent
-- started for each that sends what a node sends, which takes the connection over. A service for each address, so that what
-- operators see stays what they know: who owns the listening socket, and in the arguments of an agent, where its connection
-- came in.

local skynet = require "skynet"
local socket = require "skynet.socket"
local netpack = require "skynet.netpack"
local alive = require "skynet.internal.alive"
local beginning = require "skynet.internal.clusterbeginning"
local ending = require "skynet.internal.ending"
local defer = require "skynet.internal.defer"

local QUIET <const> = 10 -- 1/100 s that connections without a request have when this service ends
local LOOK <const>, LAST <const> = 2, 100 -- 1/100 s between two looks at those that are taken over then, and for all of them

local PATIENCE <const> = 1000 -- 1/100 s until it is told where to listen

local clusterd = math.tointeger((...))

local listening -- its socket
local over = false -- it ends by itself
local silent = {} -- connections that have not sent enough
local begun = {} -- those that have, until an agent takes them over: fd -> { bytes =, is_proved = }

-- False when clusterd is behind (mailbox_limit), or was killed: then there is nobody to listen for.
local function tell(event, fd, what)
	local is_told = skynet.send(clusterd, "lua", "socket", event, fd, what) ~= nil
	if not is_told and not alive(clusterd) then
		over = true
		skynet.fork(skynet.exit)
	end
	return is_told
end

local function hand_over(fd, bytes, is_proved)
	begun[fd] = { bytes = bytes, is_proved = is_proved }
	if not tell("begun", fd) then
		begun[fd] = nil
		if socket.invalid(fd) then
			socket.close_fd(fd)
		else
			socket.close(fd)
		end
		ending(clusterd, "socket", "close", fd)
	end
end

local function leave(fd)
	silent[fd] = nil
	socket.close(fd)
	ending(clusterd, "socket", "close", fd)
end

local function read_beginning(fd)
	silent[fd] = true
	local guard <close> = defer(leave, fd)
	local bytes, result
	if socket.start(fd) then
		bytes, result = beginning.read(fd)
	end
	silent[fd], guard.dismissed = nil, true
	if not bytes then
		socket.close(fd)
		return ending(clusterd, "socket", "close", fd, result)
	end
	socket.hold(fd)
	hand_over(fd, bytes, result)
end

local function on_accept(fd, from)
	if not tell("open", fd, from) then
		socket.close_fd(fd)
	elseif netpack.feed and socket.pending then
		read_beginning(fd)
	else
		hand_over(fd, "") -- modules and layers of others have none: the agent has to read all
	end
end

local command = setmetatable({}, {
	__gc = function() -- killed: clusterd learns of it, and of the connections that nobody has taken over
		if not over then
			ending(clusterd, "socket", "unlisten")
			for _, list in ipairs { silent, begun } do
				for fd in pairs(list) do
					ending(clusterd, "socket", "close", fd)
				end
			end
		end
	end,
})

--- open host, port -> address and port that it listens on, or nil and why not
function command.open(host, port)
	skynet.error("Listen on", host, port) -- `nil` when the port is a part of the address, as with the C core: the text is looked for
	local ok, listener, address, real_port = pcall(socket.listen, host, port)
	if not ok then
		over = true
		skynet.fork(skynet.exit)
		return nil, listener
	end
	listening = listener
	socket.start(listener, on_accept)
	if socket.accept_error then -- layers of others have none
		socket.accept_error(listener, function()
			tell "starved"
		end)
	end
	return address or host, real_port or port -- the sockets of layers before v1.6.0 do not tell
end

--- close: listens no more, and ends. Answers when agents have the connections that have begun; those that say nothing now either are
--- closed.
function command.close()
	if listening then
		socket.close(listening)
	end
	if next(silent) then
		skynet.sleep(QUIET)
		for fd in pairs(silent) do
			socket.shutdown(fd)
		end
	end
	local last = skynet.now() + LAST
	while (next(silent) or next(begun)) and skynet.now() < last do
		skynet.sleep(LOOK)
	end
	over = true
	skynet.fork(skynet.exit)
end

--- take fd -> all that has come, whether it has shown the secret, whether the connection has ended; nil: there is none. For the
--- agent that owns it now.
function command.take(fd)
	local it = begun[fd]
	begun[fd] = nil
	if not it or socket.invalid(fd) then
		return it and it.bytes -- the latter: it was not read here
	end
	local bytes, has_ended = it.bytes, socket.disconnected(fd)
	if socket.pending(fd) > 0 then
		local more, rest = socket.read(fd)
		bytes = bytes .. (more or rest)
	end
	socket.abandon(fd)
	return bytes, it.is_proved, has_ended
end

--- forget fd: its agent has ended, and may never have taken it
function command.forget(fd)
	if begun[fd] then
		begun[fd] = nil
		socket.close(fd)
	end
end

skynet.start(function()
	skynet.timeout(PATIENCE, function()
		if not listening and not over then -- the task that has started this service was killed
			over = true
			skynet.exit()
		end
	end)
	skynet.dispatch("lua", function(session, source, name, ...)
		if source ~= clusterd and name ~= "take" then
			error "clusterlistener obeys clusterd alone"
		end
		local run = command[name] or error("unknown command " .. tostring(name))
		if session == 0 then
			run(...)
		else
			skynet.retpack(run(...))
		end
	end)
end)
