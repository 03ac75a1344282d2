-- socket.close by several tasks at once. The C core's layer refuses that, or waits for ever.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"
local pair = require "connected"

local cases = {}

local BIG <const> = string.rep("0123456789abcdef", 64 * 1024) -- 1 MiB
local CLOSERS <const> = 5

local function info(id)
	for _, one in ipairs(socket.netstat()) do
		if one.id == id then
			return one
		end
	end
end

-- Closes a socket in several tasks at once, which all have to come back, when it is gone.
local function close_by_many(id, name)
	local back = 0
	for _ = 1, CLOSERS do
		skynet.fork(function()
			socket.close(id)
			check.equal(socket.invalid(id), true, name)
			back = back + 1
		end)
	end
	check.await(function()
		return back == CLOSERS and not info(id)
	end)
end

-- What a socket may be doing when it is closed: gets its id and that of its peer.
local moments = {
	nothing = function() end,
	paused = socket.pause,
	held = socket.hold,
	ended_by_its_peer = function(id, peer)
		socket.close(peer)
		check.equal(socket.read(id), false)
	end,
	shut_down = socket.shutdown,
	written_to = function(id)
		socket.write(id, "x")
	end,
	with_input = function(id, peer)
		socket.write(peer, "x")
		check.equal(socket.block(id), true)
	end,
	told_of_its_end = function(id)
		socket.onclose(id, function() end)
	end,
	being_closed = function(id)
		skynet.fork(socket.close, id)
		skynet.yield()
	end,
}

function cases.any_number_of_tasks_may_close_one_socket_whatever_it_does()
	for name, prepare in pairs(moments) do
		local a, b = pair()
		prepare(b, a)
		close_by_many(b, name)
		socket.close(a)
	end
	local listener = socket.listen("127.0.0.1", 0)
	close_by_many(listener, "listener")
	close_by_many(socket.udp(function() end), "UDP")
end

function cases.readers_get_the_end_of_a_socket_that_many_tasks_close()
	for name, read in pairs {
		read = socket.read,
		readline = socket.readline,
		block = socket.block,
		readall = socket.readall,
	} do
		local a, b = pair()
		local got
		skynet.fork(function()
			got = { read(b) }
		end)
		skynet.yield()
		close_by_many(b, name)
		check.equal(got[1], name == "readall" and "" or false, name)
		socket.close(a)
	end
end

function cases.a_reader_may_close_a_socket_that_others_are_closing()
	local a, b = pair()
	local got, back
	skynet.fork(function()
		got = socket.readline(b)
		socket.close(b)
		back = true
	end)
	skynet.yield()
	socket.write(a, "line\n")
	repeat -- without a yield: the line is on its way to this service when the others close
	until info(b).read == 5
	close_by_many(b)
	check.await(function()
		return back
	end)
	check.equal(got, "line")
	socket.close(a)
end

function cases.a_socket_may_be_closed_by_many_while_it_starts_or_is_given_away()
	local accepted
	local listener, host, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		accepted = id
	end)
	local client = assert(socket.open(host, port))
	check.await(function()
		return accepted
	end)
	local started
	skynet.fork(function()
		started = { socket.start(accepted) }
	end)
	skynet.yield()
	local back = 0
	for _ = 1, CLOSERS do
		skynet.fork(function()
			socket.close(accepted)
			back = back + 1
		end)
	end
	check.await(function()
		return back == CLOSERS and started
	end)
	check.equal(started, { nil, "closed" })
	for _ = 1, CLOSERS do
		skynet.fork(function()
			socket.close(client)
			back = back + 1
		end)
	end
	skynet.fork(socket.abandon, client)
	check.await(function()
		return back == 2 * CLOSERS
	end)
	socket.close(listener)
end

function cases.closers_come_back_when_one_of_them_is_killed()
	local a, b = pair()
	socket.pause(b)
	for _ = 1, 16 do
		socket.write(a, BIG) -- more than the system takes: the end does not come at once
	end
	local back, tasks = 0, {}
	for index = 1, CLOSERS do
		tasks[index] = skynet.fork(function()
			socket.close(a)
			back = back + 1
		end)
	end
	skynet.yield()
	assert(skynet.killthread(tasks[1]))
	assert(skynet.killthread(tasks[3]))
	check.equal({ back, socket.invalid(a) }, { 0, false })
	check.equal(#socket.readall(b), 16 * #BIG)
	check.await(function()
		return back == CLOSERS - 2
	end)
	check.equal(socket.invalid(a), true)
	socket.close(b)
end

check.run(cases)
