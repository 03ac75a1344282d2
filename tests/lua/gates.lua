-- Gates: connections and packets, logged-in users, and the login server.
local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local check = require "check"
local clients = require "gate_clients"

local packet, read_packet, hello, ask = clients.packet, clients.read_packet, clients.hello, clients.ask
local message_server, log_in = clients.message_server, clients.log_in

local cases = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
}

-- What the gate tells its watchdog, and what is forwarded to the agent: this service is both.
local told, forwarded = {}, {}

local function watch(gate)
	told = {}
	skynet.dispatch("lua", function(_, source, ...)
		if source == gate then
			table.insert(told, { ... })
		end
	end)
	skynet.dispatch("client", function(fd, source, text)
		skynet.ignoreret()
		forwarded[#forwarded + 1] = { fd, source, text }
	end)
end

function cases.packets_go_to_the_watchdog_or_the_agent()
	local gate = skynet.newservice "gate"
	watch(gate)
	local address, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, nodelay = true })
	check.equal(address, "127.0.0.1")
	local client = socket.open("127.0.0.1", port)
	local event, kind, fd, from = table.unpack(check.next_of(told))
	check.equal({ event, kind }, { "socket", "open" })
	assert(string.find(from, "^127%.0%.0%.1:%d+$"))

	skynet.call(gate, "lua", "accept", fd)
	socket.write(client, packet "one" .. packet "two" .. string.sub(packet "three", 1, 4))
	socket.write(client, string.sub(packet "three", 5))
	for _, text in ipairs { "one", "two", "three" } do
		check.equal(check.next_of(told), { "socket", "data", fd, text })
	end

	skynet.call(gate, "lua", "forward", fd, 77)
	local long = string.rep("x", 65535)
	socket.write(client, packet(long) .. packet "")
	check.equal(check.next_of(forwarded), { fd, 77, long })

	skynet.call(gate, "lua", "kick", fd)
	check.equal(socket.read(client), false)
	check.equal(check.next_of(told), { "socket", "close", fd })
	assert(not pcall(skynet.call, gate, "lua", "forward", fd))
	socket.close(client)
end

-- Those of the C core up to v1.5.0, and what was copied from them, have no function for it.
function cases.a_gate_that_does_not_wait_to_be_told_its_port_is_not_told()
	local all <const>, fewer <const> = { "init", "init", "open", "init", "data" }, { "open", "data" }
	-- The C core's master tells those all of them, too.
	for waits, expected in pairs { [true] = all, [false] = check.ours and fewer or all } do
		local gate = skynet.newservice "plain_gate"
		local client = socket.open("127.0.0.1", skynet.call(gate, "lua", "open", waits))
		socket.write(client, packet "hello")
		check.equal(skynet.call(gate, "lua", "kinds"), expected)
		socket.close(client)
		skynet.kill(gate)
	end
end

function cases.a_client_that_is_faster_than_its_agent_is_held_up_and_nothing_is_lost()
	local count, packets = 120000, {}
	for i = 1, count do
		packets[i] = packet(string.pack("<I4", i))
	end
	local bytes = table.concat(packets)
	for _, kind in ipairs { "lua", "c" } do
		local agent = skynet.newservice "slow_agent"
		local port = skynet.call(agent, "lua", "open", kind, check.port(7))
		local client = assert(socket.open("127.0.0.1", port))
		socket.write(client, bytes)
		socket.close(client)
		local came, in_order, most = skynet.call(agent, "lua", "wait")
		check.equal({ came, in_order }, { count, true }, kind)
		assert(not check.ours or most < 10000, most) -- of the C core's, most of them
	end
end

-- Each that waits was looked at once in a millisecond: a thousand took all of the gate's time.
function cases.many_clients_of_an_agent_that_is_behind_cost_no_more_than_a_few()
	if not check.ours then
		return
	end
	local looks, given, behind = 0, 0, true
	local line = require "skynet.internal.turns".new {
		message = function(_, msg, sz)
			given = given + 1
			skynet.trash(msg, sz)
		end,
		is_behind = function()
			looks = looks + 1
			return behind
		end,
	}
	local clients, packets <const> = 1000, 66 -- two more than a turn has
	for number = 1, clients do
		for _ = 1, packets do
			line.packet(1 << 30 | number, skynet.pack "a packet")
		end
	end
	skynet.sleep(50)
	assert(looks < 30 * clients, looks)
	check.equal(given, 64 * clients)
	behind = false
	repeat
		skynet.sleep(1)
	until given == packets * clients
