-- What becomes of requests to a node that is away, comes back, is silent or takes nothing.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local check = require "check"
local nodes = require "cluster_nodes"

local cases = {}
local SELF <const>, FAKE <const> = nodes.SELF, nodes.FAKE
local peer, open, fails, read_packet = nodes.peer, nodes.open, nodes.fails, nodes.read_packet
local figures_of = nodes.figures_of

function cases.a_lost_connection_is_made_again_with_the_next_request()
	open()
	local connections = {}
	local listener = socket.listen(FAKE)
	socket.start(listener, function(fd)
		socket.start(fd)
		table.insert(connections, fd)
	end)
	local answer
	skynet.fork(function()
		answer = { pcall(cluster.call, "fake", 5, "abc") }
	end)
	repeat
		skynet.sleep(1)
	until connections[1]
	check.equal(read_packet(connections[1]), "\0" .. string.pack("<I4I4", 5, 1) .. skynet.packstring "abc")
	socket.close(connections[1])
	repeat
		skynet.sleep(1)
	until answer
	check.equal(answer[1], false, "a call that was on its way")
	skynet.sleep(20) -- the pause before the first try, if there were one
	check.equal(connections[2], nil, "nobody asks")
	skynet.fork(function()
		answer = { pcall(cluster.call, "fake", "@n", "abc") }
	end)
	repeat
		skynet.sleep(1)
	until connections[2]
	check.equal(read_packet(connections[2]), "\x80\2@n" .. string.pack("<I4", 2) .. skynet.packstring "abc")
	answer = nil
	local text = string.pack("<I4B", 2, 1) .. skynet.packstring "done"
	socket.write(connections[2], string.pack(">s2", text))
	repeat
		skynet.sleep(1)
	until answer
	check.equal(answer, { true, "done" })
	socket.close(listener)
end

function cases.requests_give_up_when_the_node_stays_away()
	if not check.ours then
		return -- no such option
	end
	open()
	local listener = socket.listen("127.0.0.1", check.port(4))
	local connection
	socket.start(listener, function(fd)
		socket.start(fd)
		connection = fd
	end)
	cluster.reload { __reconnect = 0.05, away = "127.0.0.1:" .. check.port(4) }
	skynet.fork(pcall, cluster.call, "away", 1, "x")
	repeat
		skynet.sleep(1)
	until connection
	socket.close(listener)
	socket.close(connection)
	local sender = cluster.get_sender "away"
	repeat
		skynet.sleep(1)
	until skynet.call(sender, "lua", "status") == "lost"
	fails(cluster.call, "away", 1, "y")
	cluster.reload { away = false }
	repeat
		skynet.sleep(1)
	until skynet.call(sender, "lua", "status") == "closed"
	fails(cluster.call, "away", 1, "z")
	cluster.reload { away = SELF }
	repeat
		skynet.sleep(1)
	until skynet.call(sender, "lua", "status") == "up"
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
	repeat
		skynet.sleep(1)
	until skynet.call(sender, "lua", "status") == "lost"
	return sender
end

function cases.calls_to_a_node_that_is_down_fail_at_once_until_it_is_back()
	if not check.ours then
		return -- the C core's sender has no status to wait for
	end
	local node = plain_node(FAKE)
	cluster.reload { __reconnect = false, down = FAKE }
	take_down("down", node)
	for _ = 1, 3 do
		local ok, problem =
			pcall(skynet.call_timeout, 3000, cluster.get_sender "down", "lua", "req", 1, skynet.pack "x")
		check.equal(ok, false)
		assert(string.find(problem, "call failed", 1, true), problem)
	end
	check.raises("call failed\n\t(to :00000001 of cluster node [down])", cluster.call, "down", 1, "x")
	node = plain_node(FAKE)
	repeat -- for a tenth of a second after a try has failed there is no other one
		cluster.send("down", 1, "is it back?")
		skynet.sleep(1)
	until node.connections[1]
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
	repeat
		skynet.sleep(1)
	until node.connections[1]
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
	cluster.reload { __reconnect = false, __heartbeat = 1, silent = FAKE, alive = SELF }
	local p = peer()
	local slow
	skynet.fork(function()
		slow = { pcall(cluster.call, "alive", p, "sleep", 250, "slow") }
	end)
	local sender = cluster.get_sender "alive"
	check.raises("call failed", cluster.call, "silent", 1, "x")
	repeat
		skynet.sleep(1)
	until slow
	check.equal(slow, { true, "slow" }, "a slow service is no silent node")
	check.equal(figures_of "alive".reconnects, 0)
	check.equal(skynet.call(sender, "lua", "status"), "up")
	cluster.reload { __heartbeat = false, silent = false, alive = false }
	node.close()
end

function cases.a_node_that_accepts_and_closes_is_not_dialled_without_pause()
	if not check.ours then
		return -- no heartbeat
	end
	local count = 0
	local listener = socket.listen("127.0.0.1", check.port(4))
	socket.start(listener, function(fd)
		count = count + 1
		socket.close_fd(fd)
	end)
	cluster.reload { __heartbeat = 100, closing = "127.0.0.1:" .. check.port(4) }
	pcall(cluster.call, "closing", 1, "x")
	-- The pauses are 10 to 20, 20 to 40, 40 to 80, ... of the wheel, which may hurry after the clock: so not each is measured.
	skynet.sleep(300)
	assert(count < 30, count)
	check.await(function()
		return count >= 5
	end)
	cluster.reload { __heartbeat = false, closing = false }
	socket.close(listener)
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
	repeat
		skynet.sleep(10)
	until not pcall(cluster.call, "frozen", "@sink", 1) -- it would wait for ever
	socket.close(node.listener)
	socket.close(node.fd)
	cluster.reload { frozen = false }
end

function cases.operators_see_where_nodes_are_and_what_waits()
	if not check.ours then
		return -- nobody tells
	end
	open()
	cluster.call("me", peer(), "echo", "x")
	fails(cluster.call, "nobody", 5, "x")
	local lines = skynet.call(skynet.uniqueservice "clusterd", "lua", "report")
	assert(string.find(lines.me, SELF .. ", connected, waiting: 0 (0 bytes)", 1, true), lines.me)
	assert(string.find(lines.nobody, "not connected", 1, true), lines.nobody)
	check.equal(lines.off, "down")
end

function cases.a_connection_that_nobody_uses_is_closed_and_made_again()
	if not check.ours then
		return -- no such option
	end
	open()
	cluster.reload { __idle = 0.2, seldom = SELF }
	check.equal(cluster.call("seldom", peer(), "echo", 1), 1)
	local sender = cluster.get_sender "seldom"
	for round = 2, 3 do
		repeat
			skynet.sleep(1)
		until skynet.call(sender, "lua", "status") == "idle"
		check.equal(figures_of("seldom").up, true, "there is nothing wrong with it")
		-- Several at once, and a send first.
		local service, answers = peer(), 0
		cluster.send("seldom", service, "remember", round)
		for i = 1, 5 do
			skynet.fork(function()
				check.equal(cluster.call("seldom", service, "echo", i), i)
				answers = answers + 1
			end)
		end
		repeat
			skynet.sleep(1)
		until answers == 5
		check.equal(cluster.call("seldom", service, "remembered"), round)
	end
	check.equal(figures_of("seldom").reconnects, 2)
	check.equal(figures_of("seldom").failed, 0)
	cluster.reload { __idle = 0 }
end

check.run(cases)
