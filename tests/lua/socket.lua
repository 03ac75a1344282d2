-- skynet.socket over the loopback: streams, ends, limits, hand-over, datagrams.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"
local pair = require "connected"

local cases = {}

local BIG <const> = string.rep("0123456789abcdef", 64 * 1024) -- 1 MiB

function cases.listening_on_a_port_in_use_says_so_where_it_stands()
	if not check.ours then
		return -- it says `Listen error`, of a line of its own
	end
	local listener, _, port = socket.listen("127.0.0.1", 0)
	local ok, problem = pcall(function()
		local id = socket.listen("127.0.0.1", port)
		return id
	end)
	check.equal(ok, false)
	local first, second = string.match(problem, "^([^\n]*)\n\t(.*)")
	assert(string.find(first, "socket.lua:%d+: Listen error$"), problem)
	check.equal(second, string.format("listen 127.0.0.1:%d: Address already in use", port))
	socket.close(listener)
end

function cases.listen_tells_the_bound_port()
	local listener, host, port = socket.listen("127.0.0.1:0")
	check.equal(host, "127.0.0.1")
	assert(port > 0)
	check.raises("", socket.listen, host, port)
	socket.close(listener)
	check.equal(socket.invalid(listener), true)
end

function cases.a_listener_that_was_closed_leaves_its_address()
	local listener, host, port = socket.listen("127.0.0.1", 0)
	for round = 1, 100 do
		local accepted = {}
		socket.start(listener, function(id)
			accepted[#accepted + 1] = id
			socket.start(id)
			socket.write(id, "line\n")
		end)
		local first = assert(socket.open(host, port))
		check.equal(socket.readline(first), "line")
		local last = assert(socket.open(host, port))
		socket.close(listener)
		listener = socket.listen(host, port)
		socket.close(first)
		socket.close(last)
		for _, id in ipairs(accepted) do
			socket.close(id)
		end
		assert(#accepted >= 1, round)
	end
	socket.close(listener)
end

function cases.lines_and_blocks_are_read_as_asked()
	local a, b = pair()
	socket.write(a, "one\ntwo\r\n\rthree")
	socket.write(a, { "fo", "ur", "!" })
	check.equal(socket.readline(b), "one")
	check.equal(socket.readline(b, "\r\n"), "two")
	check.equal(socket.read(b, 6), "\rthree")
	check.equal(socket.read(b, 4), "four")
	check.equal(socket.read(b), "!")
	check.equal(socket.header "\1\2", 258)
	skynet.fork(function()
		skynet.yield()
		socket.write(a, "x")
		skynet.sleep(1)
		socket.write(a, "yz")
	end)
	check.equal(socket.read(b, 3), "xyz")
	socket.close(a)
	check.equal({ socket.readline(b) }, { false, "" })
	check.equal({ socket.read(b) }, { false, "" })
	check.equal(socket.disconnected(b), true)
	socket.close(b)
	check.equal(socket.disconnected(b), nil)
end

function cases.what_came_before_the_end_can_be_read()
	local a, b = pair()
	socket.write(a, "tail")
	socket.close(a)
	check.equal({ socket.read(b, 10) }, { false, "tail" })
	socket.close(b)
	a, b = pair()
	socket.write(a, "all")
	skynet.fork(socket.close, a)
	check.equal(socket.readall(b), "all")
	check.equal(socket.readall(b), false)
	socket.close(b)
end

function cases.close_lets_the_reader_finish()
	local a, b = pair()
	local got
	local reader = skynet.fork(function()
		got = { socket.read(b, 100) }
	end)
	skynet.yield()
	socket.write(a, "part")
	skynet.sleep(2)
	socket.close(b)
	check.equal(got, { false, "part" })
	check.equal(socket.invalid(b), true)
	socket.close(a)
	socket.close(b) -- again: nothing
end

function cases.large_transfers_pause_and_go_on()
	local a, b = pair()
	socket.write(a, BIG)
	skynet.sleep(5) -- nobody reads: b is paused
	check.equal(#socket.read(b, #BIG), #BIG)
	skynet.fork(function()
		for _ = 1, 4 do
			socket.write(a, BIG)
		end
		socket.close(a)
	end)
	local total = 0
	while true do
		local bytes = socket.read(b)
		if not bytes then
			break
		end
		total = total + #bytes
	end
	check.equal(total, 4 * #BIG)
	socket.close(b)
end

function cases.block_waits_for_input()
	local a, b = pair()
	skynet.timeout(1, function()
		socket.write(a, "x")
	end)
	check.equal(socket.block(b), true)
	check.equal(socket.read(b), "x")
	skynet.timeout(1, function()
		socket.close(a)
	end)
	check.equal(socket.block(b), false)
	socket.close(b)
	check.equal(socket.block(b), false)
end

function cases.refused_connections_say_why()
	local listener, host, port = socket.listen("127.0.0.1", 0)
	socket.close(listener)
	local id, problem = socket.open(host, port)
	check.equal(id, nil)
	check.equal(problem, "Connection refused")
end

function cases.end_is_told_once()
	local a, b = pair()
	local ended = {}
	socket.onclose(b, function(id)
		ended[#ended + 1] = id
	end)
	socket.close(a)
	socket.readall(b)
	socket.close(b)
	skynet.sleep(1)
	check.equal(ended, { b })
end

function cases.too_much_input_closes_a_limited_socket()
	local a, b = pair()
	socket.limit(b, 1000)
	socket.write(a, string.rep("x", 5000))
	check.equal(socket.readline(b), false)
	socket.close(a)
	socket.close(b)
end

function cases.output_that_piles_up_is_reported()
	local a, b = pair()
	local sizes = {}
	socket.warning(a, function(id, kilobytes)
		check.equal(id, a)
		sizes[#sizes + 1] = kilobytes
	end)
	socket.pause(b)
	local written, total = 0, 0
	repeat
		socket.write(a, BIG)
		written = written + #BIG
		skynet.sleep(0)
	until #sizes > 0
	while total < written do
		total = total + #assert(socket.read(b))
	end
	repeat
		skynet.sleep(1)
	until sizes[#sizes] == 0
	assert(sizes[1] >= 1024)
	socket.close(a)
	socket.close(b)
end

function cases.output_is_refused_only_while_the_other_side_takes_nothing()
	if not check.ours then
		return -- a module of our own
	end
	local a, b = pair()
	local out = require "skynet.internal.outflow".watch(a, 2 * #BIG, 1000)
	local refusal = out.refusal
	local written, total = 0, 0
	local function write(count)
		for _ = 1, count do
			socket.write(a, BIG)
			written = written + #BIG
		end
	end
	write(16)
	check.equal(refusal(), nil, "a burst")
	socket.pause(b)
	write(16)
	local why
	repeat
		skynet.sleep(10)
		why = refusal()
	until why
	assert(string.find(why, "it has taken none of them", 1, true), why)
	assert(select(2, out.waiting()) >= 2 * #BIG)
	while total < written do
		total = total + #assert(socket.read(b))
	end
	repeat
		skynet.sleep(1)
	until not refusal()
	write(1)
	socket.close(a)
	while total < written do
		total = total + #assert(socket.read(b))
	end
	check.equal(socket.read(b), false)
	socket.close(b)
end

-- Seconds until the kernel asks the peer of the connection with this local port; nil: it will not.
local function asks_in(port)
	for line in io.lines "/proc/net/tcp" do
		local found, kind, ticks = string.match(line, "^%s*%d+: %x+:(%x+) %x+:%x+ 01 %x+:%x+ (%x+):(%x+)")
		if found and tonumber(found, 16) == port then
			return kind == "02" and tonumber(ticks, 16) / 100 or nil
		end
	end
	error "no such connection"
end

-- asks_in(port), when the socket server has done what it was asked for.
local function asks_between(port, least, most)
	for _ = 1, 1000 do
		local time = asks_in(port)
		if (time or 0) > least and (time or 0) <= most then
			return true
		end
		skynet.sleep(1)
	end
	return asks_in(port)
end

function cases.peers_are_asked_after_the_silence_that_one_says()
	if not (check.ours and io.open "/proc/net/tcp") then
		return
	end
	local accepted
	local listener, host, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		socket.start(id)
		accepted = id
	end)
	check.equal(socket.keepalive(listener, "500 20 3"), true)
	local id = assert(socket.open(host, port))
	while not accepted do
		skynet.sleep(1)
	end
	check.equal(asks_between(port, 300, 500), true) -- inherited
	check.equal(socket.keepalive(accepted, 100), true)
	check.equal(asks_between(port, 10, 100), true)
	check.equal(socket.keepalive(accepted, "off"), true)
	check.equal(asks_between(port, -1, 0), true)
	for _, times in ipairs { 0, 40000, "10 0", "10 1 128", "x", "", 1.5, "off 1" } do
		check.equal(socket.keepalive(accepted, times), false)
	end
	socket.close(id)
	socket.close(accepted)
	socket.close(listener)
	check.equal(socket.keepalive(listener + 1000, "10"), false)
end

function cases.a_task_that_is_killed_while_it_connects_leaves_no_connection()
	if not check.ours then
		return -- nobody knows the connection, which stays
	end
	local ended, accepted = 0, 0
	local listener, host, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		accepted = accepted + 1
		socket.start(id)
		check.equal(socket.read(id), false)
		socket.close(id)
		ended = ended + 1
	end)
	for _ = 1, 10 do
		local task = skynet.fork(socket.open, host, port)
		skynet.yield()
		skynet.killthread(task)
	end
	local last = assert(socket.open(host, port)) -- is accepted behind them
	while accepted == 0 or ended < accepted - 1 do
		skynet.sleep(1)
	end
	socket.close(last)
	socket.close(listener)
end

function cases.sockets_can_be_given_away()
	local a, b = pair()
	socket.write(a, "for the next owner")
	skynet.sleep(1)
	socket.abandon(b)
	check.equal(socket.invalid(b), true)
	assert(socket.start(b))
	socket.write(a, "\nnext\n")
	repeat
		local line = assert(socket.readline(b))
	until line == "next"
	socket.shutdown(b)
	check.equal(socket.read(b), false)
	socket.close(b)
	socket.close(a)
	local _, spare = pair()
	socket.abandon(spare)
	socket.close_fd(spare)
end

function cases.datagrams_find_their_way()
	local got, token = {}, {}
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.close(listener) -- its port is free now, for UDP as well
	local server
	server = socket.udp_listen("127.0.0.1", port, function(data, from)
		local host, source = socket.udp_address(from)
		check.equal(host, "127.0.0.1")
		assert(source > 0)
		socket.sendto(server, from, "echo " .. data)
	end)
	local function take(data)
		got[#got + 1] = data
		skynet.wakeup(token)
	end
	local client = socket.udp(take)
	socket.udp_connect(client, "127.0.0.1", port)
	socket.write(client, "one")
	skynet.wait(token)
	local dialled = socket.udp_dial("127.0.0.1", port, take)
	socket.write(dialled, "two")
	skynet.wait(token)
	check.equal(got, { "echo one", "echo two" })
	for _, id in ipairs { server, client, dialled } do
		socket.close(id)
	end
end

function cases.second_reader_is_refused()
	local a, b = pair()
	skynet.fork(socket.read, b, 10)
	skynet.yield()
	check.equal(pcall(socket.read, b, 10), false)
	socket.close(a)
	socket.close(b)
	check.equal(pcall(socket.read, b), false)
end

-- The C core reads what there is, whatever its service does.
if check.ours then
	function cases.what_a_busy_service_cannot_handle_is_not_read()
		local size <const>, most <const> = 16 * 1024 * 1024, 4 * 1024 * 1024
		local reader = skynet.newservice "busy_reader"
		local fd = assert(socket.open("127.0.0.1", skynet.call(reader, "lua", "port")))
		socket.write(fd, string.rep("x", size))
		local function bytes_read()
			for _, info in ipairs(socket.netstat()) do
				if info.address == reader and info.type == "TCP" then
					return info.read
				end
			end
			return 0
		end
		local before, still = -1, 0
		repeat -- until it does not change any more
			skynet.sleep(2)
			local now = bytes_read()
			still = now == before and still + 1 or 0
			before = now
		until now > 0 and still == 10
		assert(before < most, before)
		skynet.setenv("busy_reader_may_go_on", "yes")
		repeat
			skynet.sleep(1)
		until skynet.call(reader, "lua") == size
		socket.close(fd)
	end

	function cases.datagrams_that_a_busy_service_cannot_handle_are_not_read()
		local receiver = skynet.newservice "busy_receiver"
		local port = skynet.call(receiver, "lua", "port")
		local told = {}
		local me = socket.udp(function(text)
			told[#told + 1] = text
		end, "127.0.0.1", 0)
		socket.udp_connect(me, "127.0.0.1", port)
		local function read()
			for _, info in ipairs(socket.netstat()) do
				if info.address == receiver and info.type == "UDP" then
					return info.read
				end
			end
		end
		socket.write(me, "begin")
		local sent, before, still = 0, -1, 0
		repeat -- until no more are taken, whatever is sent
			for _ = 1, 1000 do
				socket.write(me, "x")
			end
			sent = sent + 1000
			skynet.sleep(1)
			local now = read()
			still = now == before and still + 1 or 0
			before = now
		until now > 0 and still == 20
		assert(before < 50000 and sent > before, before)
		skynet.setenv("busy_receiver_may_go_on", "yes")
		repeat -- what the system has dropped is gone; it goes on with what comes now
			socket.write(me, "answer")
			skynet.sleep(2)
		until told[1]
		check.equal(told[1], "answered")
		socket.close(me)
	end
end

check.run(cases)
