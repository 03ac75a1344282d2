-- Uses three services in Rust, and ends the node.
local skynet = require "skynet"
local socket = require "skynet.socket"
require "skynet.manager"

local CLIENTS = 100
local PATHS = 20

local command = {}

function command.name()
	return "the main service"
end

local function count()
	local counter = skynet.launch("counter", 100)
	for _ = 1, 10 do
		skynet.call(counter, "lua", "add", 5)
	end
	print("counter:", skynet.call(counter, "lua", "report"))
end

-- One client: comes in, says a line when all are there, and hears those of all others.
local function client(port, all_are_there)
	local id = socket.open("127.0.0.1", port)
	assert(socket.readline(id):find "^welcome")
	all_are_there()
	socket.write(id, "hello\n")
	for _ = 1, CLIENTS - 1 do
		assert(socket.readline(id))
	end
	socket.close(id)
end

local function talk()
	local room = skynet.launch("room", "127.0.0.1", 0)
	local port = skynet.call(room, "lua", "port")
	local main, here, done = coroutine.running(), {}, 0
	for _ = 1, CLIENTS do
		skynet.fork(function()
			client(port, function()
				here[#here + 1] = coroutine.running()
				if #here < CLIENTS then
					skynet.wait()
				else
					for i = 1, CLIENTS - 1 do
						skynet.wakeup(here[i])
					end
				end
			end)
			done = done + 1
			if done == CLIENTS then
				skynet.wakeup(main)
			end
		end)
	end
	skynet.wait()
	local figures = skynet.call(room, "lua", "figures")
	print(
		("room: %d clients have heard %d lines each, %d were missed"):format(CLIENTS, figures.lines - 1, figures.missed)
	)
end

local function find()
	local paths = skynet.launch("paths", 500)
	local fields = skynet.call(paths, "lua", "fields")
	local requests = {}
	for i = 1, PATHS do
		requests[i] = { paths, "lua", "find", i - 1, fields - i }
	end
	local found, longest = 0, 0
	local all = skynet.request()
	for _, request in ipairs(requests) do
		all:add(request)
	end
	for _, answer in all:select() do
		if answer and answer[1] then
			found, longest = found + 1, math.max(longest, answer[1])
		end
	end
	print(("paths: %d of %d found, the longest has %d steps"):format(found, PATHS, longest))
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(command[name](...))
	end)
	skynet.fork(function()
		count()
		talk()
		find()
		print "rust is done"
		skynet.abort()
	end)
end)
