-- skynet.socketchannel against small servers in the same service.
local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local check = require "check"

local cases = {}

-- Runs `serve(id)` for every connection; returns port, close() and the number of connections so far.
local function server(serve, port)
	local count = 0
	local listener, _, bound = socket.listen("127.0.0.1", port or 0)
	socket.start(listener, function(id)
		count = count + 1
		socket.start(id)
		pcall(serve, id, count)
		socket.close(id)
	end)
	return bound, function()
		socket.close(listener)
	end, function()
		return count
	end
end

local function echo(id)
	while true do
		local line = socket.readline(id)
		if not line or line == "bye" then
			return
		end
		if line ~= "silence" then
			socket.write(id, "=" .. line .. "\n")
		end
	end
end

local function read_line(sock)
	return true, (sock:readline "\n")
end

local function ask(channel, text)
	return channel:request(text .. "\n", read_line)
end

function cases.answers_in_order_find_their_tasks()
	local port, close, count = server(echo)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port, nodelay = true }
	check.equal(ask(channel, "hello"), "=hello")
	check.equal(channel:request "silence\n", nil)
	local answers = {}
	check.together(50, function(i)
		answers[i] = ask(channel, "n" .. i)
	end)
	for i = 1, 50 do
		check.equal(answers[i], "=n" .. i)
	end
	check.equal(
		channel:request("a\nb\nc\n", function(sock)
			local line = sock:readline()
			return true, line, line ~= "=c"
		end),
		{ "=a", "=b", "=c" }
	)
	check.equal(channel:request("first ", read_line, { "second ", "third\n" }), "=first second third")
	check.equal(count(), 1)
	channel:close()
	check.equal(pcall(ask, channel, "closed"), false)
	check.equal(channel:connect(true), true)
	check.equal(ask(channel, "again"), "=again")
	check.equal(count(), 2)
	channel:close()
	close()
end

function cases.refusals_are_raised_as_they_are()
	local port, close, count = server(echo)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	local ok, problem = pcall(channel.request, channel, "x\n", function(sock)
		return false, { text = sock:readline() }
	end)
	check.equal({ ok, problem }, { false, { text = "=x" } })
	check.equal(ask(channel, "goes on"), "=goes on")
	check.equal(count(), 1)
	-- A function that cannot read the answer loses its place in the stream: the connection goes.
	check.raises("cannot parse", channel.request, channel, "x\n", function()
		error "cannot parse"
	end)
	check.equal(ask(channel, "new"), "=new")
	check.equal(count(), 2)
	channel:close()
	close()
end

function cases.lost_connections_fail_the_waiting_and_come_back()
	local port, close, count = server(echo)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	check.equal(ask(channel, "one"), "=one")
	local failed = 0
	check.together(3, function()
		local ok, problem = pcall(ask, channel, "bye")
		if not ok and problem == socketchannel.error then
			failed = failed + 1
		end
	end)
	check.equal(failed, 3)
	check.equal(ask(channel, "two"), "=two")
	channel:request "bye\n"
	skynet.sleep(5) -- closed while nobody waits
	check.equal(ask(channel, "three"), "=three")
	check.equal(count(), 3)
	channel:close()
	close()
end

function cases.by_session_in_any_order()
	local port, close = server(function(id)
		local first = socket.readline(id)
		local second = socket.readline(id)
		socket.write(id, second .. " more\n" .. first .. " last\n" .. "77 last\n" .. second .. " last\n")
		check.equal(socket.readline(id), "3")
		socket.write(id, "3 error\n")
		socket.readline(id)
	end)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		response = function(sock)
			local session, what = string.match(sock:readline "\n", "(%d+) (%a+)")
			return tonumber(session), what ~= "error", what, what == "more"
		end,
	}
	local answers = {}
	check.together(2, function(i)
		answers[i] = channel:request(i .. "\n", i)
	end)
	check.equal(answers, { "last", { "more", "last" } })
	check.raises("error", channel.request, channel, "3\n", 3)
	skynet.timeout(2, function()
		channel:close()
	end)
	local ok, problem = pcall(channel.request, channel, "4\n", 4)
	check.equal(ok, false)
	check.equal(problem, socketchannel.error)
	close()
