-- Calls, sends, names and proxies between nodes: a node that is its own peer.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local check = require "check"
local memory = require "skynet.memory"
local nodes = require "cluster_nodes"

local cases = {}
local SELF <const> = nodes.SELF
local peer, open, fails = nodes.peer, nodes.open, nodes.fails

function cases.services_answer_by_name_and_by_handle()
	open()
	local p = peer()
	cluster.register("by_name", p)
	check.equal(cluster.call("me", "@by_name", "echo", 1), 1)
	check.equal(cluster.call("me", p, "echo", 2), 2)
	check.equal(cluster.query("me", "by_name"), p)
	check.equal(cluster.call("me", ".launcher", "LIST")[skynet.address(p)], "snlua peer")
	cluster.unregister "by_name"
	fails(cluster.call, "me", "@by_name", "echo")
	fails(cluster.query, "me", "by_name")
end

-- The C core hands them on, and a service that takes them for addresses of its own ends the node.
if skynet.call_timeout then
	function cases.addresses_of_memory_do_not_come_from_other_nodes()
		open()
		local p = peer()
		local address, size = skynet.pack "a block"
		for _, value in ipairs { { address }, { { a = { 1, { address } } } }, { string.rep("x", 100000), address } } do
			local ok = pcall(cluster.call, "me", p, "echo", table.unpack(value))
			check.equal(ok, false)
			cluster.send("me", p, "echo", table.unpack(value))
		end
		for _, length in ipairs { 1, 100000 } do
			fails(cluster.call, "me", p, "address", string.rep("x", length))
		end
		check.equal(cluster.call("me", p, "echo", "hi"), "hi")
		skynet.trash(address, size)
	end
end

-- The block of a request is freed by another service.
function cases.calls_do_not_add_to_the_memory_of_who_calls()
	open()
	local p = peer()
	cluster.register("counted", p)
	local proxy = cluster.proxy("me", "@counted")
	local grown = check.growth(function()
		for n = 1, 2000 do
			cluster.call("me", "@counted", "echo", n)
			cluster.send("me", "@counted", "echo", n)
			skynet.call(proxy, "lua", "echo", n)
		end
	end)
	assert(math.abs(grown) < 16384, grown)
	cluster.unregister "counted"
	for handle, bytes in pairs(memory.info()) do
		assert(bytes > 0, skynet.address(handle))
	end
end

function cases.large_messages_are_cut_and_joined()
	open()
	local p = peer()
	for _, size in ipairs { 0x7ff0, 0x8000, 0x8001, 200000 } do
		local text = string.rep("x", size)
		check.equal(cluster.call("me", p, "echo", text), text)
	end
end

function cases.failures_over_there_fail_the_call()
	open()
	local p = peer()
	fails(cluster.call, "me", p, "fail")
	skynet.kill(p)
	fails(cluster.call, "me", p, "echo")
end

function cases.nodes_that_cannot_be_reached_fail_the_call()
	open()
	fails(cluster.call, "nobody", "@x")
	fails(cluster.call, "off", "@x")
	cluster.reload { nobody = SELF } -- it has moved
	check.equal(cluster.call("nobody", ".launcher", "NOSUCH"), { "Unknown command" })
end

function cases.a_node_is_waited_for_until_it_is_known()
	open()
	skynet.fork(cluster.reload, { later = SELF })
	check.equal(cluster.call("later", ".launcher", "NOSUCH"), { "Unknown command" })
end

function cases.a_proxy_stands_for_a_service()
	open()
	local p = peer()
	cluster.register("proxied", p)
	local proxy = cluster.proxy("me", "@proxied")
	check.equal(cluster.proxy "me@proxied", proxy)
	local text = string.rep("y", 100000)
	check.equal(skynet.call(proxy, "lua", "echo", text), text)
	fails(skynet.call, proxy, "lua", "fail")
	skynet.send(proxy, "lua", "exit")
	fails(skynet.call, proxy, "lua", "echo")
end

