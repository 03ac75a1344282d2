-- client.socket, and client.crypt, which is skynet.crypt
local skynet = require "skynet"
local check = require "check"
local driver = require "skynet.socketdriver"
local socket = require "client.socket"

local events, waiter = {}, nil

skynet.register_protocol {
	name = "socket",
	id = skynet.PTYPE_SOCKET,
	unpack = driver.unpack,
	dispatch = function(_, _, kind, id, ud, data)
		if type(data) == "userdata" then
			local text = skynet.tostring(data, ud)
			driver.drop(data, ud)
			data = text
		end
		table.insert(events, { kind = kind, id = id, ud = ud, data = data })
		if waiter then
			skynet.wakeup(waiter)
			waiter = nil
		end
	end,
}

local function event()
	while not events[1] do
		waiter = coroutine.running()
		skynet.wait(waiter)
	end
	return table.remove(events, 1)
end

--- A connection of a client, and the node's end of it.
local function connection()
	local listener = driver.listen("127.0.0.1", 0)
	local port = event().ud
	driver.start(listener)
	event()
	local fd = socket.connect("127.0.0.1", port)
	local id = event().ud
	driver.start(id)
	event()
	driver.close(listener)
	check.equal(event().kind, 3)
	return fd, id, port
end

--- What comes next; the node goes on meanwhile.
local function receive(fd)
	while true do
		local text = socket.recv(fd)
		if text then
			return text
		end
		skynet.yield()
	end
end

local cases = {}

function cases.bytes_go_both_ways()
	local fd, id = connection()
	check.equal(select("#", socket.recv(fd)), 0)
	check.equal(select("#", socket.send(fd, "question")), 0)
	check.equal(event().data, "question")
	driver.send(id, "answer\0")
	check.equal(receive(fd), "answer\0")
	driver.close(id)
	check.equal(event().kind, 3)
	check.equal(receive(fd), "")
	socket.close(fd)
end

function cases.a_large_answer_comes_in_pieces()
	local fd, id = connection()
	local text = ("0123456789abcdef"):rep(1024)
	driver.send(id, text)
	local got = ""
	while #got < #text do
		local piece = receive(fd)
		assert(#piece <= 4096)
		got = got .. piece
	end
	check.equal(got, text)
	socket.close(fd)
	check.equal(event().kind, 3)
	driver.close(id)
end

function cases.one_direction_can_be_shut()
	local fd, id = connection()
	socket.shutdown(fd, "w")
	check.equal(event().kind, 3)
	driver.send(id, "still read")
	check.equal(receive(fd), "still read")
	check.raises("Invalid mode x", socket.shutdown, fd, "x")
	check.raises("mode should be r or/and w", socket.shutdown, fd, "")
	driver.close(id)
	check.equal(receive(fd), "")
	socket.close(fd)
end

function cases.failures_are_errors()
	local fd, id, port = connection()
	socket.close(fd)
	check.equal(event().kind, 3)
	driver.close(id)
	check.raises("Connect 127.0.0.1 " .. port .. " failed", socket.connect, "127.0.0.1", port)
	check.raises("socket error: Bad file descriptor", socket.recv, 65000)
	check.raises("socket error: Bad file descriptor", socket.send, 65000, "x")
	check.equal(select("#", socket.send(65000, "")), 0)
end

function cases.sleeping_takes_microseconds()
	local before = skynet.hpc()
	socket.usleep(2000)
	assert(skynet.hpc() - before >= 2000000)
end

function cases.crypt_is_the_nodes()
	local client, node = require "client.crypt", require "skynet.crypt"
	check.equal(client.base64encode "text", node.base64encode "text")
	check.equal(client.sha1 "text", node.sha1 "text")
end

check.run(cases)