end

function cases.log_in_comes_before_requests()
	local seen = {}
	local port, close = server(function(id)
		repeat
			local line = socket.readline(id)
			seen[#seen + 1] = line
			if line then
				socket.write(id, "=" .. line .. "\n")
			end
		until not line
	end)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		auth = function(self)
			skynet.sleep(2)
			assert(self:request("password\n", read_line) == "=password")
		end,
	}
	check.together(3, function(i)
		ask(channel, "r" .. i)
	end)
	check.equal(seen[1], "password")
	check.equal(#seen, 4)
	channel:close()
	close()
end

function cases.refused_log_in_is_an_error()
	local port, close = server(echo)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		auth = function()
			error "wrong password, as the test wants it"
		end,
	}
	local ok, problem = pcall(channel.connect, channel, true)
	check.equal({ ok, problem == socketchannel.error }, { false, true })
	check.equal({ {} == socketchannel.error, problem == {}, problem == "wrong" }, { false, false, false })
	if check.ours then -- the C core's layer keeps the reason to itself
		assert(string.find(tostring(problem), ": wrong password, as the test wants it$"), tostring(problem))
	end
	close()
	ok, problem = pcall(channel.connect, channel, true)
	check.equal({ ok, problem == socketchannel.error }, { false, true })
	check.equal(
		{ tostring(problem), check.ours and problem.reason },
		{ "[Error: socket]", check.ours and "Connection refused" }
	)
end

function cases.servers_that_name_each_other_are_given_up()
	if not check.ours then
		return -- the C core's layer goes from one to the other for ever
	end
	local channel
	local here, close_here, count_here = server(echo)
	local there, close_there, count_there = server(echo)
	channel = socketchannel.channel {
		host = "127.0.0.1",
		port = here,
		auth = function()
			channel:changehost("127.0.0.1", channel.port == here and there or here)
		end,
	}
	local ok, problem = pcall(channel.connect, channel, true)
	check.equal(ok, false)
	assert(string.find(problem.reason, "no server of those tried keeps the connection", 1, true), problem.reason)
	assert(count_here() + count_there() < 12, "tries")
	channel:close()
	close_here()
	close_there()
end

function cases.silent_server_has_no_more_time_than_one_that_does_not_accept()
	if not check.ours then
		return -- no such option
	end
	local port, close = server(function(id)
		socket.readall(id)
	end)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		connect_timeout = 10,
		auth = function(channel)
			channel:response(read_line)
		end,
	}
	local ok, problem = pcall(channel.connect, channel, true)
	check.equal({ ok, problem == socketchannel.error, tostring(problem) }, { false, true, "log-in timeout" })
	close()
end

function cases.a_task_that_is_killed_while_it_connects_leaves_that_to_the_next()
	if not check.ours then
		return -- all others wait for it for ever
	end
	local logged_in = 0
	local port, close, count = server(echo)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		auth = function(channel)
			if logged_in == 0 then
				logged_in = 1
				ask(channel, "silence")
			end
			logged_in = 2
		end,
	}
	local first = skynet.fork(ask, channel, "first")
	repeat
		skynet.sleep(0)
	until logged_in == 1
	local answer
	skynet.fork(function()
		answer = ask(channel, "second")
	end)
	skynet.sleep(0)
	skynet.killthread(first)
	repeat
		skynet.sleep(0)
	until answer
	check.equal({ answer, logged_in, count() }, { "=second", 2, 2 })
	channel:close()
	close()
end