end

-- Packets were counted when a turn was over, some of which the agent had handled before: they were taken for such that wait.
function cases.many_clients_in_step_are_served_by_an_agent_that_keeps_up()
	local agent, gate = skynet.newservice "quiet_agent", skynet.newservice "gate"
	local _, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, watchdog = skynet.self() })
	watch(gate)
	local clients <const>, rounds <const> = 40, 300
	local fds = {}
	for number = 1, clients do
		fds[number] = socket.open("127.0.0.1", port)
		skynet.call(gate, "lua", "forward", check.next_of(told)[3], 0, agent)
	end
	for _ = 1, rounds do
		for _, fd in ipairs(fds) do
			socket.write(fd, packet "step")
		end
		skynet.sleep(1)
	end
	local handled
	for _ = 1, 10 do -- each question is a message that the agent handles, too
		skynet.sleep(20)
		handled = skynet.call(agent, "lua")
	end
	check.equal(handled, clients * rounds)
	for _, fd in ipairs(fds) do
		socket.close(fd)
	end
end

-- To start a connection that is being closed is an error, for which what waits to be sent is thrown away.
function cases.what_a_gate_has_closed_is_not_read_again_and_its_first_end_is_told()
	if not check.ours then
		return
	end
	local driver = require "skynet.socketdriver"
	local open <const>, closed <const>, failed <const> = 1 << 30 | 1, 1 << 30 | 2, 1 << 30 | 3
	local line = require "skynet.internal.turns".new {
		message = function(_, msg, sz)
			skynet.trash(msg, sz)
		end,
		is_closing = function(fd)
			return fd == closed
		end,
	}
	local start, started, ended = driver.start, {}, {}
	driver.start = function(fd)
		started[#started + 1] = fd
	end
	for _, fd in ipairs { failed, closed, open } do
		for _ = 1, 80 do -- more than a turn has, and than may come between two
			line.packet(fd, skynet.pack "a packet")
		end
	end
	for _, how in ipairs { "error", "close" } do
		line.ending(failed, function()
			ended[#ended + 1] = how
		end)
	end
	repeat
		skynet.sleep(1)
	until started[1]
	driver.start = start
	check.equal(started, { open })
	check.equal(ended, { "error" })
end

function cases.a_gate_refuses_more_clients_than_it_may_have()
	local gate = skynet.newservice "gate"
	watch(gate)
	local _, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, maxclient = 3 })
	local first, second = socket.open("127.0.0.1", port), socket.open("127.0.0.1", port)
	local fd = check.next_of(told)[3]
	skynet.call(gate, "lua", "accept", fd)
	skynet.call(gate, "lua", "accept", check.next_of(told)[3])
	local third = socket.open("127.0.0.1", port)
	check.equal(third and socket.read(third), false)
	socket.close(first)
	repeat
		local event = check.next_of(told)
	until event[2] == "close" and event[3] == fd
	skynet.call(gate, "lua", "kick", fd)
	local fourth = socket.open("127.0.0.1", port)
	repeat
		local event = check.next_of(told)
	until event[2] == "open"
	socket.close(second)
	socket.close(fourth)
	local _, other = skynet.call(skynet.newservice "gate", "lua", "open", { address = "127.0.0.1", port = 0 })
	assert(not pcall(skynet.call, skynet.newservice "gate", "lua", "open", { address = "127.0.0.1", port = other }))
end

