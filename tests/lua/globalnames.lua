-- Global names of a node in a network of harbors, whose only other node is sockets of ours: what is sent to it, in order.
local skynet = require "skynet"
local socket = require "skynet.socket"
local harbor = require "skynet.harbor"
local check = require "check"

local cases = {}
local ME <const>, PEER <const> = 1, 2

local function packet(...)
	return string.pack(">s1", skynet.packstring(...))
end

-- Joins as the other node, the first time. Returns the connection to the master, and one to the node's harbor service.
local master, from_harbor

local function join()
	if master then
		return master, from_harbor
	end
	local address = "127.0.0.1:" .. check.port(4)
	local listener = socket.listen(address)
	socket.start(listener, function(fd)
		socket.start(fd)
		check.equal(socket.read(fd, 1), string.char(ME))
		socket.write(fd, string.char(PEER))
		from_harbor = fd
	end)
	master = assert(socket.open(skynet.getenv "master"))
	socket.write(master, packet("H", PEER, address))
	harbor.connect(PEER)
	repeat skynet.sleep(1) until from_harbor
	skynet.fork(function()
		repeat until not socket.read(master) -- what it tells us is known
	end)
	return master, from_harbor
end

-- The next message to the other node, and the number of the handle there.
local function next_message(fd)
	local size = string.unpack(">I4", (socket.read(fd, 4)))
	local frame = socket.read(fd, size)
	local destination = string.unpack(">I4", frame, size - 7)
	return (skynet.unpack(string.sub(frame, 1, size - 12))), destination & 0xffffff
end

-- A name that a service waits for becomes known over there; the service sends to the name, then to the handle.
function cases.who_is_told_a_name_may_use_it_at_once()
	if not skynet.call_timeout then
		return -- the C core's Lua layer answers before it tells the harbor service: now and then the handle is first
	end
	local master, from_harbor = join()
	local user = skynet.newservice "name_user"
	for number = 1, 1000 do
		local name = "NAME" .. number
		skynet.send(user, "lua", "use", name)
		skynet.call(user, "lua", "ping") -- it has asked
		socket.write(master, packet("R", name, PEER << 24 | number))
		check.equal({ next_message(from_harbor) }, { "by name", number }, name)
		check.equal({ next_message(from_harbor) }, { "by handle", number }, name)
	end
end

-- The harbor service knows no names of more than 15 bytes; who asks for one by name gets its handle.
function cases.names_that_are_too_long_fill_no_log()
	if not skynet.call_timeout then
		return -- a line for each
	end
	local to_master = join()
	for number = 1, 1000 do
		socket.write(to_master, packet("R", "A NAME THAT IS TOO LONG " .. number, PEER << 24 | number))
	end
	check.equal(harbor.queryname "A NAME THAT IS TOO LONG 1000", PEER << 24 | 1000)
end

check.run(cases)