function cases.tasks_that_cannot_wait_send_nothing()
	if not check.ours then
		return -- they send first
	end
	local port, close = server(echo)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	check.equal(ask(channel, "before"), "=before")
	local ok, problem = pcall(table.sort, { 1, 2 }, function()
		ask(channel, "sorted")
	end)
	check.equal(ok, false)
	assert(string.find(problem, "attempt to yield", 1, true), problem)
	check.equal(ask(channel, "after"), "=after")
	channel:close()
	close()
end

function cases.next_server_when_one_is_down()
	local down, close_down = server(echo)
	close_down()
	local port, close = server(echo)
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = down,
		backup = { "127.0.0.1", { host = "127.0.0.1", port = port } },
	}
	check.equal(ask(channel, "backup"), "=backup")
	channel:close()
	channel = socketchannel.channel { host = "127.0.0.1", port = down }
	local ok, problem = pcall(channel.connect, channel, true)
	check.equal({ ok, problem == socketchannel.error }, { false, true })
	channel:changehost("127.0.0.1", port)
	check.equal(ask(channel, "changed"), "=changed")
	local other, close_other = server(function(id)
		socket.readline(id)
		socket.write(id, "other\n")
		socket.readline(id)
	end)
	channel:changehost("127.0.0.1", other)
	check.equal(ask(channel, "x"), "other")
	channel:close()
	close()
	close_other()
end

function cases.connect_keeps_trying()
	local port, close = server(echo)
	close()
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	local close_again
	skynet.timeout(5, function()
		local _
		_, close_again = server(echo, port)
	end)
	check.equal(channel:connect(), true)
	check.equal(ask(channel, "up"), "=up")
	channel:close()
	close_again()
end

function cases.requests_may_have_a_limit_of_time()
	local released = false
	local port, close = server(function(id)
		assert(socket.readline(id) == "slow")
		repeat
			skynet.sleep(1)
		until released
		socket.write(id, "late\n")
		echo(id)
	end)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port, request_timeout = 30 }
	check.raises("request timeout", ask, channel, "slow")
	released = true
	check.equal(ask(channel, "next"), "=next") -- and not the late answer
	channel:close()
	close()
end

function cases.overload_is_notified()
	local released = false
	local port, close = server(function(id)
		socket.pause(id)
		repeat
			skynet.sleep(1)
		until released
		while socket.read(id) do
		end
	end)
	local notices = {}
	local channel = socketchannel.channel {
		host = "127.0.0.1",
		port = port,
		overload = function(on)
			notices[#notices + 1] = on
		end,
	}
	channel:connect(true)
	local block = string.rep("x", 1024 * 1024)
	repeat
		channel:request(block)
		skynet.sleep(0)
	until #notices > 0
	released = true
	repeat
		skynet.sleep(1)
	until #notices > 1
	-- Between the blocks the backlog may come and go.
	for i, on in ipairs(notices) do
		check.equal(on, i % 2 == 1)
	end
	channel:close()
	close()
end

-- Those whose stack has that file.
local function kill_tasks(file)
	local tasks, killed = {}, 0
	skynet.task(tasks)
	for name, stack in pairs(tasks) do
		if string.find(stack, file, 1, true) then
			skynet.killthread(string.match(name, "^(thread: %S+)"))
			killed = killed + 1
		end
	end
	return killed
end

function cases.who_waits_gets_an_error_when_the_task_that_reads_is_killed()
	if not check.ours then
		return -- it waits for ever
	end
	local port, close, connections = server(echo)
	local channel = socketchannel.channel { host = "127.0.0.1", port = port }
	local problem
	skynet.fork(function()
		_, problem = pcall(channel.request, channel, "silence\n", read_line)
	end)
	while kill_tasks "inorder.lua" == 0 do
		skynet.sleep(1)
	end
	while not problem do
		skynet.sleep(1)
	end
	assert(problem == socketchannel.error, problem)
	check.equal(channel:request("x\n", read_line), "=x")
	check.equal(connections(), 2)
	channel:close()
	close()
end

check.run(cases)
