-- Gates, message servers and log-in servers of which tasks, or services, are killed: who waits is told, nothing stays behind, the
-- others go on.
local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local admission = require "skynet.internal.admission"
local server = require "http.server"
local check = require "check"
local clients = require "gate_clients"
local kills = require "task_kills"

local packet, read_packet, hello, ask = clients.packet, clients.read_packet, clients.hello, clients.ask
local message_server, log_in = clients.message_server, clients.log_in

local cases = {}

-- Kills the tasks of a service that wait in a file. Returns how many.
local function kill(address, file)
	local killed, problem = kills.kill(address, (string.gsub(file, "%p", "%%%0")))
	check.equal(problem, nil)
	return killed
end

local function await_kill(address, file)
	check.await(function()
		return kill(address, file) > 0
	end)
end

local function sockets_of(address)
	local count = 0
	for _, info in ipairs(socket.netstat()) do
		count = count + (info.address == skynet.address(address) and 1 or 0)
	end
	return count
end

---------------------------------------------------------------- gateserver

local function open(gate)
	return skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0 })
end

function cases.a_gate_whose_opening_is_killed_can_be_opened_again()
	local gate = skynet.newservice "killed_gate"
	skynet.call(gate, "lua", "kill_next")
	assert(not pcall(open, gate))
	check.await(function()
		return sockets_of(gate) == 0
	end)
	local client = socket.open("127.0.0.1", open(gate))
	socket.write(client, packet "hello")
	check.equal(read_packet(client), "hello")
	socket.close(client)
	skynet.kill(gate)
end

function cases.a_client_is_not_left_waiting_by_a_gate_whose_task_for_it_is_killed()
	local gate = skynet.newservice "killed_gate"
	local port = open(gate)
	skynet.call(gate, "lua", "hold", true)
	local client = socket.open("127.0.0.1", port)
	await_kill(gate, "killed_gate.lua")
	check.equal(socket.read(client), false)
	check.equal(skynet.call(gate, "lua", "closed"), 1)
	skynet.call(gate, "lua", "hold", false)
	local other = socket.open("127.0.0.1", port)
	socket.write(other, packet "hello")
	check.equal(read_packet(other), "hello")
	socket.close(client)
	socket.close(other)
	skynet.kill(gate)
end

function cases.clients_of_a_killed_gate_get_the_end()
	local gate = skynet.newservice "killed_gate"
	local port = open(gate)
	local client = socket.open("127.0.0.1", port)
	socket.write(client, packet "hello")
	check.equal(read_packet(client), "hello")
	skynet.kill(gate)
	check.equal(socket.read(client), false)
	check.await(function() -- its port is closed, too
		local other = socket.open("127.0.0.1", port)
		return not other or socket.close(other)
	end)
	socket.close(client)
end

---------------------------------------------------------------- msgserver

function cases.a_user_whose_request_is_killed_gets_a_refusal_and_asks_on()
	local peer, user, connect = message_server(check.port(1))
	local fd = connect(hello(user, 1))
	socket.write(fd, packet("wait" .. string.pack(">I4", 1)))
	await_kill(peer, "message_server.lua")
	check.equal(read_packet(fd), string.pack(">BI4", 0, 1))
	check.equal({ ask(fd, "echo", 2) }, { "echo", 1, 2 })
	socket.close(fd)
	skynet.kill(peer)
end

function cases.a_connection_whose_end_is_handled_by_a_killed_task_leaves_nothing()
	local peer, user, connect = message_server(check.port(2))
	local before = sockets_of(peer)
	local fd = connect(hello(user, 1))
	check.equal({ ask(fd, "hold", 1) }, { "", 1, 1 })
	socket.close(fd)
	await_kill(peer, "message_server.lua")
	check.await(function()
		return sockets_of(peer) == before
	end)
	fd = connect(hello(user, 2))
	check.equal({ ask(fd, "echo", 2) }, { "echo", 1, 2 })
	socket.close(fd)
	skynet.kill(peer)
end

---------------------------------------------------------------- loginserver

function cases.who_logs_in_by_a_killed_task_is_not_left_waiting_and_may_log_in_again()
	local port = check.port(3)
	skynet.newservice("login_server", port)
	local master = skynet.localname ".test_login"
	-- One that waits for the master's handler; and one that has not said who it is, for an instance.
	local slow
	skynet.fork(function()
		slow = { log_in(port, "slow") }
	end)
	await_kill(master, "login_server.lua")
	check.await(function()
		return slow
	end)
	check.equal(slow[1], false)
	local silent = socket.open("127.0.0.1", port)
	socket.readline(silent)
	local instances = 0
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if line == "snlua login_server" then
			instances = instances + kill(tonumber("0x" .. string.sub(handle, 2)), "loginserver.lua")
		end
	end
	check.equal(instances, 1)
	check.equal(socket.read(silent), false)
	socket.close(silent)
	slow = nil
	skynet.fork(function()
		slow = { log_in(port, "slow") }
	end)
	check.await(function()
		skynet.call(master, "lua", "let_in", "slow")
		return slow
	end)
	check.equal(slow[1], "200 " .. crypt.base64encode "id of slow")
	skynet.kill(master)
end

-- Each instance has its turn: with one that is dead, every second log-in failed.
function cases.killed_instances_of_a_login_server_are_replaced()
	local port = check.port(4)
	skynet.newservice("login_server", port)
	local master = skynet.localname ".test_login"
	local killed = {}
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if line == "snlua login_server" then
			killed[#killed + 1] = handle
			skynet.kill(handle)
			break
		end
	end
	check.equal(#killed, 1)
	for _ = 1, 6 do
		check.equal(log_in(port, "alice"), "200 " .. crypt.base64encode "id of alice")
	end
	skynet.kill(master)
end

---------------------------------------------------------------- limits of time

function cases.a_silent_connection_is_closed_whatever_task_of_the_listener_is_killed()
	local closed = {}
	local limiter = admission.new {
		name = "test",
		handshake = 0.3,
		idle = 0.3,
		close = function(id)
			closed[id] = true
		end,
	}
	limiter:enter(1, "10.0.0.1:1")
	limiter:enter(2, "10.0.0.1:2")
	limiter:heard(2)
	skynet.sleep(2)
	assert(kill(skynet.self(), "recurring.lua") >= 2)
	check.await(function()
		return closed[1] and closed[2]
	end)
end

function cases.a_request_that_does_not_come_is_not_waited_for_whatever_task_is_killed()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, from)
		server.serve(id, function()
			return 200
		end, { address = from, header_time = 1 })
	end)
	local client = socket.open("127.0.0.1", port)
	socket.write(client, "GET / HTTP/1.1\r\n")
	skynet.sleep(2)
	check.equal(kill(skynet.self(), "recurring.lua"), 1)
	local answer = socket.readall(client)
	assert(answer == "" or string.find(answer, "^HTTP/1.1 408 "), answer)
	socket.close(client)
	socket.close(listener)
end

-- As when there is no memory for a moment.
function cases.a_look_that_fails_is_made_again()
	local looks = 0
	require "skynet.internal.recurring"(function()
		looks = looks + 1
		assert(looks > 1, "expected: a look fails")
	end)(1)
	check.await(function()
		return looks == 2
	end)
end

check.run(cases)
