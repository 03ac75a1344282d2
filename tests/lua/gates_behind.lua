-- Clients that are faster than the agent of their gate: whatever becomes of its mailbox, they are served in the end.
local skynet = require "skynet"
local core = require "skynet.core"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local check = require "check"

local cases = {}

local function packets(count)
	return string.rep(string.pack(">s2", "a packet"), count)
end

local handled = {} -- agent -> packets that it has got

local last_port = 0

-- For each kind of gate: an agent, and its clients.
local function each_gate(count, run)
	for _, kind in ipairs { "lua", "c" } do
		last_port = last_port + (kind == "c" and 1 or 0)
		local agent = skynet.newservice "behind_agent"
		handled[agent] = 0
		local port = skynet.call(agent, "lua", "open", kind, check.port(last_port))
		local clients = {}
		for number = 1, count do
			clients[number] = assert(socket.open("127.0.0.1", port))
		end
		run(agent, clients, port, kind)
		for _, fd in ipairs(clients) do
			socket.close(fd)
		end
		skynet.call(agent, "lua", "stop")
	end
end

-- Asks an agent, whose mailbox may be full.
local function ask(agent, ...)
	local answer
	repeat
		answer = table.pack(pcall(skynet.call, agent, "lua", ...))
		skynet.sleep(2)
	until answer[1]
	return table.unpack(answer, 2, answer.n)
end

local function wait_for(agent, count)
	while handled[agent] < count do
		skynet.sleep(2)
	end
end

