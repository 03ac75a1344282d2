-- The bytes of the protocol: what others send to our agent, and what they answer to our sender.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local driver = require "skynet.socketdriver"
local socket = require "skynet.socket"
local check = require "check"
local nodes = require "cluster_nodes"

local cases = {}
local SELF <const> = nodes.SELF
local peer, open, read_packet = nodes.peer, nodes.open, nodes.read_packet

-- The packets of the request side.
local function part(kind, session, text)
	return string.pack(">s2", string.pack("<BI4", kind, session) .. text)
end

local MORE <const>, LAST_PART <const> = 2, 3

local function beginning(session, size)
	return string.pack(">s2", string.pack("<BI4I4I4", 1, 5, session, size))
end

local function trace(tag)
	return string.pack(">s2", "\4" .. tag)
end

local function query(session, name)
	return string.pack(">s2", string.pack("<BI4I4", 0, 0, session) .. skynet.packstring(name))
end

-- What no node sends, of any release.
local nonsense = {
	zeros = string.rep("\0", 32000),
	unknown_kind = "\0\1\9",
	too_short = "\0\3\0\0\0",
	too_short_beginning = "\0\5\1\0\0\0\0",
	too_long_beginning = string.pack(">s2", string.pack("<BI4I4I4B", 1, 5, 1, 9, 0)),
	too_short_name = string.pack(">s2", "\x80\9@a"),
	empty_name = string.pack(">s2", string.pack("<Bs1I4", 0x80, "", 1) .. "x"),
	empty_name_in_parts = string.pack(">s2", string.pack("<Bs1I4I4", 0x81, "", 1, 40000)),
	part_without_session = "\0\3\2\0\0",
	part_of_none = part(MORE, 7, "x"),
	last_part_of_none = part(LAST_PART, 7, "x"),
	begins_twice = beginning(7, 40000) .. beginning(7, 40000),
	of_no_bytes = beginning(7, 0),
	part_without_bytes = beginning(7, 40000) .. part(MORE, 7, ""),
	part_of_another = beginning(7, 40000) .. part(MORE, 8, "x"),
	more_than_announced = beginning(7, 4) .. part(MORE, 7, "1234") .. part(MORE, 7, "5"),
	last_is_more_than_announced = beginning(7, 4) .. part(MORE, 7, "123") .. part(LAST_PART, 7, "45"),
	less_than_announced = beginning(7, 4) .. part(LAST_PART, 7, "123"),
}

function cases.the_first_packet_that_is_no_request_ends_its_connection()
	if not check.ours then
		return -- each one raises an error, or is passed over
	end
	open()
	for name, bytes in pairs(nonsense) do
		local fd = assert(socket.open(SELF))
		socket.write(fd, bytes .. query(1, "nosuch"))
		check.equal(socket.read(fd), false, name)
		socket.close(fd)
	end
end

