-- Tasks that are killed (skynet.killthread, killtask of the console): what they had is given back, and who waits for them is told.
local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local mysql = require "skynet.db.mysql"
local mongo = require "skynet.db.mongo"
local redis = require "skynet.db.redis"
local rediscluster = require "skynet.db.redis.cluster"
local httpc = require "http.httpc"
local server = require "http.server"
local websocket = require "http.websocket"
local mqueue = require "skynet.mqueue"
local queue = require "skynet.queue"
local check = require "check"

local cases = {}

-- A listener whose connections say nothing. Returns its port, and how many connections have come, and how many of them are gone.
local function silent_listener()
	local count = { come = 0, gone = 0 }
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.start(id, function(fd)
		socket.start(fd)
		count.come = count.come + 1
		while socket.read(fd) do
		end
		count.gone = count.gone + 1
		socket.close(fd)
	end)
	return port, count, id
end

-- Starts `func` in a task for each way of connecting, kills it as soon as it is connected, and waits until the connection is gone.
local function leaves_no_connection(name, func)
	local port, count, listener = silent_listener()
	local task = skynet.fork(pcall, func, port)
	check.await(function()
		return count.come == 1
	end)
	skynet.sleep(2) -- it has got on, and waits for the server's first words
	assert(skynet.killthread(task), name)
	check.await(function()
		return count.gone == 1
	end)
	skynet.sleep(2)
	check.equal(count, { come = 1, gone = 1 }, name)
	socket.close(listener)
end

local clients = {
	redis = function(port)
		redis.connect { host = "127.0.0.1", port = port, auth = "secret", db = 1 }
	end,
	watch = function(port)
		redis.watch({ host = "127.0.0.1", port = port, auth = "secret" }):message()
	end,
	rediscluster = function(port)
		rediscluster.new({ { host = "127.0.0.1", port = port } }, { auth = "secret" }):get "key"
	end,
	mysql = function(port)
		mysql.connect { host = "127.0.0.1", port = port, user = "me", password = "secret" }
	end,
	mongo = function(port)
		mongo.client { host = "127.0.0.1", port = port, username = "me", password = "secret" }
	end,
	http = function(port)
		httpc.get("http://127.0.0.1:" .. port, "/")
	end,
	https = function(port)
		httpc.get("https://127.0.0.1:" .. port, "/")
	end,
	websocket = function(port)
		websocket.connect("ws://127.0.0.1:" .. port .. "/")
	end,
	wss = function(port)
		websocket.connect("wss://127.0.0.1:" .. port .. "/")
	end,
	channel = function(port)
		socketchannel
			.channel({
				host = "127.0.0.1",
				port = port,
				auth = function(channel)
					channel:request("hello\n", function(sock)
						return true, sock:readline()
					end)
				end,
			})
			:connect()
	end,
}

for name, func in pairs(clients) do
	cases["a_client_leaves_no_connection_" .. name] = function()
		if name ~= "https" and name ~= "wss" or pcall(require, "ltls.c") then
			leaves_no_connection(name, func)
		end
	end
end

---------------------------------------------------------------- sockets

function cases.a_listener_that_nobody_knows_is_closed()
	local task = skynet.fork(socket.listen, "127.0.0.1", 0)
	local before = #socket.netstat()
	skynet.yield()
	assert(skynet.killthread(task))
	check.await(function()
		return #socket.netstat() == before
	end)
end

function cases.a_socket_whose_closer_is_killed_is_closed_and_its_reader_gets_the_end()
	local port, count, listener = silent_listener()
	local id = assert(socket.open("127.0.0.1", port))
	local result
	skynet.fork(function()
		result = { socket.read(id) }
	end)
	skynet.sleep(1)
	local closer = skynet.fork(socket.close, id)
	skynet.fork(function()
		skynet.killthread(closer)
	end)
	check.await(function()
		return count.gone == 1 and result
	end)
	check.equal({ result[1], socket.invalid(id) }, { false, true })
	socket.close(listener)
end

function cases.what_comes_for_a_reader_that_was_killed_is_bounded()
	local MB <const> = 1024 * 1024
	for _, read in ipairs { socket.readall, socket.readline } do
		local accepted, reader
		local listener, _, port = socket.listen("127.0.0.1", 0)
		socket.start(listener, function(id)
			accepted, reader = assert(socket.start(id)), coroutine.running()
			read(id)
		end)
		local client = assert(socket.open("127.0.0.1", port))
		check.await(function()
			return accepted
		end)
		skynet.sleep(1)
		assert(skynet.killthread(reader))
		for _ = 1, 32 do
			socket.write(client, string.rep("x", MB))
		end
		skynet.sleep(50)
		assert(socket.pending(accepted) < 8 * MB, socket.pending(accepted))
		socket.close(accepted)
		socket.close(client)
		socket.close(listener)
	end
end

---------------------------------------------------------------- servers

-- Serves one connection in a task, and returns that, the id of the client, and the listener.
local function served(serve)
	local task
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, from)
		task = coroutine.running()
		serve(id, from)
	end)
	local client = assert(socket.open("127.0.0.1", port))
	return function()
		assert(skynet.killthread(task))
	end, client, listener
end