-- What others had sent was forgotten with any client that left, and more of it was taken for handled.
function cases.clients_of_one_agent_are_all_served_while_others_come_and_leave()
	each_gate(40, function(agent, clients, port)
		local rounds <const>, burst <const> = 10, 100
		for round = 1, rounds do
			for _, fd in ipairs(clients) do
				socket.write(fd, packets(burst))
			end
			local guest = assert(socket.open("127.0.0.1", port))
			socket.write(guest, packets(1))
			socket.close(guest)
			wait_for(agent, round * (#clients * burst + 1))
		end
	end)
end

-- What tells of a connection may be refused: then it is closed. What tells of the end of one that is known never is.
function cases.a_watchdog_that_is_behind_hears_of_the_end_of_each_connection_that_it_knows()
	each_gate(0, function(agent, _, port)
		ask(agent, "limit", 5, "reject")
		skynet.send(agent, "lua", "refuse", 10)
		local clients = {}
		for i = 1, 40 do
			clients[i] = assert(socket.open("127.0.0.1", port))
			if i % 2 == 0 then
				socket.close(clients[i])
			end
		end
		local opened, closed = ask(agent, "counts") -- when it handles again
		assert(opened <= 30, opened)
		for i = 1, 40, 2 do
			socket.close(clients[i])
		end
		repeat
			skynet.sleep(1)
			opened, closed = ask(agent, "counts")
		until opened == closed and opened > 0
	end)
end

-- Packets that the mailbox had no room for were taken for such that wait in it, for ever.
function cases.clients_are_served_again_after_packets_were_refused()
	each_gate(4, function(agent, clients)
		for _, policy in ipairs { "drop", "reject" } do
			ask(agent, "limit", 10, policy)
			local before
			for _ = 1, 3 do
				skynet.send(agent, "lua", "block", 20)
				for _, fd in ipairs(clients) do
					socket.write(fd, packets(1000))
				end
				repeat -- until nothing more comes: what was refused is lost
					before = handled[agent]
					skynet.sleep(20)
				until handled[agent] == before
			end
			ask(agent, "limit", 100000, policy)
			for number, fd in ipairs(clients) do
				socket.write(fd, packets(70)) -- more than a turn has
				wait_for(agent, before + number * 70)
			end
		end
	end)
end

function cases.others_that_keep_a_mailbox_full_do_not_keep_clients_out()
	each_gate(8, function(agent, clients)
		skynet.call(agent, "lua", "busy", 2000)
		for _, fd in ipairs(clients) do
			socket.write(fd, packets(200))
		end
		wait_for(agent, #clients * 200)
		skynet.call(agent, "lua", "idle")
	end)
end

-- Who handles nothing gets nothing more, however long clients have waited.
function cases.an_agent_that_stands_still_is_not_sent_more()
	each_gate(1, function(agent, clients, _, kind)
		socket.write(clients[1], packets(20000))
		local waits = skynet.call(agent, "lua", "block", 300)
		assert(waits < 2000, kind .. ": " .. waits)
		wait_for(agent, 20000)
	end)
end

-- Bytes that the node has read of the connection whose number at the gate is `id`.
local function bytes_read(id)
	for _, info in ipairs(socket.netstat()) do
		if info.id == id then
			return info.read or 0
		end
	end
	return 0
end

-- As agents do that take a client over in the middle of its game: it was read from then on, without bound.
function cases.a_client_that_is_held_up_is_not_read_because_it_is_started_again()
	each_gate(1, function(agent, clients, _, kind)
		local id, gate
		repeat
			id, gate = skynet.call(agent, "lua", "last")
		until id
		skynet.call(agent, "lua", "busy", 2000)
		local count <const> = 200000
		socket.write(clients[1], packets(count))
		local size = #packets(count)
		local read
		repeat
			read = bytes_read(id)
			skynet.sleep(20)
		until bytes_read(id) == read and read > 0
		if kind == "lua" then
			skynet.send(gate, "lua", "forward", id, 0, agent)
		else
			core.send(gate, skynet.PTYPE_TEXT, 0, "start " .. id)
		end
		skynet.sleep(100)
		-- How much was read before depends on how fast the agent is.
		local more = bytes_read(id) - read
		assert(more < size // 4, string.format("%s: %d of %d, after %d", kind, more, size, read))
		skynet.call(agent, "lua", "idle")
		wait_for(agent, count)
	end)
end

-- Each began a look at all clients, whoever had sent it.
function cases.a_gate_takes_no_answer_for_its_timer()
	each_gate(1, function(agent, _, _, kind)
		local client, gate
		repeat
			client, gate = skynet.call(agent, "lua", "last")
		until client
		if kind ~= "c" then
			return
		end
		local function timers()
			return tonumber(string.match(core.command "METRICS", "\ntimers (%d+)\n"))
		end
		local before = timers()
		for session = 1, 100 do
			core.send(gate, skynet.PTYPE_RESPONSE, 1 << 20 | session, "")
		end
		skynet.sleep(10)
		assert(timers() < before + 50, timers() - before)
	end)
end

local held = {} -- answers that handlers of a login server wait for

-- Shows who it is, as far as the server lets it.
local function identify(port, token)
	local fd = assert(socket.open("127.0.0.1", port))
	local function receive()
		local line = socket.readline(fd)
		return line and crypt.base64decode(line)
	end
	local challenge, key = receive(), crypt.randomkey()
	if not challenge then
		return fd, false
	end
	socket.write(fd, crypt.base64encode(crypt.dhexchange(key)) .. "\n")
	local secret = crypt.dhsecret(receive(), key)
	socket.write(fd, crypt.base64encode(crypt.hmac64(challenge, secret)) .. "\n")
	socket.write(fd, crypt.base64encode(crypt.desencode(secret, token)) .. "\n")
	return fd, true
end

function cases.the_handlers_of_log_ins_that_had_to_go_are_bounded()
	skynet.register ".holder"
	skynet.setenv("login_clients", "2")
	last_port = last_port + 1
	local port = check.port(last_port)
	skynet.newservice("login_server", port)
	local clients = {}
	-- Two may log in. Each further one takes the place of another, whose handler runs on.
	for number = 1, 4 do
		local known
		clients[number], known = identify(port, "hold")
		assert(known)
		repeat
			skynet.sleep(1)
		until #held == number
	end
	for number = 5, 8 do
		local known
		clients[number], known = identify(port, "hold")
		assert(not known, number)
	end
	check.equal(#held, 4)
	for _, answer in ipairs(held) do
		answer(true)
	end
	for _, fd in ipairs(clients) do
		socket.close(fd)
	end
	local fd, known
	repeat
		fd, known = identify(port, "alice")
	until known
	check.equal(socket.readline(fd), "200 " .. crypt.base64encode "id of alice")
	socket.close(fd)
end

skynet.dispatch("lua", function(_, agent, count)
	if count == "hold" then
		held[#held + 1] = skynet.response()
		return
	end
	handled[agent] = count
end)

check.run(cases)