-- The C core's gates have no limit but the number of clients.
if check.ours then
	-- With 8 MiB for all clients of a gate: four that read nothing go, one that reads stays. `open` returns a client and its number in the
	-- gate, `closed` the number of the next that the gate has closed.
	local function who_does_not_read_is_closed(open, closed)
		local driver = require "skynet.socketdriver"
		local honest, honest_fd = open()
		local deaf, ids = {}, {}
		for i = 1, 4 do
			local client, fd = open()
			socket.pause(client)
			deaf[i], ids[fd] = client, true
		end
		for fd in pairs(ids) do
			for _ = 1, 24 do
				driver.send(fd, string.rep("d", 1024 * 1024))
			end
		end
		driver.send(honest_fd, string.rep("h", 4 * 1024 * 1024))
		check.equal(#socket.read(honest, 4 * 1024 * 1024), 4 * 1024 * 1024)
		for _ = 1, 4 do
			local fd = closed()
			check.equal(ids[fd], true)
			ids[fd] = nil
		end
		driver.send(honest_fd, "still")
		check.equal(socket.read(honest, 5), "still")
		for _, client in ipairs(deaf) do
			socket.close(client)
		end
		socket.close(honest)
	end

	function cases.what_clients_of_a_gate_do_not_read_has_a_limit_of_all_of_them()
		local gate = skynet.newservice "gate"
		watch(gate)
		local _, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, unread = "8m" })
		local function next_fd(kind) -- there are warnings between
			local event
			repeat
				event = check.next_of(told)
			until event[2] == kind
			return event[3]
		end
		who_does_not_read_is_closed(function()
			local client = assert(socket.open("127.0.0.1", port))
			local fd = next_fd "open"
			skynet.call(gate, "lua", "accept", fd)
			return client, fd
		end, function()
			return next_fd "close"
		end)
	end

	function cases.a_gate_closes_clients_that_say_nothing()
		local gate = skynet.newservice "gate"
		watch(gate)
		local _, port =
			skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0, handshake = 0.2, peraddress = 1 })
		local silent = socket.open("127.0.0.1", port)
		local fd = check.next_of(told)[3]
		local second = socket.open("127.0.0.1", port)
		check.equal(second and socket.read(second), false, "the second one of that address")
		check.equal(check.next_of(told), { "socket", "close", fd })
		check.equal(socket.read(silent), false)
		socket.close(silent)
		local talking = socket.open("127.0.0.1", port)
		fd = check.next_of(told)[3]
		skynet.call(gate, "lua", "accept", fd)
		socket.write(talking, packet "hello")
		check.equal(check.next_of(told), { "socket", "data", fd, "hello" })
		skynet.sleep(50)
		check.equal(told, {})
		socket.close(talking)
	end

	local texts, speaker -- what a gate in C says

	skynet.register_protocol {
		name = "text",
		id = skynet.PTYPE_TEXT,
		pack = function(text)
			return text
		end,
		unpack = skynet.tostring,
		dispatch = function(_, source, text)
			if source == speaker then
				texts[#texts + 1] = text
			end
		end,
	}

	-- A gate in C whose watchdog this service is.
	local function c_gate(port)
		local manager = require "skynet.manager"
		texts = {}
		local gate = manager.launch("gate", "S", skynet.address(skynet.self()), "127.0.0.1:" .. port, 3, 10)
		speaker = assert(gate)
		return gate
	end

	-- The keys count from here on for all gates: these are the last cases.
	function cases.with_a_c_gate_clients_that_read_nothing_are_closed_when_all_hold_too_much()
		skynet.setenv("gate_unread", "8m")
		local port = check.port(9)
		local gate = c_gate(port)
		local function next_fd(kind)
			local text = check.next_of(texts)
			return math.tointeger(string.match(text, "^(%d+) " .. kind)) or error(text)
		end
		who_does_not_read_is_closed(function()
			local client = assert(socket.open("127.0.0.1", port))
			local fd = next_fd "open"
			skynet.send(gate, "text", "start " .. fd)
			return client, fd
		end, function()
			return next_fd "close"
		end)
		skynet.kill(gate)
	end

	function cases.with_a_c_gate_clients_that_say_nothing_are_closed()
		skynet.setenv("gate_handshake", "0.2")
		local port = check.port(3)
		local gate = c_gate(port)
		local silent = socket.open("127.0.0.1", port)
		local id = string.match(check.next_of(texts), "^(%d+) open")
		check.equal(check.next_of(texts), id .. " close")
		check.equal(socket.read(silent), false)
		socket.close(silent)
		skynet.kill(gate)
	end
end

---------------------------------------------------------------- msgserver

function cases.users_get_their_answers_also_after_a_reconnect()
	local server, username, connect, subid = message_server(check.port(1))
	local function refused(first, code)
		local fd, answer = connect(first)
		check.equal(string.sub(answer, 1, 3), code)
		check.equal(socket.read(fd), false)
		socket.close(fd)
	end
	local fd, answer = connect(hello(username, 1))
	check.equal(answer, "200 OK")
	check.equal({ ask(fd, "count", 5) }, { "1", 1, 5 })
	check.equal({ ask(fd, "fail", 6) }, { "", 0, 6 })
	check.equal({ ask(fd, "count", 5) }, { "2", 1, 5 }, "the session used again is a new request")
	socket.close(fd)
	fd = connect(hello(username, 2))
	check.equal({ ask(fd, "count", 5) }, { "2", 1, 5 }, "asked again after a reconnect")
	check.equal({ ask(fd, "count", 7) }, { "3", 1, 7 })

	refused(hello(username, 2), "403")
	refused(hello(username, 3, "87654321"), "401")
	refused(hello("nobody", 3), "404")
	refused(packet(username .. ":x:y"), "400")

	skynet.call(server, "lua", "kick", "user", subid)
	check.equal(socket.read(fd), false)
	refused(hello(username, 9), "404")
	socket.close(fd)
end

-- The C core's layer lets all but the last connection go on.
if skynet.call_timeout then
	function cases.a_user_who_is_sent_away_has_no_connection_left()
		local server, username, connect, subid = message_server(check.port(4))
		local fds = {}
		for index = 1, 10 do
			local answer
			fds[index], answer = connect(hello(username, index))
			check.equal(answer, "200 OK")
		end
		check.equal(socket.read(fds[1]), false, "a user has eight connections")
		check.equal(socket.read(fds[2]), false)
		check.equal({ ask(fds[3], "count", 1) }, { "1", 1, 1 })
		skynet.call(server, "lua", "kick", "user", subid)
		for index = 3, 10 do
			socket.write(fds[index], packet("count" .. string.pack(">I4", 2)))
			check.equal(socket.read(fds[index]), false)
		end
		for _, fd in ipairs(fds) do
			socket.close(fd)
		end
	end

	function cases.a_user_who_asks_faster_than_he_is_answered_is_read_more_slowly()
		local count <const>, padding <const> = 20000, string.rep("x", 100)
		local _, username, connect = message_server(check.port(5))
		local fd = connect(hello(username, 1))
		local requests = {}
		for session = 1, count do
			requests[session] = packet("wait" .. padding .. string.pack(">I4", session))
		end
		socket.write(fd, table.concat(requests))
		local other = connect(hello(username, 2))
		local answered, rounds = 0, 0
		while answered < count do
			local woken = math.tointeger(tonumber((ask(other, "go", count + rounds + 1))))
			assert(woken < count // 2, "all at once")
			for _ = 1, woken do
				check.equal(#read_packet(fd), 5)
			end
			answered, rounds = answered + woken, rounds + 1
			skynet.sleep(1)
		end
		socket.close(fd)
		socket.close(other)
	end

	function cases.requests_of_a_connection_that_has_ended_count_for_their_user()
		local _, username, connect = message_server(check.port(8))
		for index = 1, 4 do
			local fd = connect(hello(username, index))
			local requests = {}
			for session = 1, 1000 do
				requests[session] = packet("wait" .. string.pack(">I4", index * 1000 + session))
			end
			socket.write(fd, table.concat(requests))
			socket.close(fd)
		end
		local other = connect(hello(username, 5))
		local woken = math.tointeger(tonumber((ask(other, "go", 1))))
		assert(woken >= 1000 and woken < 1500, woken)
		socket.close(other)
	end

	function cases.an_answer_that_is_no_packet_has_failed()
		local _, username, connect = message_server(check.port(6))
		local fd = connect(hello(username, 1))
		local text = "echo" .. string.rep("x", 65526)
		check.equal({ ask(fd, text, 1) }, { text, 1, 1 })
		check.equal({ ask(fd, text .. "x", 2) }, { "", 0, 2 })
		for session = 3, 1000 do
			check.equal({ ask(fd, "echo", session) }, { "echo", 1, session })
		end
		socket.close(fd)
	end
end

---------------------------------------------------------------- loginserver

function cases.clients_log_in_with_a_secret_that_nobody_sees()
	skynet.newservice("login_server", check.port(2))
	local server = skynet.localname ".test_login"
	local port = check.port(2)
	local answer, secret = log_in(port, "alice")
	check.equal(answer, "200 " .. crypt.base64encode "id of alice")
	check.equal(skynet.call(server, "lua", "secret", "alice"), secret)
	check.equal(log_in(port, "unknown"), "401 Unauthorized")
	check.equal(log_in(port, "refused"), "403 Forbidden")
	check.equal(log_in(port, "alice", "wrong hm"), "401 Unauthorized")
	local slow
	skynet.fork(function()
		slow = log_in(port, "slow")
	end)
	repeat
		skynet.sleep(1)
	until skynet.call(server, "lua", "is_logging_in", "slow")
	check.equal(log_in(port, "slow"), "406 Not Acceptable")
	skynet.call(server, "lua", "let_in", "slow")
	repeat
		skynet.sleep(1)
	until slow
	check.equal(slow, "200 " .. crypt.base64encode "id of slow")
end

check.run(cases)
