-- A node that is its own peer, and a peer that is a plain socket, to see the bytes.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local SELF <const>, FAKE <const>, NOBODY <const> = "127.0.0.1:" .. check.port(1), "127.0.0.1:" .. check.port(2),
	"127.0.0.1:" .. check.port(3)

local function peer()
	return skynet.newservice "peer"
end

local opened
local function open()
	if not opened then
		opened = true
		cluster.reload { me = SELF, fake = FAKE, nobody = NOBODY, off = false }
		cluster.open "me"
	end
end

local function fails(...)
	assert(not pcall(...), "expected an error")
end

function cases.services_answer_by_name_and_by_handle()
	open()
	local p = peer()
	cluster.register("by_name", p)
	check.equal(cluster.call("me", "@by_name", "echo", 1), 1)
	check.equal(cluster.call("me", p, "echo", 2), 2)
	check.equal(cluster.query("me", "by_name"), p)
	check.equal(cluster.call("me", ".launcher", "LIST")[skynet.address(p)], "snlua peer")
	cluster.unregister "by_name"
	fails(cluster.call, "me", "@by_name", "echo")
	fails(cluster.query, "me", "by_name")
end

-- The C core hands them on, and a service that takes them for addresses of its own ends the node.
if skynet.call_timeout then
	function cases.addresses_of_memory_do_not_come_from_other_nodes()
		open()
		local p = peer()
		local address, size = skynet.pack "a block"
		for _, value in ipairs { { address }, { { a = { 1, { address } } } }, { string.rep("x", 100000), address } } do
			local ok = pcall(cluster.call, "me", p, "echo", table.unpack(value))
			check.equal(ok, false)
			cluster.send("me", p, "echo", table.unpack(value))
		end
		check.equal(cluster.call("me", p, "echo", "hi"), "hi")
		skynet.trash(address, size)
	end
end

function cases.large_messages_are_cut_and_joined()
	open()
	local p = peer()
	for _, size in ipairs { 0x7ff0, 0x8000, 0x8001, 200000 } do
		local text = string.rep("x", size)
		check.equal(cluster.call("me", p, "echo", text), text)
	end
end

function cases.failures_over_there_fail_the_call()
	open()
	local p = peer()
	fails(cluster.call, "me", p, "fail")
	skynet.kill(p)
	fails(cluster.call, "me", p, "echo")
end

function cases.nodes_that_cannot_be_reached_fail_the_call()
	open()
	fails(cluster.call, "nobody", "@x")
	fails(cluster.call, "off", "@x")
	cluster.reload { nobody = SELF } -- it has moved
	check.equal(cluster.call("nobody", ".launcher", "NOSUCH"), { "Unknown command" })
end

function cases.a_node_is_waited_for_until_it_is_known()
	open()
	skynet.fork(cluster.reload, { later = SELF })
	check.equal(cluster.call("later", ".launcher", "NOSUCH"), { "Unknown command" })
end

function cases.a_proxy_stands_for_a_service()
	open()
	local p = peer()
	cluster.register("proxied", p)
	local proxy = cluster.proxy("me", "@proxied")
	check.equal(cluster.proxy "me@proxied", proxy)
	local text = string.rep("y", 100000)
	check.equal(skynet.call(proxy, "lua", "echo", text), text)
	fails(skynet.call, proxy, "lua", "fail")
	skynet.send(proxy, "lua", "exit")
	fails(skynet.call, proxy, "lua", "echo")
end

