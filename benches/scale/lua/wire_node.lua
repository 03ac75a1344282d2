-- A node of benches/scale/partitions: calls each other node again and again, by the node's name and by a name that the node alone has, and
-- one of those that have the name "shop", all without a limit of time, and prints what has come of it.
--
--     ready
--     call BEGIN SECONDS KIND TARGET ok|TEXT      KIND: node, own, shop
--     nodes TIME NODE ...                         that discovery knows
--     under NUMBER                                calls that are not answered yet; once a second
--     stopped                                     no more are made, since "stop" was typed

local skynet = require "skynet"
local cluster = require "skynet.cluster"
local discovery = require "skynet.cluster.discovery"
local socket = require "skynet.socket"

local name = skynet.getenv "cluster_name"
local period = tonumber(skynet.getenv "wire_period") -- 1/100 s
local others = {}
for other in string.gmatch(skynet.getenv "wire_nodes", "%S+") do
	if other ~= name then
		others[#others + 1] = other
	end
end
local underway, is_over = 0, false

local function say(...)
	print(string.format(...))
	io.stdout:flush()
end

local function clock()
	return skynet.hpc() / 1e9
end

local function record(kind, target, func, ...)
	underway = underway + 1
	local begin, from = skynet.time(), clock()
	local ok, result = pcall(func, ...)
	underway = underway - 1
	local text = ok and "ok" or string.gsub(tostring(result), "%s+", " ")
	say(
		"call %.2f %.3f %s %s %s",
		begin,
		clock() - from,
		kind,
		kind == "shop" and ok and result or target,
		string.sub(text, 1, 160)
	)
end

local function ask_all()
	while not is_over do
		for _, other in ipairs(others) do
			skynet.fork(record, "node", other, cluster.call, other, "@answer", "who")
			skynet.fork(record, "own", other, cluster.call_name, "at-" .. other, "who")
		end
		skynet.fork(record, "shop", "-", cluster.call_name, { "shop", by = "any" }, "who")
		skynet.sleep(period)
	end
end

skynet.start(function()
	skynet.dispatch("lua", function()
		skynet.retpack(name)
	end)
	cluster.register "answer"
	cluster.open()
	cluster.publish("at-" .. name)
	cluster.publish "shop"
	discovery.watch(function(nodes)
		local list = {}
		for node in pairs(nodes) do
			list[#list + 1] = node
		end
		table.sort(list)
		say("nodes %.2f %s", skynet.time(), table.concat(list, " "))
		if #list == #others + 1 then
			say "ready"
		end
	end)
	skynet.fork(function()
		skynet.sleep(300)
		ask_all()
		say "stopped"
	end)
	skynet.fork(function()
		is_over = socket.readline(socket.stdin()) == "stop"
	end)
	skynet.fork(function()
		while true do
			skynet.sleep(100)
			say("under %d", underway)
		end
	end)
end)
