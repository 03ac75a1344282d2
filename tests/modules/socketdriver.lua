-- skynet.socketdriver
local skynet = require "skynet"
local check = require "check"
local driver = require "skynet.socketdriver"

local DATA, CONNECT, CLOSE, ACCEPT, ERROR, UDP = 1, 2, 3, 4, 5, 6

-- Events by socket and kind; waiting(id, kind) takes the next one of them.
local events, waiter = {}, nil

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = driver.unpack,
	dispatch = function(_, _, kind, id, ud, data, address)
		if type(data) == "userdata" then
			local text = skynet.tostring(data, ud)
			driver.drop(data, ud)
			data = text
		end
		local key = id << 3 | kind
		events[key] = events[key] or {}
		table.insert(events[key], { ud = ud, data = data, address = address })
		if waiter then
			skynet.wakeup(waiter)
			waiter = nil
		end
	end,
}

local function waiting(id, kind)
	local key = id << 3 | kind
	while not (events[key] and events[key][1]) do
		waiter = coroutine.running()
		skynet.wait(waiter)
	end
	return table.remove(events[key], 1)
end

--- Reads `size` bytes, in however many events they come.
local function read(id, size)
	local text = ""
	while #text < size do
		text = text .. waiting(id, DATA).data
	end
	return text
end

--- A listening socket and its port.
local function listen(address, ...)
	local id = driver.listen(address, ...)
	local event = waiting(id, CONNECT)
	driver.start(id)
	check.equal(waiting(id, CONNECT).data, "start")
	return id, event.ud, event.data
end

--- Both ends of a new connection.
local function connection()
	local server, port = listen("127.0.0.1", 0)
	local client = driver.connect("127.0.0.1", port)
	local peer = waiting(server, ACCEPT)
	check.equal(waiting(client, CONNECT).data, "127.0.0.1")
	driver.start(peer.ud)
	check.equal(waiting(peer.ud, CONNECT).data, "start")
	driver.close(server)
	return client, peer.ud
end

local function close(id)
	driver.close(id)
	waiting(id, CLOSE)
end

local function filled(...)
	local buffer, pool = driver.buffer(), {}
	for _, text in ipairs { ... } do
		driver.push(buffer, pool, driver.str2p(text))
	end
	return buffer, pool
end

local cases = {}

function cases.pushing_returns_the_bytes_in_the_buffer()
	local buffer, pool = driver.buffer(), {}
	check.equal(driver.push(buffer, pool, driver.str2p "abc"), 3)
	check.equal(driver.push(buffer, pool, driver.str2p ""), 3)
	check.equal(driver.push(buffer, pool, driver.str2p "de"), 5)
	check.equal({ driver.pop(buffer, pool, 4) }, { "abcd", 1 })
end

function cases.popping_takes_exactly_what_is_asked_for()
	local buffer, pool = filled("hello", " ", "world")
	check.equal({ driver.pop(buffer, pool, 0) }, { nil, 11 })
	check.equal({ driver.pop(buffer, pool, 12) }, { nil, 11 })
	check.equal({ driver.pop(buffer, pool, 2) }, { "he", 9 })
	check.equal({ driver.pop(buffer, pool, 3) }, { "llo", 6 })
	check.equal({ driver.pop(buffer, pool, 4) }, { " wor", 2 })
	check.equal({ driver.pop(buffer, pool, 2) }, { "ld", 0 })
	check.equal({ driver.pop(buffer, pool, 1) }, { nil, 0 })
end

function cases.a_line_may_be_spread_over_blocks()
	local buffer, pool = filled("one\r", "\ntwo", "\r\n", "\r\nthree\r\n")
	check.equal(driver.readline(buffer, nil, "\r\n"), true)
	check.equal(driver.readline(buffer, pool, "\r\n"), "one")
	check.equal(driver.readline(buffer, pool, "\r\n"), "two")
	check.equal(driver.readline(buffer, pool, "\r\n"), "")
	check.equal(select("#", driver.readline(buffer, nil, "x")), 0)
	check.equal(driver.readline(buffer, pool, "\r\n"), "three")
	check.equal(select("#", driver.readline(buffer, pool, "\r\n")), 0)
end

