-- Cluster: tasks and services that are killed. Who waits is told, nothing stays behind, the others go on.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local check = require "check"
local kills = require "task_kills"
local nodes = require "cluster_nodes"
local windows = require "skynet.internal.clusterwindow"

local kill, await_kill, in_task, await = kills.kill, kills.await_kill, kills.in_task, kills.await
local cases = {}

local function clusterd()
	return skynet.uniqueservice "clusterd"
end

local function services(name)
	local list = {}
	for address, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if string.find(line, "^snlua " .. name) then
			list[#list + 1] = tonumber("0x" .. string.sub(address, 2))
		end
	end
	return list
end

local function listens(port)
	local fd = socket.open("127.0.0.1", port)
	if fd then
		socket.close(fd)
	end
	return fd ~= nil
end

---------------------------------------------------------------- clusterd

function cases.a_port_that_nobody_is_told_of_is_not_open()
	local newservice = in_task(cluster.open, check.port(4))
	skynet.yield()
	repeat
		skynet.yield()
	until kill(clusterd(), "clusterd.lua") > 0 or newservice.ok ~= nil
	local ok = await(newservice)
	if not ok then -- killed before it had answered
		check.await(function()
			return not listens(check.port(4))
		end)
	end
end

function cases.who_waits_for_a_node_that_nobody_knows_is_told_and_others_wait_on()
	cluster.reload { __nowaiting = false }
	local first = in_task(cluster.call, "later", 1, "hello")
	await_kill(clusterd(), "clusternodes.lua")
	check.equal(await(first), false)
	local peer = nodes.peer()
	local second = in_task(cluster.call, "later", peer, "echo", "hello")
	skynet.sleep(2)
	cluster.reload { later = nodes.SELF }
	check.equal({ await(second) }, { true, "hello" })
end

-- The one that drains is killed: the others who wait for the drain were never told.
function cases.a_drain_whose_task_is_killed_is_done_by_another()
	cluster.open(check.port(5))
	local held
	cluster.on_drain(function()
		held = coroutine.running()
		skynet.wait()
	end)
	local first = in_task(cluster.drain, { limit = 1000 })
	check.await(function()
		return held
	end)
	local second = in_task(cluster.drain, { limit = 20 })
	skynet.sleep(2)
	check.equal(kill(clusterd(), "sleep'.-clusterdrain%.lua"), 1)
	check.equal(await(first), false)
	check.equal(await(second), true)
	assert(second.value.connections)
	skynet.killthread(held)
	cluster.open "me" -- ends the drain
end

function cases.a_connection_whose_agent_nobody_starts_is_closed()
	local count = #services "clusteragent"
	local fd = socket.open(nodes.SELF)
	socket.write(fd, string.pack(">s2", string.pack("<BI4I4", 0, 0, 1) .. skynet.packstring "heartbeat"))
	repeat
		skynet.yield()
		local killed = kill(clusterd(), "clusterconnections.lua")
	until killed > 0 or #services "clusteragent" > count
	-- Killed in time or not, it is served or it has ended.
	local answer = socket.read(fd)
	assert(answer == false or #answer > 0)
	socket.close(fd)
end

function cases.a_killed_agent_fails_what_is_under_way_and_another_one_serves()
	local peer = nodes.peer()
	local call = in_task(cluster.call, "me", peer, "sleep", 1000)
	check.await(function()
		return skynet.call(peer, "debug", "TASK") and next(skynet.call(peer, "debug", "TASK"))
	end)
	for _, agent in ipairs(services "clusteragent") do
		skynet.kill(agent)
	end
	check.equal(await(call), false)
	check.await(function()
		return (pcall(cluster.call, "me", peer, "echo", 1))
	end)
end

function cases.a_killed_sender_fails_what_is_under_way_and_another_one_serves()
	local peer = nodes.peer()
	local call = in_task(cluster.call, "me", peer, "sleep", 1000)
	check.await(function()
		return next(skynet.call(peer, "debug", "TASK"))
	end)
	for _, sender in ipairs(services "clustersender") do
		skynet.kill(sender)
	end
	check.equal(await(call), false)
	check.equal(cluster.call("me", peer, "echo", 1), 1)
end

function cases.a_killed_listener_closes_its_port_and_may_be_opened_again()
	local peer = nodes.peer()
	local silent = socket.open(nodes.SELF)
	for _, listener in ipairs(services "clusterlistener") do
		skynet.kill(listener)
	end
	check.equal(socket.read(silent), false)
	socket.close(silent)
	check.await(function()
		return not listens(check.port(1))
	end)
	cluster.open "me"
	check.await(function()
		return (pcall(cluster.call, "me", peer, "echo", 1))
	end)
end

---------------------------------------------------------------- clustersender

function cases.a_call_whose_task_is_killed_fails_and_the_sender_goes_on()
	local listener = socket.listen(nodes.FAKE)
	local come
	socket.start(listener, function(fd)
		socket.start(fd)
		come = fd
		while socket.read(fd) do
		end
		socket.close(fd)
	end)
	-- With a trace tag a task waits for the answer.
	local call = in_task(function()
		skynet.trace()
		cluster.call("fake", 1, "hello")
	end)
	check.await(function()
		return come
	end)
	local sender = cluster.get_sender "fake"
	await_kill(sender, "socketchannel")
	check.equal(await(call), false)
	check.equal(nodes.figures_of("fake").waiting, 0)
	socket.close(come)
	socket.close(listener)
	cluster.reload { fake = false }
end

function cases.a_window_loses_no_room_by_tasks_that_are_killed()
	local asked = {}
	local window = windows.new(
		function()
			asked[#asked + 1] = coroutine.running()
			skynet.wait()
		end,
		10,
		function()
			return 1000
		end
	)
	window.limit(2, nil)
	for _ = 1, 2 do
		assert(window.enter(1))
		window.sent(1)
	end
	local third = in_task(window.enter, 1)
	check.await(function()
		return #asked == 2
	end)
	for _, task in ipairs(asked) do
		skynet.killthread(task)
	end
	check.equal({ await(third) }, { true, true })
end

---------------------------------------------------------------- the end: nothing comes behind clusterd

function cases.without_clusterd_known_nodes_are_called_others_not_and_its_port_is_closed()
	local peer = nodes.peer()
	check.equal(cluster.call("me", peer, "echo", 1), 1)
	skynet.kill(clusterd())
	assert(not pcall(cluster.reload, {}))
	assert(not pcall(cluster.call, "another", 1, "hello"))
	check.equal(cluster.call("me", peer, "echo", 2), 2)
	local stranger = socket.open(nodes.SELF)
	check.equal(stranger and socket.read(stranger), false)
	check.await(function()
		return not listens(check.port(1))
	end)
end

local ordered = {}
for name, case in pairs(cases) do
	ordered[string.find(name, "^without_clusterd") and "z_" .. name or name] = function()
		if not string.find(name, "^without") then
			nodes.open()
		end
		case()
	end
end

check.run(ordered)
