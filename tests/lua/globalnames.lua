-- Global names of a node in a network of harbors, whose only other node is sockets of ours: what is sent to it, in order.
local skynet = require "skynet"
local socket = require "skynet.socket"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"
local check = require "check"

local cases = {}
local ME <const>, PEER <const> = 1, 2

local PTYPE_MARK <const> = 64
local marked = false

skynet.register_protocol {
	name = "mark",
	id = PTYPE_MARK,
	unpack = skynet.tostring,
	dispatch = function()
		marked = true
	end,
}

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
	repeat
		skynet.sleep(1)
	until from_harbor
	skynet.fork(function()
		repeat
		until not socket.read(master) -- what it tells us is known
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
	if not check.ours then
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
	if not check.ours then
		return -- a line for each
	end
	local to_master = join()
	for number = 1, 1000 do
		socket.write(to_master, packet("R", "A NAME THAT IS TOO LONG " .. number, PEER << 24 | number))
	end
	check.equal(harbor.queryname "A NAME THAT IS TOO LONG 1000", PEER << 24 | 1000)
end

-- What is published goes by its address within a node; from another node it could be any.
function cases.addresses_of_memory_do_not_come_from_other_nodes()
	if not skynet.call_timeout then
		return -- the C core's module believes them
	end
	local _, from_harbor = join()
	local got = {}
	local channel = multicast.new {
		dispatch = function(_, _, text)
			got[#got + 1] = text
		end,
	}
	channel:subscribe()
	local function receive(bytes, type)
		local frame = bytes .. string.pack(">I4I4I4", 0, type << 24 | skynet.self() & 0xffffff, channel.channel)
		socket.write(from_harbor, string.pack(">s4", frame))
	end
	for _, bytes in ipairs {
		"",
		"AAAAAAAA",
		"AAAAAAAABBBBBBBB",
		string.rep("\0", 8),
		string.rep("\0", 16),
		string.rep("C", 48),
	} do
		receive(bytes, skynet.PTYPE_MULTICAST)
	end
	local block, size = skynet.pack "bytes"
	receive(skynet.packstring("PUB", channel.channel, block, size), skynet.PTYPE_LUA)
	receive(skynet.packstring({ { x = block } }), skynet.PTYPE_LUA)
	skynet.trash(block, size)
	receive("last", PTYPE_MARK)
	repeat
		skynet.sleep(1)
	until marked
	channel:publish "hello"
	repeat
		skynet.sleep(1)
	until got[1]
	check.equal(got, { "hello" })
	channel:unsubscribe()
end

local function join_as(id, address)
	local fd = assert(socket.open(skynet.getenv "master"))
	socket.write(fd, packet("H", id, address))
	return fd
end

-- Addresses of strangers: none of them writes lines into the log (the test looks there), and none keeps out the node that
-- has the same id later.
function cases.a_node_that_was_not_one_does_not_keep_the_next_one_out()
	if not skynet.call_timeout then
		return -- the C core's Lua layer believes all of them
	end
	local id <const> = 3
	for _, address in ipairs { false, 5, { "127.0.0.1" }, "x\n[:00000001] FORGED: 1\27[31m:1" } do
		local fd = join_as(id, address)
		check.equal(socket.read(fd), false, "an address that is none")
		socket.close(fd)
	end
	local fd = join_as(id, "no address")
	check.equal(string.byte((assert(socket.read(fd, 1)))) > 0, true)
	skynet.sleep(10)
	socket.close(fd)
	local listener, address, port = socket.listen("127.0.0.1", 0)
	local reached
	socket.start(listener, function(connection)
		socket.start(connection)
		reached = socket.read(connection, 1)
		socket.close(connection)
	end)
	repeat -- the master may not have seen yet that the other one is gone
		fd = join_as(id, address .. ":" .. port)
		local answered = socket.read(fd, 1)
		if not answered then
			socket.close(fd)
		end
	until answered
	repeat
		skynet.sleep(1)
	until reached
	check.equal(reached, string.char(ME))
	socket.close(fd)
	socket.close(listener)
end

-- What one node tells, the master tells all others.
function cases.a_node_that_does_not_read_costs_no_more_than_its_share()
	if not skynet.call_timeout then
		return
	end
	local deaf = join_as(4, "127.0.0.1:1")
	socket.pause(deaf)
	local to_master = join_as(5, "127.0.0.1:1")
	local gone = false
	skynet.fork(function()
		repeat
			local size = string.byte((socket.read(to_master, 1)))
			local kind, id = skynet.unpack(socket.read(to_master, size))
			gone = gone or kind == "D" and id == 4
		until gone
		repeat
		until not socket.read(to_master)
	end)
	local names = {}
	for number = 1, 1000 do
		names[number] = packet("R", string.rep("x", 200) .. number, 5 << 24 | number)
	end
	names = table.concat(names)
	local function waits() -- to be sent by us, and for the deaf one by the master
		local ours, others = 0, 0
		for _, info in ipairs(socket.netstat()) do
			if info.id == to_master then
				ours = info.wbuffer or 0
			else
				others = math.max(others, info.wbuffer or 0)
			end
		end
		return ours, others
	end
	local sent, ours, others = 0, 0, 0
	repeat
		if ours == 0 then
			socket.write(to_master, names)
			sent = sent + #names
		end
		ours, others = waits()
		assert(sent < 200 * 1024 * 1024 and others < 20 * 1024 * 1024)
		skynet.sleep(1)
	until gone
	socket.close(deaf)
	socket.close(to_master)
end

-- Services are told of lost nodes twice a second at most: what they had asked a node after it was back failed with what they
-- had asked before.
function cases.names_of_a_node_have_an_end()
	if not check.ours then
		return -- no limit
	end
	local id <const>, most <const> = 77, 3000 -- config key harbor_names
	local fd = assert(socket.open(skynet.getenv "master"))
	socket.write(fd, packet("H", id, "127.0.0.1:1"))
	local batch = {}
	for number = 1, most + 100 do
		batch[number] = packet("R", "N" .. number, id << 24 | number)
	end
	socket.write(fd, table.concat(batch))
	local function read_packet()
		return skynet.unpack(socket.read(fd, string.byte((socket.read(fd, 1)))))
	end
	local known = 0
	socket.write(fd, packet("Q", "N" .. most + 1) .. packet("Q", "N1"))
	repeat
		local kind, name = read_packet()
		if kind == "N" then
			known = known + 1
			assert(name ~= "N" .. most + 1, "one too many")
		end
	until kind == "N" and name == "N1" and known > 1
	check.equal(known, most + 1, "each is told once, and one is asked for")
	socket.close(fd)
end

function cases.what_a_node_is_asked_that_is_back_does_not_fail_because_it_was_lost()
	if not skynet.call_timeout then
		return -- there requests to lost nodes wait for ever
	end
	local id <const> = 6
	local function come()
		local fd = assert(socket.open(skynet.getenv "address"))
		socket.write(fd, string.char(id))
		check.equal(socket.read(fd, 1), string.char(ME))
		harbor.connect(id)
		return fd
	end
	local function ask(text)
		local result = {}
		skynet.fork(function()
			result.ok, result.answer = pcall(skynet.call, id << 24 | 1, "lua", text)
		end)
		return result
	end
	for _ = 1, 3 do
		local fd = come()
		local lost = ask "lost"
		check.equal(next_message(fd), "lost")
		socket.close(fd)
		harbor.link(id)
		fd = come()
		local asked = ask "asked"
		check.equal(next_message(fd), "asked")
		skynet.sleep(70)
		check.equal({ lost.ok, asked.ok }, { false, nil })
		socket.close(fd)
		harbor.link(id)
		repeat
			skynet.sleep(5)
		until asked.ok ~= nil
		check.equal(asked.ok, false)
	end
end

function cases.who_could_not_be_told_of_a_lost_node_is_told_later()
	if not skynet.call_timeout then
		return
	end
	local losses = require "skynet.internal.harborlosses".new(function()
		return { NAME = 7 << 24 | 1, OTHER = 8 << 24 | 1 }
	end)
	local call, send, told = skynet.call, skynet.send, {}
	skynet.call = function()
		error "expected: there is no launcher"
	end
	losses.tell(7)
	skynet.sleep(1)
	skynet.call = call
	skynet.send = function(address, protocol, ...)
		told[#told + 1] = { protocol, ... }
	end
	while #told == 0 do
		losses.wait(7)
	end
	skynet.send = send
	check.equal(told[1], { "debug", "LOST", { [7] = true }, { NAME = true } })
	losses.wait(7)
end

check.run(cases)
