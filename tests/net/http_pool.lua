-- The connections of an HTTP client: how many there are, who waits for one, and what is sent again.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local server = require "http.server"
local sockethelper = require "http.sockethelper"
local check = require "check"
local listen = require "listening"

local cases = {}

-- A server that counts: connections, those at work, and requests.
local function counting(handler)
	local seen = { connections = 0, requests = 0, now = 0, most = 0 }
	local host = listen(function(id, _, address)
		seen.connections = seen.connections + 1
		server.serve(id, function(request)
			seen.requests = seen.requests + 1
			seen.now = seen.now + 1
			seen.most = math.max(seen.most, seen.now)
			skynet.sleep(1)
			seen.now = seen.now - 1
			if handler then
				return handler(request, seen)
			end
			return 200, "hello"
		end, { address = address })
	end)
	return host, seen
end

local function counts(client)
	local stats = client.stats()
	return { active = stats.active, idle = stats.idle, waiting = stats.waiting }
end

function cases.a_client_keeps_to_its_connections_and_all_get_their_turn()
	local host, seen = counting()
	local client = httpc.new { per_host = 4, timeout = 1000 }
	check.together(200, function()
		check.equal({ client.get(host, "/") }, { 200, "hello" })
	end)
	check.equal({ seen.requests, seen.connections <= 4, seen.most <= 4 }, { 200, true, true })
	check.equal(counts(client), { active = 0, idle = seen.connections, waiting = 0 })
	local stats = client.stats()
	check.equal(stats.created + stats.reused, 200)
	check.equal(stats.hosts["http://" .. host], { active = 0, idle = seen.connections, waiting = 0 })
	client.close()
	check.equal(counts(client), { active = 0, idle = 0, waiting = 0 })
	check.raises("the client is closed", client.get, host, "/")
end

function cases.idle_connections_give_way_to_other_servers()
	local hosts = {}
	for index = 1, 6 do
		hosts[index] = counting()
	end
	local client = httpc.new { total = 3 }
	for turn = 1, 12 do
		check.equal((client.get(hosts[turn % 6 + 1], "/")), 200)
		local stats = client.stats()
		assert(stats.active + stats.idle <= 3)
	end
	check.together(60, function(index)
		check.equal((client.get(hosts[index % 6 + 1], "/")), 200)
		local stats = client.stats()
		assert(stats.active + stats.idle <= 3)
	end)
	client.close()
end

function cases.who_waits_is_bounded_in_number_and_time()
	local release = {}
	local host = listen(function(id)
		socket.start(id)
		skynet.wait(release)
		socket.close(id)
	end)
	local client = httpc.new { per_host = 1, waiting = 2, wait_time = 20 }
	local results = {}
	local function ask(name)
		skynet.fork(function()
			local ok, problem = pcall(client.get, host, "/")
			results[name] = { ok, problem == sockethelper.socket_error, tostring(problem) }
		end)
	end
	ask "first"
	ask "second"
	ask "third"
	while client.stats().waiting < 2 do
		skynet.sleep(1)
	end
	check.raises("2 callers wait", client.get, host, "/")
	while not (results.second and results.third) do
		skynet.sleep(1)
	end
	assert(string.find(results.second[3], "no connection became free within 0.2 s", 1, true), results.second[3])
	check.equal({ results.second[1], results.second[2] }, { false, true })
	local stats = client.stats()
	check.equal({ stats.refused, stats.timed_out, stats.active }, { 1, 2, 1 })
	skynet.wakeup(release)
	while not results.first do
		skynet.sleep(1)
	end
	check.equal(counts(client), { active = 0, idle = 0, waiting = 0 })
end

function cases.a_place_is_free_again_whatever_became_of_a_request()
	local host = counting(function(request, seen)
		if request.target == "/raise" then
			error "as asked"
		elseif request.target == "/large" then
			return 200, string.rep("x", 100000)
		end
		return 200, "hello " .. seen.requests
	end)
	local client = httpc.new { per_host = 1, wait_time = 500, limit = 50000 }
	check.equal((client.get(host, "/raise")), 500)
	check.raises("more than 50000", client.get, host, "/large")
	check.raises("line break", client.get, host, "/a\r\nb")
	check.raises("", client.get, "127.0.0.1:1", "/")
	local stream = client.request_stream("GET", host, "/large")
	check.equal(counts(client).active, 1)
	stream:close()
	for _ in client.request_stream("GET", host, "/large") do
	end
	check.equal((client.post(host, "/", { a = 1 })), 200)
	check.equal((client.head(host, "/")), 200)
	check.equal(counts(client), { active = 0, idle = 1, waiting = 0 })
	check.equal(client.stats().hosts["http://127.0.0.1:1"], nil)
	client.close()
end

function cases.a_request_is_sent_again_once_and_only_when_that_is_safe()
	local asked = {}
	-- Answers the first request of a connection, and closes at the second one.
	local host = listen(function(id)
		socket.start(id)
		local answered = 0
		while true do
			local head = socket.readline(id, "\r\n\r\n")
			if not head then
				break
			end
			asked[#asked + 1] = string.match(head, "^%u+")
			answered = answered + 1
			if answered == 2 then
				break
			end
			socket.write(id, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
		end
		socket.close(id)
	end)
	local client = httpc.new { timeout = 500 }
	check.together(3, function()
		check.equal((client.get(host, "/")), 200)
	end)
	check.equal(client.stats().idle, 3)
	asked = {}
	check.equal((client.get(host, "/")), 200)
	check.equal(asked, { "GET", "GET" }, "once over a kept connection, once over a new one")
	check.equal(client.stats().retried, 1)
	asked = {}
	local ok, problem = pcall(client.post, host, "/", { a = 1 })
	check.equal({ ok, problem == sockethelper.socket_error }, { false, true })
	check.equal(asked, { "POST" })
	client.close()
end

function cases.an_idle_connection_ends_after_its_time_or_with_the_servers()
	local host, seen = counting()
	local client = httpc.new { keepalive = 10 }
	check.equal((client.get(host, "/")), 200)
	while client.stats().idle > 0 do
		skynet.sleep(5)
	end
	check.equal(client.stats().expired, 1)
	check.equal((client.get(host, "/")), 200)
	check.equal(seen.connections, 2)
	local none = httpc.new { keepalive = false }
	check.equal((none.get(host, "/")), 200)
	check.equal(counts(none), { active = 0, idle = 0, waiting = 0 })
	client.close()
end

function cases.a_mistake_in_the_settings_is_told()
	check.raises("there is no setting perhost", httpc.new, { perhost = 3 })
end

check.run(cases)
