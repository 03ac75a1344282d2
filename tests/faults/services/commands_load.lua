-- Many services, many messages, and a node that ends while it works.

local skynet = require "skynet"
require "skynet.manager"

local M = {}

-- Runs `action` with 1 to `count`, in `tasks` tasks; raises the first error.
local function spread(count, tasks, action)
	local token, running, next_number, problem = {}, tasks, 0, nil
	for _ = 1, tasks do
		skynet.fork(function()
			while next_number < count and not problem do
				next_number = next_number + 1
				local ok, err = pcall(action, next_number)
				problem = problem or not ok and err
			end
			running = running - 1
			if running == 0 then
				skynet.wakeup(token)
			end
		end)
	end
	skynet.wait(token)
	assert(not problem, problem)
end

local services = {}

function M.launch(count)
	count = math.tointeger(tonumber(count))
	spread(count, 16, function(i)
		services[i] = skynet.newservice "echo"
	end)
	return count
end

function M.ask_all()
	spread(#services, 16, function(i)
		assert(skynet.call(services[i], "lua", i) == i)
	end)
	return #services
end

function M.kill_all()
	local count = #services
	for _, service in ipairs(services) do
		skynet.kill(service)
	end
	services = {}
	return count
end

function M.services()
	local count = 0
	for _ in pairs(skynet.call(".launcher", "lua", "LIST")) do
		count = count + 1
	end
	return count
end

-- `count` messages to four services; the number that has come.
function M.messages(count)
	count = math.tointeger(tonumber(count)) // 4
	local total = 0
	spread(4, 4, function()
		local receiver = skynet.newservice "echo"
		for i = 1, count do
			skynet.send(receiver, "lua", "count")
			if i % 10000 == 0 then
				skynet.call(receiver, "lua", "total")
			end
		end
		local arrived = skynet.call(receiver, "lua", "total")
		total = total + arrived
		skynet.kill(receiver)
	end)
	return total
end

-- Services are killed while calls to them wait; the number of calls that raised.
function M.launch_and_kill(rounds)
	local raised = 0
	for _ = 1, rounds do
		local batch, token, waiting = {}, {}, 20
		for i = 1, 20 do
			batch[i] = skynet.newservice "echo"
			skynet.fork(function()
				if not pcall(skynet.call, batch[i], "lua", "sleep") then
					raised = raised + 1
				end
				waiting = waiting - 1
				if waiting == 0 then
					skynet.wakeup(token)
				end
			end)
		end
		skynet.sleep(0)
		for i = 1, 20 do
			skynet.kill(batch[i])
		end
		if waiting > 0 then
			skynet.wait(token)
		end
	end
	return raised
end

local function for_ever(action)
	skynet.fork(function()
		while true do
			action()
		end
	end)
end

-- Calls, timers, launches and sockets without end.
function M.load(port)
	M.launch(8)
	for i = 1, 8 do
		for_ever(function()
			skynet.call(services[i], "lua", string.rep("l", i * 100))
		end)
	end
	for_ever(function()
		skynet.timeout(1, function() end)
		skynet.sleep(0)
	end)
	for_ever(function()
		skynet.kill(skynet.newservice "echo")
	end)
	local commands = require "commands_basic"
	commands.listen(port)
	for_ever(function()
		commands.open(port)
	end)
	return "loaded"
end

function M.abort()
	skynet.abort()
	return "aborted"
end

function M.savers(count)
	assert(skynet.on_shutdown, "this core has no skynet.on_shutdown")
	skynet.newservice "store"
	spread(math.tointeger(tonumber(count)), 4, function(i)
		skynet.newservice("saver", i)
	end)
	return count
end

return M
