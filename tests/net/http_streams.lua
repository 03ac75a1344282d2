-- Server-sent events in both directions, and the connections of a client.
local skynet = require "skynet"
local socket = require "skynet.socket"
local events = require "http.events"
local httpc = require "http.httpc"
local routers = require "http.router"
local server = require "http.server"
local check = require "check"
local listen = require "listening"
local serve = require "http_serving"

local cases = {}

local MB <const> = 1024 * 1024

-- What a server sends as events, in pieces of so many bytes, comes out as these.
local function parsed(bytes, size)
	local served = 0
	local host = listen(function(id)
		socket.start(id)
		socket.readline(id, "\r\n\r\n")
		served = served + 1
		if served == 1 then
			socket.write(id, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
			for at = 1, #bytes, size do
				socket.write(id, string.sub(bytes, at, at + size - 1))
				if size > 1 then
					skynet.sleep(0)
				end
			end
		else
			socket.write(id, "HTTP/1.1 204 No Content\r\n\r\n")
		end
		socket.close(id)
	end)
	local list = {}
	local source = httpc.events("http://" .. host .. "/", { retry = 1 })
	for event in source do
		list[#list + 1] = event
	end
	return list, source
end

function cases.events_are_read_as_the_standard_says()
	local text = "\xef\xbb\xbf: comment\r\nid: 1\r\nevent: add\r\ndata: a\r\ndata:b\r\n\r\n"
		.. "data\ndata\n\nevent: no data\n\nid:2\rdata:  two blanks\r\r"
		.. "retry: 1\nretry: x1\nunknown: x\nid: with\0nul\ndata: x:y\n\nid\ndata: no id\n\n: end\n\ndata: not whole"
	for _, size in ipairs { 1, 2, 7, 1000 } do
		check.equal((parsed(text, size)), {
			{ event = "add", data = "a\nb", id = "1" },
			{ event = "message", data = "\n", id = "1" },
			{ event = "message", data = " two blanks", id = "2" },
			{ event = "message", data = "x:y", id = "2" },
			{ event = "message", data = "no id", id = "" },
		}, "pieces of " .. size)
	end
end

function cases.events_arrive_as_they_were_sent()
	local app = routers.new()
	app:get("/", function(request)
		if request:get "last-event-id" then
			return 204
		end
		return request:events(function(send)
			check.equal(send "plain", true)
			send { id = 7, event = "typed", data = "two\nlines\r\nthree\r" }
			send:comment "nothing\nto see"
			send { data = { a = 1 } }
			send { data = "" }
			local once = events.encode { id = 8, data = "once" }
			send(once)
			send(once)
			check.raises("has a line end", send, { event = "a\nb" })
			check.raises("has a line end", send, { id = "a\0b" })
			check.raises("milliseconds", send, { retry = 1.5 })
			check.raises("has to have data", send, { name = "x" })
		end, { retry = 10, header = { ["x-more"] = "yes" } })
	end)
	local list = {}
	for event in httpc.events("http://" .. serve(app) .. "/") do
		list[#list + 1] = event
	end
	check.equal(list, {
		{ event = "message", data = "plain", id = "" },
		{ event = "typed", data = "two\nlines\nthree\n", id = "7" },
		{ event = "message", data = '{"a":1}', id = "7" },
		{ event = "message", data = "", id = "7" },
		{ event = "message", data = "once", id = "8" },
		{ event = "message", data = "once", id = "8" },
	})
end

function cases.a_source_goes_on_behind_the_last_event()
	local asked = {}
	local app = routers.new()
	app:get("/", function(request)
		local last = tonumber(request:get "last-event-id" or 0)
		asked[#asked + 1] = last
		if last >= 6 then
			return 204
		end
		return request:events(function(send)
			for number = last + 1, last + 2 do
				send { id = number, data = number }
			end
		end, { retry = 10 })
	end)
	local got = {}
	for event in httpc.events("http://" .. serve(app) .. "/", { last_id = "0" }) do
		got[#got + 1] = event.data
	end
	check.equal({ got, asked }, { { "1", "2", "3", "4", "5", "6" }, { 0, 2, 4, 6 } })
end

function cases.a_source_says_why_it_gives_up()
	local app = routers.new()
	app:get("/text", function()
		return "no events"
	end)
	app:get("/large", function(request)
		return request:events(function(send)
			send(string.rep("x", 10000))
			send:wait()
		end)
	end)
	local host = "http://" .. serve(app)
	local function first(target, options)
		return httpc.events(target, options):next()
	end
	check.raises("the content-type is text/plain", first, host .. "/text")
	check.raises("answers 404", first, host .. "/nothing")
	check.raises("event of more than 1000 bytes", first, host .. "/large", { most = 1000 })
	check.raises("2 attempts, and no answer", first, "http://127.0.0.1:1/", { attempts = 2, retry = 1 })
	check.raises("2 attempts, and no answer", first, "http://127.0.0.1:1/", { attempts = 2, retry = 0.5 })
	check.equal(httpc.events("http://127.0.0.1:1/", { retry = 0 }).retry, 10, "nobody connects again without a pause")
	check.raises("is no URL", httpc.events, "127.0.0.1/x")
	local source <close> = httpc.events(host .. "/large")
	check.equal(#source:next().data, 10000)
	skynet.fork(function()
		skynet.yield()
		source:close()
	end)
	check.equal(source:next(), nil, "closed by another task")
end

function cases.a_silent_server_is_left_and_asked_again()
	local app, asked = routers.new(), 0
	app:get("/", function(request)
		asked = asked + 1
		local turn = asked
		return request:events(function(send)
			if turn > 1 then
				send "there"
			end
			send:wait()
		end, { retry = 10, idle_time = 6000 })
	end)
	local source <close> = httpc.events("http://" .. serve(app) .. "/", { idle_time = 20 })
	check.equal(source:next().data, "there")
	assert(asked > 1)
end

function cases.a_client_that_has_gone_is_told_to_the_handler()
	local reasons, started = {}, 0
	local app = routers.new()
	app:get("/", function(request)
		return request:events(function(send)
			started = started + 1
			local ok, reason
			if started == 1 then
				ok, reason = send:wait()
			else
				repeat
					skynet.sleep(1)
					ok, reason = send "tick"
				until not ok
			end
			check.equal(ok, false)
			reasons[started] = reason
		end)
	end)
	local host, ended = serve(app)
	for turn = 1, 2 do
		local id = assert(socket.open(host))
		socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		socket.readline(id, ":\n\n")
		socket.close(id)
		check.await(function()
			return ended.count == turn and reasons[turn]
		end)
	end
	check.equal(reasons, { "gone", "gone" })
	check.equal(events.count(), 0)
end

function cases.comments_keep_a_silent_connection_alive()
	local app = routers.new()
	app:get("/", function(request)
		return request:events(function(send)
			send:wait()
		end, { idle_time = 10 })
	end)
	local host = serve(app)
	local id = assert(socket.open(host))
	socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	for _ = 1, 3 do
		assert(socket.readline(id, ":\n\n"))
	end
	socket.close(id)
end

function cases.clients_that_do_not_read_are_closed_and_others_get_all()
	local CLIENTS <const> = 20
	local slow, senders = 0, {}
	local app = routers.new()
	app:get("/", function(request)
		return request:events(function(send)
			senders[send] = true
			local _, reason = send:wait()
			senders[send] = nil
			slow = slow + (reason == "slow" and 1 or 0)
		end, { most = 64 * 1024 })
	end)
	app:get("/reads", function(request)
		return request:events(function(send)
			senders[send] = true
			send:wait()
			senders[send] = nil
		end, { most = 256 * MB }) -- it is read, but on a busy machine not at once
	end)
	local host, ended = serve(app)
	local clients = {}
	for index = 1, CLIENTS do
		local id = assert(socket.open(host))
		socket.pause(id)
		socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		clients[index] = id
	end
	local got = 0
	local reader = httpc.events("http://" .. host .. "/reads")
	skynet.fork(function()
		for _ in reader do
			got = got + 1
		end
	end)
	check.await(function()
		return events.count() == CLIENTS + 1
	end)
	-- What the two systems keep of a connection comes first: it is no memory of the server's.
	local sent, page = 0, string.rep("x", 16 * 1024)
	while slow < CLIENTS and sent < 4096 do
		for send in pairs(senders) do
			send(page)
		end
		sent = sent + 1
		skynet.sleep(0)
	end
	check.equal(slow, CLIENTS)
	check.await(function()
		return got == sent
	end)
	check.equal(events.count(), 1)
	reader:close()
	for _, id in ipairs(clients) do
		socket.close(id)
	end
	check.await(function()
		return ended.count == CLIENTS + 1
	end)
end

function cases.who_makes_events_faster_than_they_are_read_can_wait()
	local app = routers.new()
	app:get("/", function(request)
		return request:events(function(send)
			for number = 1, 2000 do
				send { id = number, data = string.rep("x", 4000) }
				if not send:flush() then
					break
				end
			end
		end, { most = 64 * 1024, retry = 10 })
	end)
	local host = serve(app)
	local count = 0
	local source <close> = httpc.events("http://" .. host .. "/")
	for event in source do
		count = count + 1
		check.equal(event.id, tostring(count))
		if count == 2000 then
			break
		end
	end
end

-- The common way to write it: what the client has missed, then what comes; others send meanwhile.
function cases.who_sends_again_what_was_missed_loses_nothing()
	local COUNT <const>, LARGE <const> = 2000, 300 * 1000
	local listener, live, results = nil, 0, {}
	local app = routers.new()
	app:get("/", function(request)
		return request:events(function(send)
			listener = send
			for number = 1, COUNT do
				results[#results + 1] = not send { id = number, data = string.rep("x", 4000) } or nil
			end
			results[#results + 1] = not send { id = COUNT + 1, data = string.rep("y", LARGE) } or nil -- more than may wait
			send { id = "last" }
			send { data = "end" }
		end, { most = 64 * 1024, retry = 10 })
	end)
	skynet.fork(function()
		while live >= 0 do
			if listener and listener { event = "live", data = "." } then
				live = live + 1
			end
			skynet.sleep(1)
		end
	end)
	local source <close> = httpc.events("http://" .. serve(app) .. "/")
	local count, got_live = 0, 0
	for event in source do
		if event.event == "live" then
			got_live = got_live + 1
		elseif event.data == "end" then
			break
		else
			count = count + 1
			check.equal({ event.id, #event.data }, { tostring(count), count > COUNT and LARGE or 4000 })
		end
	end
	check.equal({ count, got_live > 0, results }, { COUNT + 1, true, {} })
	live = -1
end

function cases.a_function_that_is_killed_ends_its_events()
	local app, task = routers.new(), nil
	app:get("/", function(request)
		return request:events(function(send)
			task = coroutine.running()
			send:wait()
		end)
	end)
	local host = serve(app)
	local id = assert(socket.open(host))
	socket.write(id, "GET / HTTP/1.0\r\n\r\n")
	socket.readline(id, ":\n\n")
	assert(skynet.killthread(task))
	check.equal(socket.readall(id) or "", "")
	check.equal(events.count(), 0)
	socket.close(id)
end

function cases.a_drain_ends_events_and_idle_connections_and_no_answer_under_way()
	local drained
	local worker = skynet.newservice "http_draining"
	local host = "127.0.0.1:" .. skynet.call(worker, "lua", "port")
	local idle = assert(socket.open(host))
	local id = assert(socket.open(host))
	socket.write(id, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	local source = httpc.events("http://" .. host .. "/events")
	check.equal(source:next().data, "hello")
	skynet.fork(function()
		drained = skynet.call(worker, "lua", "drain")
	end)
	check.equal(socket.readall(idle) or "", "")
	local answer = socket.readall(id)
	assert(string.find(answer, "^HTTP/1.1 200") and string.find(answer, "connection: close", 1, true), answer)
	source:close()
	check.await(function()
		return drained
	end)
	check.equal(drained, 0)
	check.equal(skynet.call(worker, "lua", "reasons"), { "shutdown" })
	socket.close(idle)
	socket.close(id)
end

function cases.a_handler_that_is_killed_ends_its_connection()
	local app, task = routers.new(), nil
	app:get("/", function()
		task = coroutine.running()
		skynet.wait {}
	end)
	app:get("/last", function()
		return "last"
	end)
	local host = serve(app, { connections = 1 })
	for _ = 1, 3 do
		local id = assert(socket.open(host))
		socket.write(id, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		check.await(function()
			return task
		end)
		skynet.killthread(task)
		task = nil
		check.equal(socket.read(id), false)
		socket.close(id)
	end
	check.equal({ httpc.request("GET", host, "/last") }, { 200, "last" }, "its place is free")
end

function cases.requests_whose_tasks_are_killed_leave_their_connections()
	local app, slow = routers.new(), 0
	app:get("/", function()
		return "page"
	end)
	app:get("/slow", function()
		slow = slow + 1
		skynet.wait {}
	end)
	local host = serve(app)
	local client = httpc.new { per_host = 1, wait_time = 3000 }
	local function get(target)
		return client.request("GET", host, target)
	end
	for round = 1, 3 do
		local holder = skynet.fork(get, "/slow")
		check.await(function()
			return slow == round
		end)
		local in_line = skynet.fork(get, "/")
		check.await(function()
			return client.stats().waiting == 1
		end)
		skynet.killthread(in_line)
		check.equal(client.stats().waiting, 0)
		skynet.killthread(holder)
		check.equal({ get "/" }, { 200, "page" })
	end
	local holder = skynet.fork(function()
		local stream = client.request_stream("GET", host, "/")
		skynet.wait(stream)
	end)
	check.await(function()
		return client.stats().active == 1
	end)
	skynet.killthread(holder)
	check.await(function() -- what nobody has any more is found by the collector
		collectgarbage()
		return client.stats().active == 0
	end)
	check.equal({ get "/" }, { 200, "page" })
	check.equal(client.stats().active, 0)
	client.close()
end

check.run(cases)
