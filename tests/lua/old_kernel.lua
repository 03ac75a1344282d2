-- Sockets that are busy with small messages, and timers beside them.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

local cases = {}
local PORT <const> = check.port(1)

local listener
local function connection()
	if not listener then
		listener = socket.listen("127.0.0.1", PORT)
		socket.start(listener, function(fd)
			socket.start(fd)
			local line = socket.readline(fd)
			while line do
				socket.write(fd, line .. "\n")
				line = socket.readline(fd)
			end
			socket.close(fd)
		end)
	end
	return assert(socket.open("127.0.0.1", PORT))
end

function cases.requests_are_answered_one_after_another()
	local fd = connection()
	for number = 1, 2000 do
		socket.write(fd, number .. "\n")
		check.equal(socket.readline(fd), tostring(number))
	end
	socket.close(fd)
end

function cases.a_busy_service_does_not_keep_the_others_waiting()
	local fd = connection()
	local rounds = 0
	for number = 1, 50 do
		skynet.fork(function()
			local sum = 0
			for i = 1, 100000 do
				sum = sum + i
			end -- longer than a worker is watched
			rounds = rounds + 1
		end)
		socket.write(fd, number .. "\n")
		check.equal(socket.readline(fd), tostring(number))
	end
	socket.close(fd)
	check.equal(rounds, 50)
end

function cases.timers_fire_in_order_while_sockets_are_busy()
	local fd = connection()
	local fired = {}
	for _, time in ipairs { 30, 10, 20, 0 } do -- far enough apart for a machine that stops us in between
		skynet.timeout(time, function()
			table.insert(fired, time)
		end)
	end
	repeat
		socket.write(fd, "x\n")
		check.equal(socket.readline(fd), "x")
	until #fired == 4
	check.equal(fired, { 0, 10, 20, 30 })
	socket.close(fd)
	local before = skynet.now()
	skynet.sleep(5) -- with nothing else to do
	assert(skynet.now() - before >= 5)
end

check.run(cases)
