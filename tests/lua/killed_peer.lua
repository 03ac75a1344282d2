-- The other service for killed.lua: ends its own tasks as asked, and has a queue of requests.
local skynet = require "skynet"
local mqueue = require "skynet.mqueue"
require "skynet.multicast"

local how, command = ..., {}

function command.wait()
	skynet.wait()
end

function command.kill(file)
	local tasks, killed = {}, 0
	skynet.task(tasks)
	for name, stack in pairs(tasks) do
		if string.find(stack, file, 1, true) then
			assert(skynet.killthread(string.match(name, "^(thread: %S+)")))
			killed = killed + 1
		end
	end
	return killed
end

local in_work

mqueue.register(function(what)
	if what == "wait" then
		in_work = coroutine.running()
		skynet.wait()
	end
	return what
end)

function command.kill_request()
	local task = in_work
	in_work = nil
	return task and skynet.killthread(task) ~= nil
end

skynet.start(function()
	if how == "starts-never" then
		local starting = coroutine.running()
		skynet.timeout(1, function()
			skynet.killthread(starting)
		end)
		skynet.wait()
	end
	skynet.dispatch("lua", function(_, _, name, ...)
		skynet.retpack(command[name](...))
	end)
end)