function cases.a_first_request_is_answered_also_when_its_length_looks_like_tls()
	open()
	local fd = assert(socket.open(SELF))
	local head = string.pack("<BI4I4", 0, 0xfffff0, 9) -- nobody has this handle
	socket.write(fd, string.pack(">s2", head .. string.rep("\0", 0x1603 - #head)))
	check.equal((string.unpack("<I4B", read_packet(fd))), 9)
	socket.close(fd)
end

-- Writes each byte by itself, as far as the system does.
local function trickle(fd, bytes)
	driver.nodelay(fd)
	for i = 1, #bytes do
		socket.write(fd, string.sub(bytes, i, i))
		skynet.sleep(1)
	end
end

function cases.a_connection_whose_first_bytes_come_one_by_one_is_served()
	open()
	local fd = assert(socket.open(SELF))
	trickle(fd, query(7, "nosuch"))
	socket.write(fd, query(8, "nosuch"))
	for session = 7, 8 do
		check.equal((string.unpack("<I4", read_packet(fd))), session)
	end
	socket.close(fd)
end

function cases.no_service_is_started_before_a_whole_packet_of_a_node_has_come()
	if not check.ours then
		return -- one for each connection
	end
	open()
	local before, fds = (nodes.agents()), {}
	for _, bytes in ipairs { "\0", "\0\1", query(1, "nosuch"):sub(1, -2), "\0\1\9", "\0\0" } do
		for _ = 1, 10 do
			local fd = assert(socket.open(SELF))
			socket.write(fd, bytes)
			table.insert(fds, fd)
		end
	end
	-- Who comes behind them and speaks, is answered.
	local fd = assert(socket.open(SELF))
	socket.write(fd, query(1, "nosuch"))
	check.equal(read_packet(fd), string.pack("<I4B", 1, 0) .. "name not found")
	check.equal(select(2, nodes.agents(before)), 1)
	table.insert(fds, fd)
	for _, each in ipairs(fds) do
		socket.close(each)
	end
end

function cases.what_comes_while_the_first_packet_is_looked_at_keeps_its_order()
	open()
	local p, packets = peer(), {}
	for session = 1, 2000 do
		local message = skynet.packstring("echo", string.rep("x", session % 97))
		packets[session] = string.pack(">s2", string.pack("<BI4I4", 0, p, session) .. message)
	end
	local stream = table.concat(packets)
	local fd = assert(socket.open(SELF))
	skynet.fork(function()
		local from, size = 1, 1
		while from <= #stream do
			socket.write(fd, string.sub(stream, from, from + size - 1))
			from, size = from + size, size * 7 % 1009 + 1
			skynet.yield()
		end
	end)
	for session = 1, 2000 do
		local packet = read_packet(fd)
		check.equal((string.unpack("<I4", packet)), session)
		check.equal(skynet.unpack(string.sub(packet, 6)), string.rep("x", session % 97))
	end
	socket.close(fd)
end

function cases.a_caller_that_speaks_tls_is_told_from_others_by_three_bytes_however_they_come()
	if not check.ours then
		return -- it waits for a packet of 5,635 bytes
	end
	open()
	local fd = assert(socket.open(SELF))
	trickle(fd, "\x16\x03\x01")
	check.equal(socket.read(fd), false)
	socket.close(fd)
end

function cases.what_nodes_of_other_releases_send_is_answered()
	open()
	local fd = assert(socket.open(SELF))
	-- A tag for a request that never comes, one of the longest size, and one ahead of a request in parts.
	socket.write(fd, trace "" .. trace(string.rep("t", 0x8000)) .. query(1, "nosuch"))
	check.equal(read_packet(fd), string.pack("<I4B", 1, 0) .. "name not found")
	local p = peer()
	local message = skynet.packstring("echo", string.rep("x", 0x8000))
	local last = 0x7fffffff -- before the sessions begin anew
	for _, kind in ipairs { 0x01, 0x41 } do
		local head = string.pack("<BI4I4I4", kind, p, last, #message)
		socket.write(
			fd,
			trace "tag"
				.. string.pack(">s2", head)
				.. part(MORE, last, string.sub(message, 1, 0x8000))
				.. query(3, "nosuch") -- small ones overtake large ones
				.. part(LAST_PART, last, string.sub(message, 0x8001))
		)
		local answers = kind == 0x01 and 4 or 1 -- one is itself in three parts
		local seen = {}
		for _ = 1, answers do
			local session, what = string.unpack("<I4B", read_packet(fd))
			seen[session] = what
		end
		check.equal(seen, { [3] = 0, [last] = kind == 0x01 and 4 or nil }, kind)
	end
	-- One that is not answered has no session.
	socket.write(
		fd,
		string.pack(">s2", string.pack("<BI4I4", 0, p, 0) .. skynet.packstring("echo", 1)) .. query(9, "nosuch")
	)
	check.equal(read_packet(fd), string.pack("<I4B", 9, 0) .. "name not found")
	socket.close(fd)
end

-- Begins requests on a connection of its own; returns whether it is closed, and the number of bytes that were sent.
local function begin_requests(count, size)
	local fd = assert(socket.open(SELF))
	for session = 1, count do
		socket.write(fd, beginning(session, size))
	end
	socket.write(fd, query(9, "name"))
	local answer = socket.read(fd, 2)
	socket.close(fd)
	return not answer
end

function cases.unfinished_requests_of_a_connection_have_a_limit()
	if not check.ours then
		return -- no limit
	end
	open()
	check.equal(begin_requests(64, 100000), false, "many, but not too many")
	check.equal(begin_requests(65, 100000), true, "one too many")
	check.equal(begin_requests(2, 512 * 1024 * 1024), false, "1 GiB in all")
	check.equal(begin_requests(2, 513 * 1024 * 1024), true, "more than that")
	cluster.reload { __unfinished = 1 } -- for connections to come
	check.equal(begin_requests(1, 1024 * 1024), false)
	check.equal(begin_requests(1, 1024 * 1024 + 1), true)
	cluster.reload { __unfinished = 1024, __unfinished_count = 2 }
	check.equal(begin_requests(2, 100000), false)
	check.equal(begin_requests(3, 100000), true)
	cluster.reload { __unfinished_count = 64 }
	local p = peer()
	check.equal(cluster.call("me", p, "echo", "others go on"), "others go on")
end

function cases.unfinished_requests_of_all_connections_have_a_limit()
	if not check.ours then
		return -- no limit
	end
	open()
	cluster.reload { __unfinished = 64 }
	local part = string.pack(">I2B", 5 + 60000, 2) .. string.pack("<I4", 1) .. string.rep("x", 60000)
	local parts = string.rep(part, 600) -- 34 MiB
	local fds = {}
	for i = 1, 3 do
		fds[i] = assert(socket.open(SELF))
		socket.write(fds[i], beginning(1, 60 * 1024 * 1024))
		socket.write(fds[i], parts)
	end
	local function ended()
		local count = 0
		for _, fd in ipairs(fds) do
			count = count + (socket.disconnected(fd) ~= false and 1 or 0)
		end
		return count
	end
	repeat
		skynet.sleep(1)
	until ended() > 0
	assert(ended() < 3)
	for _, fd in ipairs(fds) do
		socket.close(fd)
	end
	cluster.reload { __unfinished = 1024 }
end

-- A connection that asks for so many MiB and reads nothing of it, and a function that tells whether it has been closed.
local function ask_and_not_read(handle, megabytes)
	local fd = assert(socket.open(SELF))
	socket.pause(fd)
	for session = 1, megabytes do
		local request = string.pack("<BI4I4", 0, handle, session) .. skynet.packstring("sized", 1024 * 1024)
		socket.write(fd, string.pack(">s2", request))
	end
	return function()
		return socket.write(fd, query(1, "nosuch")) == false
	end, fd
end

function cases.answers_that_nobody_reads_have_a_limit_of_all_connections()
	if not check.ours then
		return -- they fill the memory
	end
	open()
	local sizes = peer()
	cluster.reload { __unread = 8 }
	local deaf = {}
	for i = 1, 12 do
		local is_closed, fd = ask_and_not_read(sizes, 24)
		deaf[i] = { is_closed = is_closed, fd = fd }
	end
	local function count()
		local closed = 0
		for _, each in ipairs(deaf) do
			closed = closed + (each.is_closed() and 1 or 0)
		end
		return closed
	end
	while count() < 8 do
		local text = cluster.call("me", sizes, "sized", 1024 * 1024)
		check.equal(#text, 1024 * 1024)
	end
	check.equal(#cluster.call("me", sizes, "sized", 12 * 1024 * 1024), 12 * 1024 * 1024) -- who reads may have more
	cluster.reload { __unread = 512 }
	for _, each in ipairs(deaf) do
		socket.close(each.fd)
	end
end

function cases.requests_of_a_connection_are_done_in_order_however_many_come()
	open()
	local p = peer()
	local fd = assert(socket.open(SELF))
	local count, requests = 5000, {}
	for session = 1, count do
		requests[session] =
			string.pack(">s2", string.pack("<BI4I4", 0, p, session) .. skynet.packstring("echo", session))
	end
	socket.write(fd, table.concat(requests))
	for session = 1, count do
		local number, ok, text = string.unpack("<I4B", read_packet(fd))
		check.equal({ number, ok }, { session, 1 })
	end
	socket.close(fd)
end

function cases.a_silent_connection_gives_way_when_there_is_no_room()
	if not check.ours then
		return -- whoever is there stays, whether it says anything or not
	end
	for _, case in ipairs { { 5, 8 }, { 1024, 200 } } do -- there is no room; too many of that address are silent
		local _, port = cluster.open(0, case[1])
		local silent = {}
		for i = 1, case[2] do
			silent[i] = assert(socket.open("127.0.0.1", port))
		end
		local fd = assert(socket.open("127.0.0.1", port))
		socket.write(fd, string.pack(">s2", string.pack("<BI4I4", 0, 0, 1) .. skynet.packstring "nosuch"))
		check.equal(read_packet(fd), string.pack("<I4B", 1, 0) .. "name not found")
		check.equal(socket.read(silent[1]), false)
		for _, other in ipairs(silent) do
			socket.close(other)
		end
		socket.close(fd)
	end
end

function cases.a_connection_that_says_nothing_has_its_time()
	if not check.ours then
		return -- no limit
	end
	cluster.reload { __handshake = 0.05 } -- for listeners to come
	local _, port = cluster.open(0)
	local fd = assert(socket.open("127.0.0.1", port))
	check.equal(socket.read(fd), false)
	socket.close(fd)
	cluster.reload { __handshake = 300 }
end

-- A node that answers each request with packets of our choice: answer(session, body, send).
local function misbehaving_node(name, place, answer)
	local address = "127.0.0.1:" .. check.port(place)
	local node = { connections = 0 }
	local function send(session, kind, text)
		socket.write(node.fd, string.pack(">s2", string.pack("<I4B", session, kind) .. text))
	end
	node.listener = socket.listen(address)
	socket.start(node.listener, function(fd)
		socket.start(fd)
		node.fd = fd
		node.connections = node.connections + 1
		while true do
			local size = socket.read(fd, 2)
			local packet = size and socket.read(fd, (string.unpack(">I2", size)))
			if not packet then
				return
			end
			answer(string.unpack("<I4", packet, 6), skynet.unpack(string.sub(packet, 10)), send)
		end
	end)
	cluster.reload { [name] = address }
	return node
end

local ERROR <const>, OK <const>, BEGIN <const>, PART <const>, LAST <const> = 0, 1, 2, 3, 4

function cases.parts_of_an_answer_are_those_that_were_announced()
	if not check.ours then
		return -- parts are kept as long as they come, and an answer of another size is an empty one
	end
	cluster.reload { __unfinished = 1 }
	local function size(bytes)
		return string.pack("<I4", bytes)
	end
	local part = string.rep("x", 0x8000)
	local ways = {}
	function ways.no_end(session, send)
		send(session, BEGIN, size(0x8000))
		for _ = 1, 100 do
			send(session, PART, part)
		end
		send(session, LAST, part)
	end
	function ways.too_large(session, send)
		send(session, BEGIN, size(1024 * 1024 + 1))
		send(session, PART, part)
		send(session, LAST, part)
	end
	function ways.no_beginning(session, send)
		send(session, PART, part)
		send(session, ERROR, "")
	end
	function ways.no_bytes(session, send)
		send(session, BEGIN, size(1))
		send(session, PART, "")
		send(session, LAST, "x")
	end
	function ways.too_short(session, send)
		send(session, BEGIN, size(0x8001))
		send(session, LAST, part)
	end
	function ways.twice(session, send)
		send(session, BEGIN, size(0x8000))
		send(session, BEGIN, size(0x8000))
		send(session, LAST, part)
	end
	function ways.an_error_in_the_middle(session, send)
		send(session, BEGIN, size(0x8000))
		send(session, ERROR, "x")
	end
	function ways.good(session, send)
		local text = skynet.packstring(string.rep("y", 0x9000))
		send(session, BEGIN, size(#text))
		send(session, PART, string.sub(text, 1, 0x8000))
		send(session, LAST, string.sub(text, 0x8001))
	end
	local node = misbehaving_node("wrong", 4, function(session, way, send)
		ways[way](session, send)
	end)
	for way in pairs(ways) do
		for _ = 1, 2 do
			check.equal(pcall(cluster.call, "wrong", 1, way), way == "good", way)
		end
	end
	-- Nothing of them is left: what is allowed in all is there for the next one.
	check.equal(cluster.call("wrong", 1, "good"), string.rep("y", 0x9000))
	check.equal(node.connections, 1, "other calls go on")
	socket.close(node.listener)
	socket.close(node.fd)
	cluster.reload { wrong = false, __unfinished = 1024 }
end

function cases.answers_that_never_end_are_refused_one_by_one_and_then_the_connection()
	if not check.ours then
		return -- no limit
	end
	cluster.reload { __unfinished = 1024, __reconnect = 0 }
	local failed = 0
	local node = misbehaving_node("endless", 4, function(session, _, send)
		send(session, BEGIN, string.pack("<I4", 16))
	end)
	local function calls(count)
		for _ = 1, count do
			skynet.fork(function()
				pcall(cluster.call, "endless", 1, "x")
				failed = failed + 1
			end)
		end
	end
	calls(64)
	calls(1) -- one too many
	repeat
		skynet.sleep(1)
	until failed == 1
	calls(63) -- of these the connection knows only that they are refused
	repeat
		skynet.sleep(1)
	until failed == 64
	check.equal(node.connections, 1)
	calls(1) -- more than it remembers
	repeat
		skynet.sleep(1)
	until failed == 129
	socket.close(node.listener)
	cluster.reload { endless = false }
end

check.run(cases)
