-- A node of a cluster that finds itself, which does what the test types.
local skynet = require "skynet"
require "skynet.manager"
local cluster = require "skynet.cluster"
local discovery = require "skynet.cluster.discovery"
local lock = require "skynet.cluster.lock"
local socket = require "skynet.socket"
local values = require "skynet.cluster.values"

local name = skynet.getenv "cluster_name"
local command = {}
local asking, elections, publications = {}, {}, {}

local function names_of(list)
	local names = {}
	for key, item in pairs(list) do
		names[#names + 1] = item.node or key
	end
	table.sort(names)
	return table.concat(names, " ")
end

function command.open()
	cluster.open()
	print "open"
end

function command.publish(service, tag)
	local publication = cluster.publish(service, { tags = { tag = tag } })
	publications[service] = publication
	print("published", service, publication.problem or "at once")
end

function command.change(service, tag)
	print("changed", service, publications[service]:change { tags = { tag = tag } })
end

-- Drains, for as long as `drained` has not been typed.
function command.drain()
	local is_over = false
	function command.drained()
		is_over = true
	end
	cluster.on_drain(function()
		while not is_over do
			skynet.sleep(1)
		end
	end)
	cluster.drain { limit = 6000 }
	print "the drain is over"
end

function command.watch(service)
	cluster.watch_name(service, function(list)
		print(string.format("%s is at: %s.", service, names_of(list)))
	end)
end

function command.nodes()
	discovery.watch(function(nodes)
		print(string.format("nodes: %s.", names_of(nodes)))
	end)
end

function command.ask(target, ...)
	print("answer", pcall(cluster.call, target, ...))
end

function command.ask_name(service, ...)
	print("answer", pcall(cluster.call_name, service, ...))
end

function command.ask_within(service, time, ...)
	print("answer", pcall(cluster.call_name, { service, time = tonumber(time) }, ...))
end

-- Asks a name without end, until `stop`. Tells of the first failure, and of each hundred answers.
function command.keep_asking(service)
	local answered, failed = 0, 0
	asking[service] = true
	while asking[service] do
		local ok, who = pcall(cluster.call_name, { service, by = "any" }, "who")
		if ok then
			answered = answered + 1
			if answered % 100 == 0 then
				print("progress", failed, who)
			end
			skynet.sleep(1)
		else
			failed = failed + 1
			print("a call has failed", who)
			skynet.sleep(5)
		end
	end
	print(string.format("asked %s, failed: %d", service, failed))
end

function command.stop(service)
	asking[service] = nil
end

function command.elect(office)
	local ok, stop = pcall(lock.elect, office, function(held)
		print(string.format("elected %s %d", office, held.number))
		print("lost", office, held:wait(), held:holds())
	end)
	elections[office] = ok and stop or nil
	if not ok then
		print("refused", stop)
	end
end

function command.resign(office)
	elections[office]()
end

function command.lock(what, time)
	local ok, held, why = pcall(lock.acquire, what, tonumber(time))
	print("lock", ok, ok and held and held.number or held, why)
end

function command.set(key, text)
	print("set", pcall(values.set, key, text))
end

function command.value(key)
	values.watch(key, function(text)
		print(string.format("%s is %s.", key, text))
	end)
end

function command.state()
	local state = discovery.state()
	print("state", state.state, state.kind, state.nodes)
end

function command.figures()
	local _, figures = skynet.call(skynet.uniqueservice "clusterd", "lua", "figures")
	print("figures", figures.fresh, figures.nodes, figures.names, figures.locks)
end

function command.leave()
	discovery.leave()
	print "left"
end

local function run(line)
	local words = {}
	for word in string.gmatch(line, "%S+") do
		words[#words + 1] = word
	end
	local ok, problem = pcall(command[words[1]], table.unpack(words, 2))
	if not ok then
		print("FAILED", line, problem)
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what)
		if what == "never" then
			return skynet.ignoreret()
		end
		skynet.retpack(name, what)
	end)
	skynet.fork(function()
		local stdin = socket.stdin()
		local line = socket.readline(stdin)
		while line do
			skynet.fork(run, line)
			line = socket.readline(stdin)
		end
	end)
	print "ready"
end)
