-- What nodes agree on for their connections: windows, compression, several connections, and how a connection ends in order.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local check = require "check"
local farewell = require "skynet.internal.clusterfarewell"
local nodes = require "cluster_nodes"
local outbatch = require "skynet.internal.outbatch"
local windows = require "skynet.internal.clusterwindow"

local cases = {}
local SELF <const>, FAKE <const> = nodes.SELF, nodes.FAKE
local fake_node = nodes.fake

local function options(list)
	local off = {}
	for _, name in ipairs { "window", "window_bytes", "compress", "connections", "reconnect" } do
		off["__" .. name] = list["__" .. name] or false
	end
	for name, value in pairs(list) do
		off[name] = value
	end
	cluster.reload(off)
end

function cases.a_node_without_options_is_asked_for_nothing_but_what_is_called()
	options { plain = FAKE }
	local node = fake_node(FAKE, {}, function(session, _, text, answer)
		answer(session, true, text)
	end)
	check.equal(cluster.call("plain", 5, "x"), "x")
	check.equal(node.names, {})
	check.equal(#node.raw, 1)
	node.close()
	options { plain = false }
end

function cases.a_node_that_knows_no_more_than_the_c_core_gets_packets_of_the_c_core()
	local place = "127.0.0.1:" .. check.port(4)
	options { __compress = 64, __window = 2, elder = place }
	local node = fake_node(place, {}, function(session, _, text, answer)
		answer(session, true, text)
	end)
	local text = string.rep("y", 5000)
	check.equal(cluster.call("elder", 5, text), text)
	check.await(function()
		return node.names[1]
	end)
	check.equal(cluster.call("elder", 5, text), text)
	check.equal(node.names, { "cluster_hello 1 drain lz4=64" })
	for _, packet in ipairs(node.raw) do
		check.equal(string.byte(packet), 0)
	end
	node.close()
	options { elder = false }
end

function cases.what_was_agreed_ends_with_the_process_that_agreed()
	local place = "127.0.0.1:" .. check.port(4)
	options { __compress = 64, changed = place }
	local function echo(session, _, text, answer)
		answer(session, true, text)
	end
	local node = fake_node(place, { cluster_hello = "drain lz4 window=5/0", cluster_notice = false }, echo)
	local text = string.rep("y", 5000)
	check.await(function()
		check.equal(cluster.call("changed", 5, text), text)
		return string.byte(node.raw[#node.raw]) == 16
	end)
	node.close()
	-- One that knows nothing of it is at the address now.
	node = fake_node(place, {}, echo)
	check.await(function()
		local ok, answer = pcall(cluster.call, "changed", 5, text)
		return ok and answer == text
	end)
	check.equal(cluster.call("changed", 5, text), text)
	for _, packet in ipairs(node.raw) do
		check.equal(string.byte(packet), 0)
	end
	node.close()
	options { changed = false }
end

function cases.messages_are_compressed_where_both_sides_know_it()
	nodes.open()
	options { __compress = 100, me = SELF, squeezed = FAKE }
	local p = nodes.peer()
	cluster.reload { packed = SELF }
	cluster.call("packed", p, "echo", 1)
	for _, size in ipairs { 90, 200, 0x7ff0, 0x8001, 300000 } do
		local text = string.rep("abc", size // 3) .. size
		check.equal(cluster.call("packed", p, "echo", text), text)
		cluster.send("packed", p, "remember", text)
		check.equal(cluster.call("packed", p, "remembered"), text)
	end
	local noise = {}
	for i = 1, 40000 do
		noise[i] = string.char(math.random(0, 255))
	end
	noise = table.concat(noise)
	check.equal(cluster.call("packed", p, "echo", noise), noise)
	-- What is on the wire.
	local node = fake_node(
		FAKE,
		{ cluster_hello = "drain lz4", cluster_notice = false },
		function(session, _, text, answer)
			answer(session, true, text)
		end
	)
	local text = string.rep("z", 5000)
	local small
	check.await(function()
		check.equal(cluster.call("squeezed", 5, text), text)
		for _, packet in ipairs(node.raw) do
			small = string.byte(packet) == 16 and packet or small
		end
		return small
	end)
	assert(#small < 200)
	node.close()
	options { squeezed = false }
end

function cases.no_more_than_the_window_is_under_way_and_what_waits_keeps_its_order()
	options { __window = 3, narrow = FAKE }
	local got, pending = {}, {}
	local node = fake_node(
		FAKE,
		{ cluster_hello = "drain window=2/0", cluster_notice = false },
		function(session, _, text, answer)
			table.insert(got, (skynet.unpack(text)))
			table.insert(pending, function()
				answer(session, true, text)
			end)
		end
	)
	local answered = 0
	skynet.fork(pcall, cluster.call, "narrow", 5, 0)
	check.await(function()
		return node.names[2] -- the notice: so the answer to the first has been read
	end)
	check.await(function()
		return pending[1]
	end)
	pending[1]()
	for i = 1, 8 do
		skynet.fork(function()
			check.equal(cluster.call("narrow", 5, i), i)
			answered = answered + 1
		end)
		skynet.yield()
	end
	for i = 2, 9 do
		check.await(function()
			return pending[i]
		end)
		assert(#got - (i - 2) - 1 <= 2, "the smaller window of both holds")
		pending[i]()
	end
	check.await(function()
		return answered == 8
	end)
	check.equal(got, { 0, 1, 2, 3, 4, 5, 6, 7, 8 })
	node.close()
	options { narrow = false }
end

function cases.sends_wait_until_those_before_them_are_passed_on()
	options { __window = 4, __reconnect = 30, narrow = FAKE }
	local got, hold = {}, false
	local node
	node = fake_node(
		FAKE,
		setmetatable({}, {
			__index = function(_, name)
				if hold and name == "heartbeat" then
					return false
				end
			end,
		}),
		function(_, _, text)
			table.insert(got, (skynet.unpack(text)))
		end
	)
	cluster.get_sender "narrow"
	hold = true -- it answers no heartbeat: so the sends are not acknowledged
	for i = 1, 20 do
		cluster.send("narrow", 5, i)
	end
	check.await(function()
		return #got >= 4
	end)
	skynet.sleep(10)
	assert(#got <= 4, #got)
	local figures = nodes.figures_of "narrow"
	check.equal(figures.waiting, 16)
	-- The connection is made anew: what waits is not lost.
	node.close()
	hold = false
	node = fake_node(FAKE, {}, function(_, _, text)
		table.insert(got, (skynet.unpack(text)))
	end)
	check.await(function()
		return got[#got] == 20
	end)
	node.close()
	options { narrow = false }
end

function cases.a_node_that_is_back_at_once_gets_what_is_sent_after_that()
	options { back = FAKE }
	local got = {}
	local node = fake_node(FAKE, {}, function(_, _, text)
		table.insert(got, (skynet.unpack(text)))
	end)
	local sent = 0
	local function send()
		sent = sent + 1
		cluster.send("back", 5, sent)
	end
	send() -- from here on the sender is known, and asked without a way round
	for _ = 1, 20 do
		check.await(function()
			return #got == sent
		end)
		cluster.reload { back = false }
		cluster.reload { back = FAKE }
		send()
		send()
	end
	check.await(function()
		return #got == sent
	end)
	check.equal(nodes.figures_of("back").dropped, 0)
	node.close()
	options { back = false }
end

function cases.a_window_that_becomes_smaller_than_what_is_under_way_opens_again()
	local asked = 0
	local window = windows.new(
		function()
			asked = asked + 1
		end,
		10,
		function()
			return 1000
		end
	)
	window.limit(100, nil)
	for _ = 1, 10 do
		assert(window.enter(1))
		window.sent(1)
	end
	check.equal(asked, 0)
	window.limit(4, nil)
	local entered = 0
	for _ = 1, 8 do
		skynet.fork(function()
			assert(window.enter(1))
			entered = entered + 1
			window.sent(1)
		end)
	end
	check.await(function()
		return entered == 8
	end)
	assert(asked >= 2, asked)
end

function cases.a_connection_that_cannot_be_written_to_does_not_hold_up_others()
	local written = {}
	local broken = outbatch.new(function()
		error "this one is broken"
	end)
	local well = outbatch.new(function(packet)
		table.insert(written, packet)
	end)
	for _, packet in ipairs { "a", "b", "c" } do
		broken:add(packet)
		well:add(packet)
		check.await(function()
			return written[#written] == packet
		end)
	end
	check.equal(written, { "a", "b", "c" })
end

function cases.services_use_several_connections_and_each_keeps_its_order()
	nodes.open()
	options { __connections = 3, wide = SELF }
	local p = nodes.peer()
	local callers, senders = {}, {}
	for i = 1, 6 do
		callers[i] = skynet.newservice "peer"
	end
	for i, caller in ipairs(callers) do
		senders[i] = skynet.call(caller, "lua", "sender_of", "wide")
		check.equal(skynet.call(caller, "lua", "sender_of", "wide"), senders[i])
	end
	local different = {}
	for _, sender in ipairs(senders) do
		different[sender] = true
	end
	local count = 0
	for _ in pairs(different) do
		count = count + 1
	end
	check.equal(count, 3)
	local got = {}
	skynet.dispatch("lua", function(_, _, who, number)
		got[who] = got[who] or {}
		table.insert(got[who], number)
	end)
	for i, caller in ipairs(callers) do
		skynet.send(caller, "lua", "send_numbers", "wide", skynet.self(), i, 200)
	end
	check.await(function()
		for i = 1, #callers do
			if not got[i] or #got[i] < 200 then
				return false
			end
		end
		return true
	end)
	for i = 1, #callers do
		for number = 1, 200 do
			check.equal(got[i][number], number)
		end
	end
	check.equal(nodes.figures_of("wide").up, true)
	skynet.kill(p)
	options { wide = false }
end

function cases.what_is_under_way_to_where_a_node_was_is_still_answered()
	nodes.open()
	options { mover = FAKE }
	local release
	local node = fake_node(FAKE, {}, function(session, _, text, answer)
		release = function()
			answer(session, true, text)
		end
	end)
	local result
	skynet.fork(function()
		result = { pcall(cluster.call, "mover", 5, "old") }
	end)
	check.await(function()
		return release
	end)
	cluster.reload { mover = SELF }
	check.equal(cluster.call("mover", nodes.peer(), "echo", "new"), "new")
	check.equal(result, nil)
	release()
	check.await(function()
		return result
	end)
	check.equal(result, { true, "old" })
	node.close()
end

function cases.a_node_that_drains_answers_what_is_under_way_and_tells_who_wants_to_know()
	local port = check.port(5)
	local address = "127.0.0.1:" .. port
	options { __reconnect = 10, drainer = address }
	cluster.open(port)
	local p = nodes.peer()
	check.equal(cluster.call("drainer", p, "echo", 1), 1)
	-- One that knows nothing of it, as the C core's.
	local elder = assert(socket.open(address))
	local function ask(session, ...)
		local text = string.pack("<BI4I4", 0, p, session) .. skynet.packstring(...)
		socket.write(elder, string.pack(">s2", text))
	end
	local function answer()
		local packet = nodes.read_packet(elder)
		return string.unpack("<I4", packet), string.byte(packet, 5), skynet.unpack(string.sub(packet, 6))
	end
	ask(1, "echo", "a")
	check.equal({ answer() }, { 1, 1, "a" })
	local told
	cluster.on_drain(function(drain)
		told = drain
	end)
	local slow
	skynet.fork(function()
		slow = { pcall(cluster.call, "drainer", p, "sleep", 50, "slow") }
	end)
	ask(2, "sleep", 30, "b")
	skynet.sleep(5)
	local counts
	skynet.fork(function()
		counts = cluster.drain { limit = 3000, to = "elsewhere" }
	end)
	check.await(function()
		return told
	end)
	check.equal(told, { time = 3000, to = "elsewhere" })
	check.equal({ answer() }, { 2, 1, "b" })
	check.equal(socket.read(elder), false, "it is ended when nothing is asked")
	socket.close(elder)
	check.await(function()
		return slow
	end)
	check.equal(slow, { true, "slow" })
	-- Those who know ask elsewhere, or wait for who takes its place.
	local later
	skynet.fork(function()
		later = { pcall(cluster.call, "drainer", p, "echo", 2) }
	end)
	check.await(function()
		return counts
	end)
	check.equal(counts.unfinished, 0)
	check.equal(counts.hooks, 1)
	assert(counts.connections >= 2)
	check.equal(socket.open(address), nil)
	cluster.open(port) -- the node is back
	check.await(function()
		return later
	end)
	check.equal(later, { true, 2 })
	options { drainer = false }
end

function cases.all_who_end_a_connection_are_told_how_that_went()
	skynet.dispatch("lua", function()
		farewell.begin(1000, {
			in_work = function()
				return 0
			end,
			finish = function()
				farewell.ended(0)
			end,
		})
	end)
	check.together(2, function()
		check.equal({ skynet.call(skynet.self(), "lua") }, { 0, 0 })
	end)
end

function cases.a_drain_ends_when_its_time_is_over()
	local port = check.port(6)
	options { __reconnect = 0.1, limited = "127.0.0.1:" .. port }
	cluster.open(port)
	local p = nodes.peer()
	check.equal(cluster.call("limited", p, "echo", 1), 1)
	local result
	skynet.fork(function()
		result = { pcall(cluster.call, "limited", p, "sleep", 100000) }
	end)
	check.await(function()
		return skynet.call(p, "debug", "STAT").task == 1
	end)
	local counts = cluster.drain { limit = 20 }
	check.equal(counts.unfinished, 1)
	check.await(function()
		return result
	end)
	check.equal(result[1], false)
	cluster.open(0) -- ends the drain
	options { limited = false }
end

check.run(cases)