function cases.requests_arrive_in_their_order_from_the_first_on()
	open()
	cluster.reload { ordered = SELF }
	local got = {}
	skynet.dispatch("lua", function(session, _, value)
		got[#got + 1] = value
		if session ~= 0 then
			skynet.retpack(value)
		end
	end)
	local me, done = skynet.self(), 0
	for i = 1, 30 do
		if i % 3 == 0 then
			skynet.fork(function()
				cluster.call("ordered", me, i)
				done = done + 1
			end)
			skynet.yield()
		else
			cluster.send("ordered", me, i)
		end
	end
	repeat
		skynet.sleep(1)
	until done == 10
	check.equal(cluster.call("ordered", me, "last"), "last")
	for i = 1, 30 do
		check.equal(got[i], i, "place " .. i)
	end
end

function cases.a_name_without_its_sign_fails_and_says_so()
	if not check.ours then
		return -- it is waited for
	end
	open()
	local p = peer()
	cluster.register("signed", p)
	fails(cluster.call, "me", "signed", "echo", 1)
	fails(cluster.call, "me", "signed", "echo", 1)
	cluster.send("me", "signed", "echo", 1)
	check.equal(cluster.call("me", "@signed", "echo", 1), 1)
	skynet.name("signed", p)
	cluster.unregister "signed" -- agents forget what they know
	check.equal(cluster.call("me", "signed", "echo", 1), 1, "global name")
end

function cases.calls_on_their_way_fail_when_the_agent_is_killed()
	if not check.ours then
		return -- they wait for ever
	end
	open()
	local p = peer()
	check.equal(cluster.call("me", p, "echo", 1), 1)
	local result
	skynet.fork(function()
		result = { pcall(cluster.call, "me", p, "sleep", 100000) }
	end)
	repeat
		skynet.sleep(1)
	until skynet.call(p, "debug", "STAT").task == 1
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if string.find(line, "snlua clusteragent", 1, true) then
			skynet.kill(handle)
		end
	end
	repeat
		skynet.sleep(1)
	until result
	check.equal(result[1], false)
	check.equal(cluster.call("me", p, "echo", 2), 2)
end

function cases.agents_end_when_they_are_told_so()
	open()
	cluster.call("me", ".launcher", "NOSUCH")
	local agent
	for handle, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		agent = string.find(line, "snlua clusteragent", 1, true) and handle or agent
	end
	fails(skynet.call, agent, "lua", "nonsense")
	fails(skynet.call, agent, "lua", "exit")
	fails(skynet.call, agent, "lua", "exit")
	repeat -- a call may still be lost with the agent's connection
		skynet.sleep(1)
	until pcall(cluster.call, "me", ".launcher", "NOSUCH")
end

function cases.a_sender_that_is_killed_is_replaced_and_its_callers_are_told()
	if not check.ours then
		return -- calls to the node fail for ever
	end
	open()
	local p = peer()
	check.equal(cluster.call("me", p, "echo", 1), 1)
	local proxy = cluster.proxy("me", p)
	check.equal(skynet.call(proxy, "lua", "echo", 2), 2)
	local slow, slow_by_proxy
	skynet.fork(function()
		slow = { pcall(cluster.call, "me", p, "sleep", 100000) }
	end)
	skynet.fork(function()
		slow_by_proxy = { pcall(skynet.call, proxy, "lua", "sleep", 100000) }
	end)
	skynet.sleep(5)
	for round = 1, 3 do
		local sender = cluster.get_sender "me"
		skynet.kill(sender)
		if round == 1 then
			repeat
				skynet.sleep(1)
			until slow and slow_by_proxy
			check.equal({ slow[1], slow_by_proxy[1] }, { false, false })
			check.equal(cluster.call("me", p, "echo", 3), 3)
		elseif round == 2 then
			cluster.send("me", p, "remember", 4) -- is not lost
			check.equal(cluster.call("me", p, "remembered"), 4)
		end
		check.equal(skynet.call(proxy, "lua", "echo", 5), 5)
		assert(cluster.get_sender "me" ~= sender)
	end
	skynet.kill(proxy)
	local other = cluster.proxy("me", p)
	assert(other ~= proxy)
	check.equal(skynet.call(other, "lua", "echo", 6), 6)
end

check.run(cases)