function cases.a_websocket_ends_with_the_task_that_serves_it_and_the_handler_is_told()
	local told = {}
	local task
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, from)
		task = coroutine.running()
		websocket.accept(id, {
			error = function(_, problem)
				told[#told + 1] = problem
			end,
		}, "ws", from)
	end)
	local id = websocket.connect("ws://127.0.0.1:" .. port .. "/")
	assert(skynet.killthread(task))
	local message, payload = websocket.read(id)
	check.equal({ message, string.unpack(">I2", payload) }, { false, 1011, 3 })
	check.await(function()
		return told[1]
	end)
	check.equal(told, { "the task that served the connection was killed" })
	socket.close(listener)
end

function cases.a_websocket_that_never_shook_hands_ends_with_its_task()
	local kill, client, listener = served(function(id, from)
		websocket.accept(id, {}, "ws", from)
	end)
	skynet.sleep(1)
	kill()
	check.equal(socket.read(client), false)
	socket.close(client)
	socket.close(listener)
end

function cases.a_websocket_is_read_on_and_closed_after_its_reader_was_killed()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	local closed = false
	socket.start(listener, function(id, from)
		websocket.accept(id, {
			message = websocket.write,
			close = function()
				closed = true
			end,
		}, "ws", from)
	end)
	local id = websocket.connect("ws://127.0.0.1:" .. port .. "/")
	local reader = skynet.fork(websocket.read, id)
	skynet.sleep(1)
	assert(skynet.killthread(reader))
	websocket.write(id, "echo")
	check.equal(websocket.read(id), "echo")
	reader = skynet.fork(websocket.read, id)
	skynet.sleep(1)
	assert(skynet.killthread(reader))
	websocket.close(id)
	check.await(function()
		return closed and socket.invalid(id)
	end)
	socket.close(listener)
end

function cases.a_web_client_is_not_left_waiting_when_what_serves_it_is_killed()
	local kill, client, listener = served(function(id, from)
		server.serve(id, function()
			skynet.wait()
		end, { address = from })
	end)
	socket.write(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	skynet.sleep(2)
	kill()
	check.equal(socket.read(client), false)
	socket.close(client)
	socket.close(listener)
end

---------------------------------------------------------------- requests that wait

function cases.requests_in_line_are_served_when_the_task_that_serves_them_is_killed()
	local peer = skynet.newservice "killed_peer"
	check.equal(mqueue.call(peer, "first"), "first")
	local results = {}
	for i, what in ipairs { "wait", "second", "third" } do
		skynet.fork(function()
			results[i] = { pcall(mqueue.call, peer, what) }
		end)
	end
	check.await(function()
		return skynet.call(peer, "lua", "kill_request")
	end)
	check.await(function()
		return results[1] and results[2] and results[3]
	end)
	check.equal({ results[1][1], results[2], results[3] }, { false, { true, "second" }, { true, "third" } })
	check.equal(skynet.call(peer, "lua", "kill", "mqueue.lua"), 1) -- while it has nothing to do
	check.equal(mqueue.call(peer, "last"), "last")
	skynet.kill(peer)
end

function cases.a_queue_goes_on_whoever_is_killed_in_it()
	local enter, entered = queue(), {}
	local tasks = {}
	for i = 1, 4 do
		tasks[i] = skynet.fork(enter, function()
			entered[#entered + 1] = i
			if i < 3 then
				skynet.wait()
			end
		end)
	end
	skynet.yield()
	skynet.killthread(tasks[3]) -- in the line
	skynet.killthread(tasks[1])
	skynet.yield()
	skynet.killthread(tasks[2])
	skynet.yield()
	check.equal(entered, { 1, 2, 4 })
end

function cases.a_caller_gets_an_error_when_the_task_that_would_answer_is_killed()
	local peer, result = skynet.newservice "killed_peer", nil
	skynet.fork(function()
		result = { pcall(skynet.call, peer, "lua", "wait") }
	end)
	skynet.sleep(1)
	check.equal(skynet.call(peer, "lua", "kill", "killed_peer.lua"), 1)
	check.await(function()
		return result
	end)
	check.equal(result[1], false)
	skynet.kill(peer)
end

function cases.a_service_whose_start_is_killed_has_not_started()
	local ok = pcall(skynet.newservice, "killed_peer", "starts-never")
	check.equal(ok, false)
end

-- Ways in which a task that handles a request may wait when another task closes it.
local waits = {}

function waits.call()
	skynet.call(skynet.self(), "lua", "never")
end

function waits.sleep()
	skynet.sleep(100000)
end

waits.wait = skynet.wait

function cases.the_caller_of_a_task_that_another_one_closes_gets_an_error()
	for name, wait in pairs(waits) do
		local task
		local previous = skynet.dispatch("lua", function(_, _, what)
			if what == "never" then
				return skynet.ignoreret()
			end
			task = coroutine.running()
			wait()
		end)
		local problem
		skynet.fork(function()
			problem = select(2, pcall(skynet.call, skynet.self(), "lua", "closed"))
		end)
		check.await(function()
			return task
		end)
		check.equal(coroutine.close(task), true)
		check.await(function()
			return problem
		end)
		assert(string.find(problem, "call failed", 1, true), name .. ": " .. problem)
		if previous then
			skynet.dispatch("lua", previous)
		end
	end
end

check.run(cases)