function cases.a_line_is_found_when_its_end_comes()
	local buffer, pool = driver.buffer(), {}
	for part in ("a line, a part\r\r at a time\r\n"):gmatch "." do
		check.equal(select("#", driver.readline(buffer, nil, "\r\n")), 0)
		driver.push(buffer, pool, driver.str2p(part))
	end
	check.equal(driver.readline(buffer, nil, "\r\n"), true)
	check.equal({ driver.pop(buffer, pool, 2) }, { "a ", 26 })
	check.equal(driver.readline(buffer, pool, "\r\n"), "line, a part\r\r at a time")
end

function cases.all_is_read_or_forgotten_at_once()
	local buffer, pool = filled("abc", "def", ("x"):rep(5000))
	driver.pop(buffer, pool, 2)
	check.equal(driver.readall(buffer, pool), "cdef" .. ("x"):rep(5000))
	check.equal(driver.readall(buffer, pool), "")
	driver.push(buffer, pool, driver.str2p "more")
	driver.clear(buffer, pool)
	check.equal({ driver.pop(buffer, pool, 1) }, { nil, 0 })
	driver.clear(nil)
end

function cases.a_thousand_blocks_are_kept_in_order()
	local buffer, pool, expected = driver.buffer(), {}, {}
	for i = 1, 1000 do
		expected[i] = tostring(i)
		driver.push(buffer, pool, driver.str2p(expected[i]))
	end
	check.equal(driver.readall(buffer, pool), table.concat(expected))
end

function cases.a_header_is_a_number_with_the_highest_byte_first()
	check.equal(driver.header "\x7f", 0x7f)
	check.equal(driver.header "\x01\x02", 0x102)
	check.equal(driver.header "\xff\xfe\xfd", 0xfffefd)
	check.equal(driver.header "\xff\xff\xff\xfe", 0xfffffffe)
	check.raises("Invalid read", driver.header, "")
	check.raises("Invalid read 12345", driver.header, "12345")
end

function cases.wrong_arguments_are_refused()
	check.raises("need buffer object at param 1", driver.push, nil, {}, nil, 0)
	check.raises("need message block at param 3", driver.push, driver.buffer(), {}, nil, 0)
	for _, name in ipairs { "pop", "readall", "readline" } do
		check.raises("Need buffer object at param 1", driver[name], nil, {}, "x")
	end
	check.raises("Need buffer object at param 1", driver.clear, 1, {})
	check.raises("table expected", driver.pop, driver.buffer(), nil, 1)
end

function cases.an_address_needs_a_valid_port()
	for _, open in ipairs { driver.connect, driver.listen, driver.udp, driver.udp_dial, driver.udp_listen } do
		check.raises("Invalid address 127.0.0.1.", open, "127.0.0.1")
		check.raises("Invalid address [::1.", open, "[::1")
		check.raises("Invalid address [::1].", open, "[::1]")
		check.raises("Invalid port in address 127.0.0.1:.", open, "127.0.0.1:")
		check.raises("Invalid port in address 127.0.0.1:x.", open, "127.0.0.1:x")
		check.raises("Invalid port in address [::1]:65536.", open, "[::1]:65536")
		check.raises("Invalid port in address a:-1.", open, "a:-1")
	end
	check.raises("Invalid port", driver.connect, "127.0.0.1:0")
	check.raises("Listen error", driver.listen, "1.2.3.4:9")
	check.raises("udp init failed", driver.udp, "1.2.3.4:9")
	check.raises("udp listen host failed", driver.udp_listen, "1.2.3.4:9")
end

function cases.a_listening_socket_tells_its_address()
	local id, port, ip = listen("127.0.0.1:0")
	check.equal(ip, "127.0.0.1")
	assert(port > 0)
	check.raises("Listen error", driver.listen, "127.0.0.1", port)
	if check.ours then -- the C core's module has no reason
		local where = string.format("listen 127.0.0.1:%d: Address already in use", port)
		check.raises(where, driver.listen, "127.0.0.1", port)
		check.raises(where, driver.listen, "127.0.0.1:" .. port)
	end
	close(id)
end

