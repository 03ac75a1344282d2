-- Requests on one connection whose tasks are killed, before they are sent, on their way and while their answers come.
local skynet = require "skynet"
local check = require "check"

--- ask(n) asks by a connection that all tasks share, and returns what it was asked: no task ever gets another's answer.
return function(ask)
	for n = 1, 60 do
		local task = skynet.fork(ask, n + 1000)
		for _ = 1, n % 5 do
			skynet.yield()
		end
		skynet.killthread(task)
		check.equal(ask(n), n)
	end
	local tasks, left = {}, 0
	for n = 1, 60 do
		if n % 3 == 0 then
			tasks[#tasks + 1] = skynet.fork(ask, n + 1000)
		else
			left = left + 1
			skynet.fork(function()
				check.equal(ask(n), n)
				left = left - 1
			end)
		end
	end
	skynet.yield()
	for _, task in ipairs(tasks) do
		skynet.killthread(task)
	end
	check.await(function()
		return left == 0
	end)
end
