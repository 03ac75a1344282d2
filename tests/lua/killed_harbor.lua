-- A network of harbors of which tasks and services are killed: who waits is told, no connection stays, the others go on. The master
-- is in this node: config keys master and address.
local skynet = require "skynet"
local harbor = require "skynet.harbor"
local socket = require "skynet.socket"
local check = require "check"
local kills = require "task_kills"

local kill, await_kill, in_task, await = kills.kill, kills.await_kill, kills.in_task, kills.await
local cases = {}

local function handle_of(name)
	for address, line in pairs(skynet.call(".launcher", "lua", "LIST")) do
		if line == "snlua " .. name then
			return tonumber("0x" .. string.sub(address, 2))
		end
	end
end

local count = 0

-- A new name is registered at the master, and known from it.
local function is_served()
	count = count + 1
	local name = "name" .. count
	harbor.globalname(name)
	check.equal(harbor.queryname(name), skynet.self())
end

-- The connection to the master works: what it is asked is answered.
local function await_master()
	local waiting = in_task(harbor.linkmaster)
	check.await(function()
		skynet.sleep(5)
		if waiting.ok ~= nil then
			waiting = in_task(harbor.linkmaster)
			return false
		end
		return true
	end)
	is_served()
end

function cases.a_node_joins_again_when_the_task_of_the_master_for_it_is_killed()
	await_master()
	local lost = in_task(harbor.linkmaster)
	skynet.sleep(2)
	await_kill(handle_of "cmaster", "harborpacket.lua")
	check.equal(await(lost), true)
	await_master()
end

function cases.a_node_joins_again_when_its_task_for_the_master_is_killed()
	await_master()
	local lost = in_task(harbor.linkmaster)
	skynet.sleep(2)
	await_kill(handle_of "cslave", "harborpacket.lua")
	check.equal(await(lost), true)
	await_master()
end

function cases.who_asks_for_a_name_by_a_killed_task_leaves_others_their_answers()
	local both = { in_task(harbor.queryname, "later"), in_task(harbor.queryname, "later") }
	skynet.sleep(2)
	local tasks = {}
	skynet.task(tasks)
	for name, stack in pairs(tasks) do
		if string.find(stack, "skynet/harbor.lua", 1, true) then
			skynet.killthread(string.match(name, "^(thread: %S+)"))
			break
		end
	end
	harbor.globalname "later"
	check.await(function()
		return both[1].ok or both[2].ok
	end)
	check.equal(harbor.queryname "later", skynet.self())
end

-- A stranger who has said nothing, to the master and to the node.
for name, key in pairs { cmaster = "master", cslave = "address" } do
	cases["a_stranger_of_a_killed_task_gets_the_end_" .. name] = function()
		local stranger = assert(socket.open(skynet.getenv(key)))
		skynet.sleep(2)
		local killed = kill(handle_of(name), name == "cmaster" and "harborpacket.lua" or "socket")
		assert(killed > 0)
		check.equal(socket.read(stranger), false)
		socket.close(stranger)
		await_master()
	end
end

-- The last two: nothing brings these services back.
function cases.y_without_its_master_a_node_goes_on_and_those_who_wait_for_it_are_told()
	await_master()
	local lost = in_task(harbor.linkmaster)
	skynet.sleep(2)
	skynet.kill(handle_of "cmaster")
	check.equal(await(lost), true)
	check.equal(harbor.queryname "name1", skynet.self())
	check.await(function()
		local fd = socket.open(skynet.getenv "master")
		return not fd or socket.close(fd)
	end)
end

function cases.z_who_waits_for_a_killed_slave_is_told()
	local name, link = in_task(harbor.queryname, "never"), in_task(harbor.connect, 9)
	skynet.sleep(2)
	skynet.kill(handle_of "cslave")
	check.equal({ (await(name)), (await(link)) }, { false, false })
	check.await(function()
		local fd = socket.open(skynet.getenv "address")
		return not fd or socket.close(fd)
	end)
end

check.run(cases)