function cases.every_form_of_data_arrives()
	local client, peer = connection()
	assert(driver.send(client, "text;"))
	assert(driver.send(client, { "a", "table", "", ";" }))
	assert(driver.send(client, { 1, 2.5, ";" }))
	assert(driver.send(
		client,
		setmetatable({}, {
			__index = function(_, i)
				return ({ "by", "index;" })[i]
			end,
		})
	))
	assert(driver.send(client, driver.str2p "block;"))
	assert(driver.send(client, 42))
	assert(driver.lsend(client, "low;"))
	assert(driver.lsend(client, {}))
	local expected = "text;atable;12.5;byindex;block;42low;"
	check.equal(read(peer, #expected), expected)
	check.raises("string expected", driver.send, client, { "a", {} })
	check.raises("string expected", driver.send, client, nil)
	close(client)
	waiting(peer, CLOSE)
	driver.close(peer)
end

function cases.sending_to_a_socket_that_is_gone_is_false()
	check.equal(driver.send(0x7ffffff0, "text"), false)
	check.equal(driver.send(0x7ffffff0, driver.str2p "block"), false)
	check.equal(driver.send(0x7ffffff0, { "table" }), false)
end

function cases.a_paused_socket_is_silent_until_it_is_started()
	local client, peer = connection()
	driver.nodelay(peer)
	driver.pause(client)
	driver.send(peer, "late")
	driver.start(client)
	check.equal(waiting(client, CONNECT).data, "transfer")
	check.equal(read(client, 4), "late")
	driver.shutdown(client)
	waiting(client, CLOSE)
	waiting(peer, CLOSE)
	driver.close(peer)
end

function cases.a_refused_connection_says_so()
	local server, port = listen("127.0.0.1:0")
	close(server)
	check.equal(waiting(driver.connect("127.0.0.1:" .. port), ERROR).data, "Connection refused")
end

function cases.datagrams_carry_their_sender()
	local here = driver.udp_listen("127.0.0.1", 28931)
	local there = driver.udp_dial("127.0.0.1:28931")
	assert(driver.send(there, "ping"))
	local event = waiting(here, UDP)
	check.equal(event.data, "ping")
	check.equal(event.ud, 4)
	check.equal(#event.address, 7)
	local ip, port = driver.udp_address(event.address)
	check.equal(ip, "127.0.0.1")
	assert(port > 0)
	assert(driver.udp_send(here, event.address, "pong"))
	assert(driver.udp_send(here, event.address, { "po", "ng" }))
	check.equal(waiting(there, UDP).data, "pong")
	check.equal(waiting(there, UDP).data, "pong")
	local third = driver.udp()
	driver.udp_connect(third, "127.0.0.1", 28931)
	driver.send(third, "third")
	check.equal(waiting(here, UDP).data, "third")
	check.raises("udp connect failed", driver.udp_connect, third, "no such host", 1)
	for _, id in ipairs { here, there, third } do
		driver.close(id)
	end
end

function cases.an_udp_address_is_ip_and_port()
	check.equal({ driver.udp_address "\1\x71\x40\x7f\0\0\1" }, { "127.0.0.1", 28992 })
	check.equal({ driver.udp_address("\2\0\x50" .. ("\0"):rep(15) .. "\1") }, { "::1", 80 })
	check.raises("Invalid udp address", driver.udp_address, "")
	check.raises("Invalid udp address", driver.udp_address, "\1\0\0\0\0\0\0\0")
end

function cases.statistics_describe_every_socket()
	local client, peer = connection()
	local server, port = listen("127.0.0.1", 0)
	driver.send(client, "12345")
	read(peer, 5)
	local found = {}
	for _, socket in ipairs(driver.info()) do
		found[socket.id] = socket
	end
	check.equal(found[server].type, "LISTEN")
	check.equal(found[server].accept, 0)
	check.equal(found[server].sock, "127.0.0.1:" .. port)
	check.equal(found[client].type, "TCP")
	check.equal(found[client].address, skynet.self())
	check.equal(found[client].write, 5)
	check.equal(found[client].wbuffer, 0)
	check.equal(found[peer].read, 5)
	check.equal(found[peer].reading, true)
	check.equal(found[peer].writing, false)
	assert(found[peer].peer:find "^127%.0%.0%.1:%d+$")
	for _, name in ipairs { "rtime", "wtime" } do
		check.equal(math.type(found[peer][name]), "integer")
	end
	for _, id in ipairs { client, peer, server } do
		driver.close(id)
	end
end

function cases.a_name_is_resolved_to_addresses()
	local addresses = driver.resolve "127.0.0.1"
	check.equal(addresses[1], "127.0.0.1")
	assert(not pcall(driver.resolve, "no such host"))
end

check.run(cases)