function cases.requests_arrive_in_their_order_from_the_first_on()
	open()
	cluster.reload { ordered = SELF }
	local got = {}
	skynet.dispatch("lua", function(session, _, value)
		got[#got + 1] = value
		if session ~= 0 then
			skynet.retpack(value)
		end
	end)
	local me, done = skynet.self(), 0
	for i = 1, 30 do
		if i % 3 == 0 then
			skynet.fork(function()
				cluster.call("ordered", me, i)
				done = done + 1
			end)
			skynet.yield()
		else
			cluster.send("ordered", me, i)
		end
	end
	repeat skynet.sleep(1) until done == 10
	check.equal(cluster.call("ordered", me, "last"), "last")
	for i = 1, 30 do
		check.equal(got[i], i, "place " .. i)
	end
end

local function read_packet(fd)
	local size = string.unpack(">I2", (socket.read(fd, 2)))
	return socket.read(fd, size)
end

function cases.a_lost_connection_is_made_again()
	if not check.ours then
		return -- the C core's Lua layer connects with the next request, and waits for ever
	end
	open()
	local connections = {}
	local listener = socket.listen(FAKE)
	socket.start(listener, function(fd)
		socket.start(fd)
		table.insert(connections, fd)
	end)
	local answer
	skynet.fork(function() answer = { pcall(cluster.call, "fake", 5, "abc") } end)
	repeat skynet.sleep(1) until connections[1]
	check.equal(read_packet(connections[1]), "\0" .. string.pack("<I4I4", 5, 1) .. skynet.packstring "abc")
	socket.close(connections[1])
	repeat skynet.sleep(1) until answer
	check.equal(answer[1], false, "a call that was on its way")
	repeat skynet.sleep(1) until connections[2] -- by itself
	skynet.fork(function() answer = { pcall(cluster.call, "fake", "@n", "abc") } end)
	check.equal(read_packet(connections[2]), "\x80\2@n" .. string.pack("<I4", 2) .. skynet.packstring "abc")
	answer = nil
	local text = string.pack("<I4B", 2, 1) .. skynet.packstring "done"
	socket.write(connections[2], string.pack(">s2", text))
	repeat skynet.sleep(1) until answer
	check.equal(answer, { true, "done" })
	socket.close(listener)
end

function cases.requests_give_up_when_the_node_stays_away()
	if not check.ours then
		return -- no such option
	end
	local listener = socket.listen("127.0.0.1", check.port(4))
	local connection
	socket.start(listener, function(fd)
		socket.start(fd)
		connection = fd
	end)
	cluster.reload { __reconnect = 0.05, away = "127.0.0.1:" .. check.port(4) }
	skynet.fork(pcall, cluster.call, "away", 1, "x")
	repeat skynet.sleep(1) until connection
	socket.close(listener)
	socket.close(connection)
	local sender = cluster.get_sender "away"
	repeat skynet.sleep(1) until skynet.call(sender, "lua", "status") == "lost"
	fails(cluster.call, "away", 1, "y")
	cluster.reload { away = false }
	repeat skynet.sleep(1) until skynet.call(sender, "lua", "status") == "closed"
	fails(cluster.call, "away", 1, "z")
	cluster.reload { away = SELF }
	repeat skynet.sleep(1) until skynet.call(sender, "lua", "status") == "up"
	check.equal(cluster.call("away", ".launcher", "NOSUCH"), { "Unknown command" })
end

-- A plain listener: the connections it has had; close(): it and they end.
local function plain_node(address)
	local node = { connections = {} }
	local listener = socket.listen(address)
	socket.start(listener, function(fd)
		socket.start(fd)
		table.insert(node.connections, fd)
	end)
	function node.close()
		socket.close(listener)
		for _, fd in ipairs(node.connections) do
			socket.close(fd)
		end
	end
	return node
end

-- Takes a node down; its sender has noticed that when this returns.
local function take_down(name, node)
	local sender = cluster.get_sender(name)
	node.close()
	repeat skynet.sleep(1) until skynet.call(sender, "lua", "status") == "lost"
	return sender
end

local function figures_of(name)
	return skynet.call(skynet.uniqueservice "clusterd", "lua", "figures")[name]
end

function cases.calls_to_a_node_that_is_down_fail_at_once_until_it_is_back()
	if not check.ours then
		return -- the C core's sender has no status to wait for
	end
	local node = plain_node(FAKE)
	cluster.reload { __reconnect = false, down = FAKE }
	take_down("down", node)
	for _ = 1, 3 do
		local ok, problem = pcall(skynet.call_timeout, 3000, cluster.get_sender "down", "lua", "req", 1, skynet.pack "x")
		check.equal(ok, false)
		assert(string.find(problem, "call failed", 1, true), problem)
	end
	check.raises("call failed\n\t(to :00000001 of cluster node [down])", cluster.call, "down", 1, "x")
	node = plain_node(FAKE)
	cluster.send("down", 1, "is it back?") -- does not wait for a pause to end
	repeat skynet.sleep(1) until node.connections[1]
	cluster.reload { down = false }
	node.close()
end

function cases.sends_to_a_node_that_is_down_are_lost_and_counted()
	if not check.ours then
		return -- no figures
	end
	local node = plain_node(FAKE)
	cluster.reload { __reconnect = false, lost = FAKE }
	local sender = take_down("lost", node)
	pcall(skynet.call, sender, "lua", "req", 1, skynet.pack "x")
	for _ = 1, 1000 do
		cluster.send("lost", 1, string.rep("x", 1000))
	end
	local figures
	repeat
		skynet.sleep(1)
		figures = figures_of "lost"
	until figures.dropped == 1000
	check.equal({ figures.waiting, figures.waiting_bytes, figures.up, figures.failed }, { 0, 0, false, 1 })
	local metrics = skynet.newservice("metrics", 0)
	local fd = assert(socket.open("127.0.0.1", skynet.call(metrics, "lua", "port")))
	socket.write(fd, "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
	local text = socket.readall(fd)
	socket.close(fd)
	assert(string.find(text, '\nskynet_cluster_sends_lost_total{node="lost"} 1000\n', 1, true), text)
	assert(string.find(text, '\nskynet_cluster_up{node="lost"} 0\n', 1, true), text)
	cluster.reload { lost = false }
end

function cases.what_waits_for_a_node_is_bounded_and_arrives_in_order()
	if not check.ours then
		return -- nothing waits
	end
	local node = plain_node(FAKE)
	cluster.reload { __reconnect = 100, __waiting = 1, patient = FAKE }
	take_down("patient", node)
	for i = 1, 100 do
		cluster.send("patient", 1, i, string.rep("x", 20000))
	end
	local figures
	repeat
		skynet.sleep(1)
		figures = figures_of "patient"
	until figures.waiting + figures.dropped == 100
	check.equal(figures.waiting, 1024 * 1024 // 20012)
	assert(figures.waiting_bytes <= 1024 * 1024, figures.waiting_bytes)
	node = plain_node(FAKE)
	repeat skynet.sleep(1) until node.connections[1]
	for i = 1, figures.waiting do
		local packet = read_packet(node.connections[1])
		check.equal(skynet.unpack(string.sub(packet, 10)), i)
	end
	check.equal(figures_of "patient".waiting_bytes, 0)
	cluster.reload { __reconnect = false, __waiting = false, patient = false }
	node.close()
end

function cases.a_silent_node_is_found_by_its_heartbeat()
	if not check.ours then
		return -- no such option
	end
	open()
	local node = plain_node(FAKE)
	cluster.reload { __reconnect = false, __heartbeat = 0.1, silent = FAKE, alive = SELF }
	local p = peer()
	local slow
	skynet.fork(function() slow = { pcall(cluster.call, "alive", p, "sleep", 60, "slow") } end)
	local sender = cluster.get_sender "alive"
	check.raises("call failed", cluster.call, "silent", 1, "x")
	repeat skynet.sleep(1) until slow
	check.equal(slow, { true, "slow" }, "a slow service is no silent node")
	check.equal(figures_of "alive".reconnects, 0)
	check.equal(skynet.call(sender, "lua", "status"), "up")
	cluster.reload { __heartbeat = false, silent = false, alive = false }
	node.close()
end

function cases.a_name_without_its_sign_fails_and_says_so()
	if not check.ours then
		return -- it is waited for
	end
	open()
	local p = peer()
	cluster.register("signed", p)
	fails(cluster.call, "me", "signed", "echo", 1)
	fails(cluster.call, "me", "signed", "echo", 1)
	cluster.send("me", "signed", "echo", 1)
	check.equal(cluster.call("me", "@signed", "echo", 1), 1)
	skynet.name("signed", p)
	cluster.unregister "signed" -- agents forget what they know
	check.equal(cluster.call("me", "signed", "echo", 1), 1, "global name")
end

function cases.calls_on_their_way_fail_when_the_agent_is_killed()
	if not check.ours then
		return -- they wait for ever
	end
	open()
	local p = peer()
	check.equal(cluster.call("me", p, "echo", 1), 1)
	local result
	skynet.fork(function() result = { pcall(cluster.call, "me", p, "sleep", 100000) } end)
	repeat skynet.sleep(1) until skynet.call(p, "debug", "STAT").task == 1
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if string.find(line, "snlua clusteragent", 1, true) then
			skynet.kill(handle)
		end
	end
	repeat skynet.sleep(1) until result
	check.equal(result[1], false)
	check.equal(cluster.call("me", p, "echo", 2), 2)
end

function cases.agents_end_when_they_are_told_so()
	open()
	cluster.call("me", ".launcher", "NOSUCH")
	local agent
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		agent = string.find(line, "snlua clusteragent", 1, true) and handle or agent
	end
	fails(skynet.call, agent, "lua", "nonsense")
	fails(skynet.call, agent, "lua", "exit")
	fails(skynet.call, agent, "lua", "exit")
end

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
		socket.write(fd, trace "tag" .. string.pack(">s2", head)
			.. part(MORE, last, string.sub(message, 1, 0x8000)) .. query(3, "nosuch") -- small ones overtake large ones
			.. part(LAST_PART, last, string.sub(message, 0x8001)))
		local answers = kind == 0x01 and 4 or 1 -- one is itself in three parts
		local seen = {}
		for _ = 1, answers do
			local session, what = string.unpack("<I4B", read_packet(fd))
			seen[session] = what
		end
		check.equal(seen, { [3] = 0, [last] = kind == 0x01 and 4 or nil }, kind)
	end
	-- One that is not answered has no session.
	socket.write(fd, string.pack(">s2", string.pack("<BI4I4", 0, p, 0) .. skynet.packstring("echo", 1)) .. query(9, "nosuch"))
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

function cases.requests_of_a_connection_are_done_in_order_however_many_come()
	open()
	local p = peer()
	local fd = assert(socket.open(SELF))
	local count, requests = 5000, {}
	for session = 1, count do
		requests[session] = string.pack(">s2", string.pack("<BI4I4", 0, p, session) .. skynet.packstring("echo", session))
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

-- A node that accepts connections and reads nothing.
local function frozen_node(name, place)
	local address = "127.0.0.1:" .. check.port(place)
	local node = {}
	node.listener = socket.listen(address)
	socket.start(node.listener, function(fd)
		socket.start(fd)
		socket.pause(fd)
		node.fd = fd
	end)
	cluster.reload { [name] = address }
	return node
end

function cases.what_a_frozen_node_does_not_take_is_bounded_from_the_first_moment()
	if not check.ours then
		return -- no bound
	end
	local node = frozen_node("frozen", 4)
	local sender = cluster.get_sender "frozen"
	local text, sent = string.rep("x", 100000), 0
	local count = 4000 -- 381 MiB, as fast as they can be made
	for i = 1, count do
		cluster.send("frozen", "@sink", text)
		if i % 100 == 0 then
			sent = skynet.call(sender, "lua", "figures").dropped -- not faster than the sender, so that they wait there
		end
	end
	local figures = skynet.call(sender, "lua", "figures")
	assert(figures.dropped > 0 and figures.dropped < count, figures.dropped)
	assert(figures.waiting_bytes < 300 * 1024 * 1024, figures.waiting_bytes)
	assert(figures.waiting + figures.dropped <= count)
	repeat skynet.sleep(10) until not pcall(cluster.call, "frozen", "@sink", 1) -- it would wait for ever
	socket.close(node.listener)
	socket.close(node.fd)
	cluster.reload { frozen = false }
end

function cases.a_sender_that_is_killed_is_replaced_and_its_callers_are_told()
	if not check.ours then
		return -- calls to the node fail for ever
	end
	open()
	local p = peer()
	check.equal(cluster.call("me", p, "echo", 1), 1)
	local proxy = cluster.proxy("me", p)
	check.equal(skynet.call(proxy, "lua", "echo", 2), 2)
	local slow, slow_by_proxy
	skynet.fork(function() slow = { pcall(cluster.call, "me", p, "sleep", 100000) } end)
	skynet.fork(function() slow_by_proxy = { pcall(skynet.call, proxy, "lua", "sleep", 100000) } end)
	skynet.sleep(5)
	for round = 1, 3 do
		local sender = cluster.get_sender "me"
		skynet.kill(sender)
		if round == 1 then
			repeat skynet.sleep(1) until slow and slow_by_proxy
			check.equal({ slow[1], slow_by_proxy[1] }, { false, false })
			check.equal(cluster.call("me", p, "echo", 3), 3)
		elseif round == 2 then
			cluster.send("me", p, "remember", 4) -- is not lost
			check.equal(cluster.call("me", p, "remembered"), 4)
		end
		check.equal(skynet.call(proxy, "lua", "echo", 5), 5)
		assert(cluster.get_sender "me" ~= sender)
	end
	skynet.kill(proxy)
	local other = cluster.proxy("me", p)
	assert(other ~= proxy)
	check.equal(skynet.call(other, "lua", "echo", 6), 6)
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
	repeat skynet.sleep(1) until failed == 1
	calls(63) -- of these the connection knows only that they are refused
	repeat skynet.sleep(1) until failed == 64
	check.equal(node.connections, 1)
	calls(1) -- more than it remembers
	repeat skynet.sleep(1) until failed == 129
	socket.close(node.listener)
	cluster.reload { endless = false }
end

check.run(cases)
