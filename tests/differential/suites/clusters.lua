-- The cluster, on a node that is its own neighbour; and the global names of a node without harbors.
local skynet = require "skynet"
local socket = require "skynet.socket"
local sweep = require "sweep"
local cluster = require "skynet.cluster"
require "skynet.manager"

local case = sweep.case

-- Agents and senders tell of the same event, each when it gets to it: most cases leave out the log.
local function quietly(subject, name, func, ...)
	sweep.unlogged(subject, name, 500, func, ...)
end

-- For what is known to wait for ever.
local function limited(subject, name, func, ...)
	sweep.unlogged(subject, name, 20, func, ...)
end

local count <const> = sweep.count

local types <const> = sweep.types

local function opening(port)
	quietly("skynet.cluster.reload", "table", function()
		return count(cluster.reload { me = "127.0.0.1:" .. port, off = false, gone = "127.0.0.1:1" })
	end)
	quietly("skynet.cluster.reload", "no file", function()
		return count(cluster.reload())
	end)
	quietly("skynet.cluster.reload", "number as address", cluster.reload, { number = 5 })
	quietly("skynet.cluster.reload", "number as name", cluster.reload, { "127.0.0.1:1" })
	quietly("skynet.cluster.reload", "text", cluster.reload, "text")
	quietly("skynet.cluster.open", "name", function()
		return types(cluster.open "me")
	end)
	quietly("skynet.cluster.open", "name again", cluster.open, "me")
	quietly("skynet.cluster.open", "unknown name", cluster.open, "nobody")
	quietly("skynet.cluster.open", "port", function()
		local address, other = cluster.open(0)
		return address, math.type(other)
	end)
	quietly("skynet.cluster.open", "node that is off", cluster.open, "off")
	sweep.quiet()
end

local function calling(echo)
	local function ask(address, ...)
		return cluster.call("me", address, ...)
	end
	skynet.name(".cluster_echo", echo)
	quietly("skynet.cluster.call", "first", ask, ".cluster_echo", "echo", 1, nil, "x", nil)
	quietly("skynet.cluster.call", "values", ask, ".cluster_echo", "echo", 1, nil, "x", false, 1.5, { a = { 1 } }, nil)
	quietly("skynet.cluster.call", "no values", ask, ".cluster_echo", "echo")
	quietly("skynet.cluster.call", "empty answer", ask, ".cluster_echo", "nothing")
	quietly("skynet.cluster.call", "fails", ask, ".cluster_echo", "fail", "problem")
	quietly("skynet.cluster.call", "unknown command", ask, ".cluster_echo", "no such")
	quietly("skynet.cluster.call", "handle", ask, echo, "echo", 1)
	quietly("skynet.cluster.call", "unknown handle", ask, 0x7fffff, "echo", 1)
	quietly("skynet.cluster.call", "unknown local name", ask, ".no_such", "echo", 1)
	quietly("skynet.cluster.call", "unknown registered name", ask, "@no_such", "echo", 1)
	quietly("skynet.cluster.call", "handle as text", ask, string.format(":%08x", echo), "echo", 1)
	quietly("skynet.cluster.call", "address nil", ask, nil, "echo", 1)
	quietly("skynet.cluster.call", "address table", ask, {}, "echo", 1)
	quietly("skynet.cluster.call", "address fraction", ask, 1.5, "echo", 1)
	quietly("skynet.cluster.call", "address negative", ask, -1, "echo", 1)
	quietly("skynet.cluster.call", "long", function()
		return #ask(".cluster_echo", "echo", string.rep("x", 200000))
	end)
	quietly("skynet.cluster.call", "long, fails", ask, ".cluster_echo", "fail", string.rep("x", 70000))
	quietly("skynet.cluster.call", "long name", ask, "." .. string.rep("n", 255), "echo")
	quietly("skynet.cluster.call", "function", ask, ".cluster_echo", "echo", print)
	quietly("skynet.cluster.call", "after errors", ask, ".cluster_echo", "echo", "still")
	quietly("skynet.cluster.call", "refused", cluster.call, "gone", ".cluster_echo", "echo", 1)
	quietly("skynet.cluster.call", "node that is off", cluster.call, "off", ".cluster_echo", "echo", 1)
	quietly("skynet.cluster.call", "in order", function()
		local list, left = {}, 5
		for i = 1, 5 do
			skynet.fork(function()
				list[#list + 1] = ask(".cluster_echo", "echo", i)
				left = left - 1
			end)
		end
		while left > 0 do
			skynet.sleep(1)
		end
		return list
	end)
	quietly("skynet.cluster.call", "callee ends", function()
		local other = skynet.newservice "differential_echo"
		return ask(other, "exit")
	end)
	limited("skynet.cluster.call", "nothing", cluster.call)
	limited("skynet.cluster.call", "node table", cluster.call, {}, ".cluster_echo", "echo")
	limited("skynet.cluster.call", "unknown node", cluster.call, "nobody", ".cluster_echo", "echo")
	sweep.quiet()
	quietly("skynet.cluster.call", "node resolved meanwhile", function()
		local answer
		skynet.fork(function()
			answer = sweep.observe(cluster.call, "late", ".cluster_echo", "echo", "at last")
		end)
		skynet.sleep(1)
		cluster.reload { late = "127.0.0.1:" .. string.match(skynet.getenv "ports", "%d+") }
		while not answer do
			skynet.sleep(1)
		end
		return answer
	end)
	sweep.quiet()
end

local function sending(echo)
	local function seen()
		cluster.call("me", ".cluster_echo", "echo")
		return skynet.call(echo, "lua", "seen")
	end
	quietly("skynet.cluster.send", "right", function()
		local results = count(cluster.send("me", ".cluster_echo", "note", "word"))
		return results, seen()
	end)
	quietly("skynet.cluster.send", "in order with calls", function()
		for i = 1, 4 do
			cluster.send("me", ".cluster_echo", "note", i)
			cluster.call("me", ".cluster_echo", "note", -i)
		end
		return seen()
	end)
	quietly("skynet.cluster.send", "long", function()
		cluster.send("me", ".cluster_echo", "note", string.rep("x", 100000))
		local list
		repeat -- what is short may overtake what is long
			list = seen()
		until #list > 0
		return #list[1]
	end)
	quietly("skynet.cluster.send", "unknown name", cluster.send, "me", ".no_such", "note", 1)
	quietly("skynet.cluster.send", "unknown handle", cluster.send, "me", 0x7fffff, "note", 1)
	quietly("skynet.cluster.send", "fails there", cluster.send, "me", ".cluster_echo", "fail", "of a push")
	quietly("skynet.cluster.send", "nothing more lost", seen)
	quietly("skynet.cluster.send", "before the node is known", function()
		local results = count(cluster.send("later", ".cluster_echo", "note", "early"))
		cluster.reload { later = "127.0.0.1:" .. string.match(skynet.getenv "ports", "%d+") }
		cluster.call("later", ".cluster_echo", "note", "call")
		return results, seen()
	end)
	quietly("skynet.cluster.send", "to nobody", cluster.send, "gone", ".cluster_echo", "note", 1)
	quietly("skynet.cluster.send", "nothing", cluster.send)
	sweep.quiet()
end

local function naming(echo)
	quietly("skynet.cluster.register", "right", function()
		return count(cluster.register("named", echo))
	end)
	quietly("skynet.cluster.register", "value", cluster.register, "second", echo)
	quietly("skynet.cluster.register", "taken", cluster.register, "second", echo)
	quietly("skynet.cluster.register", "number", cluster.register, 5, echo)
	quietly("skynet.cluster.register", "nothing", cluster.register)
	quietly("skynet.cluster.register", "text as address", cluster.register, "third", ".cluster_echo")
	quietly("skynet.cluster.register", "this service", function()
		cluster.register "this"
		return cluster.query("me", "this") == skynet.self()
	end)
	quietly("skynet.cluster.register", "another name for the service", function()
		cluster.register("another", echo)
		return cluster.query("me", "another") == echo, (pcall(cluster.query, "me", "second"))
	end)
	quietly("skynet.cluster.query", "missing", cluster.query, "me", "no_such")
	quietly("skynet.cluster.query", "number", cluster.query, "me", 5)
	limited("skynet.cluster.query", "nil", cluster.query, "me")
	quietly("skynet.cluster.query", "refused", cluster.query, "gone", "this")
	quietly("skynet.cluster.call", "registered name", cluster.call, "me", "@another", "echo", 1)
	quietly("skynet.cluster.send", "registered name", function()
		cluster.send("me", "@another", "note", "named")
		cluster.call("me", "@another", "echo")
		return skynet.call(echo, "lua", "seen")
	end)
	quietly("skynet.cluster.unregister", "right", function()
		return count(cluster.unregister "another")
	end)
	quietly("skynet.cluster.unregister", "again", function()
		return count(cluster.unregister "another")
	end)
	quietly("skynet.cluster.unregister", "number", cluster.unregister, 5)
	quietly("skynet.cluster.unregister", "nothing", cluster.unregister)
	sweep.quiet()
end

local function proxies(echo)
	local proxy
	quietly("skynet.cluster.proxy", "name", function()
		proxy = cluster.proxy("me", ".cluster_echo")
		return math.type(proxy), skynet.call(proxy, "lua", "echo", 1, nil)
	end)
	quietly("skynet.cluster.proxy", "same again", function()
		return cluster.proxy("me", ".cluster_echo") == proxy
	end)
	quietly("skynet.cluster.proxy", "one text", function()
		return skynet.call(cluster.proxy "me.cluster_echo", "lua", "echo", 2)
	end)
	quietly("skynet.cluster.proxy", "registered", function()
		cluster.register("for_proxy", echo)
		return skynet.call(cluster.proxy "me@for_proxy", "lua", "echo", 3)
	end)
	quietly("skynet.cluster.proxy", "handle", function()
		return skynet.call(cluster.proxy("me", echo), "lua", "echo", 4)
	end)
	quietly("skynet.cluster.proxy", "send", function()
		skynet.send(proxy, "lua", "note", "by proxy")
		skynet.call(proxy, "lua", "echo")
		return skynet.call(echo, "lua", "seen")
	end)
	quietly("skynet.cluster.proxy", "fails there", skynet.call, proxy, "lua", "fail", "problem")
	quietly("skynet.cluster.proxy", "unknown name", function()
		return skynet.call(cluster.proxy("me", ".no_such"), "lua", "echo")
	end)
	quietly("skynet.cluster.proxy", "refused", function()
		return skynet.call(cluster.proxy("gone", ".cluster_echo"), "lua", "echo")
	end)
	quietly("skynet.cluster.proxy", "invalid name", cluster.proxy, "nonsense")
	quietly("skynet.cluster.proxy", "nothing", cluster.proxy)
	local snax = require "skynet.snax"
	local unique = snax.uniqueservice("differential_snax", "cluster")
	quietly("skynet.cluster.snax", "by name", function()
		local object = cluster.snax("me", "differential_snax")
		return object.req.echo(1, nil), object.post.note "from afar", unique.req.hello()
	end)
	quietly("skynet.cluster.snax", "by handle", function()
		return cluster.snax("me", "differential_snax", unique.handle).req.echo(2)
	end)
	quietly("skynet.cluster.snax", "fails there", function()
		return cluster.snax("me", "differential_snax").req.fail "problem"
	end)
	quietly("skynet.cluster.snax", "unknown type", cluster.snax, "me", "no_such_snax", 1)
	quietly("skynet.cluster.get_sender", "known", function()
		return cluster.get_sender and math.type(cluster.get_sender "me")
	end)
	sweep.quiet()
end

local function commands()
	local clusterd = skynet.uniqueservice "clusterd"
	local function ask(...)
		return skynet.call(clusterd, "lua", ...)
	end
	quietly("clusterd", "sender", function()
		return math.type(ask("sender", "me"))
	end)
	quietly("clusterd", "senders", function()
		local names = {}
		for name, handle in pairs(ask "senders") do
			names[#names + 1] = name .. " " .. math.type(handle)
		end
		table.sort(names)
		return names
	end)
	quietly("clusterd", "queryname", ask, "queryname", "no_such")
	quietly("clusterd", "queryname known", function()
		return math.type(ask("queryname", "for_proxy"))
	end)
	quietly("clusterd", "proxy", function()
		return ask("proxy", "me.cluster_echo") == cluster.proxy("me", ".cluster_echo")
	end)
	quietly("clusterd", "reload", function()
		return count(ask("reload", {}))
	end)
	quietly("clusterd", "unknown", ask, "no such")
	quietly("clusterd", "nothing", ask)
	quietly("clusterd", "listen nothing", ask, "listen")
	local sender = ask("sender", "me")
	quietly("clustersender", "unknown", skynet.call, sender, "lua", "no such")
	quietly("clustersender", "nothing", skynet.call, sender, "lua")
	quietly("clustersender", "req", function()
		return skynet.call(sender, "lua", "req", ".cluster_echo", skynet.pack("echo", 1))
	end)
	quietly("clustersender", "req without a message", skynet.call, sender, "lua", "req", ".cluster_echo")
	quietly("clustersender", "works after that", cluster.call, "me", ".cluster_echo", "echo", 1)
	sweep.quiet()
end

-- Lines for the log of which the order is certain.
local function told()
	local clusterd = sweep.peer(skynet.uniqueservice "clusterd")
	case("clusterd logs", "register", function()
		cluster.register("told", skynet.self())
		cluster.unregister "told"
	end)
	case("clusterd logs", "option", cluster.reload, { __nowaiting = true })
	quietly("skynet.cluster.call", "unknown node, nowaiting", cluster.call, "stranger", ".cluster_echo", "echo")
	quietly("skynet.cluster.call", "unknown node, nowaiting again", cluster.call, "stranger", ".cluster_echo", "echo")
	quietly("skynet.cluster.send", "unknown node, nowaiting", cluster.send, "stranger", ".cluster_echo", "echo")
	quietly("skynet.cluster.query", "unknown node, nowaiting", cluster.query, "stranger", "echo")
	quietly("skynet.cluster.proxy", "unknown node, nowaiting", function()
		return skynet.call(cluster.proxy("stranger", ".cluster_echo"), "lua", "echo")
	end)
	quietly("skynet.cluster.reload", "turned off", function()
		cluster.reload { me = false }
		return pcall(cluster.call, "me", ".cluster_echo", "echo", 1)
	end)
	quietly("skynet.cluster.reload", "turned on again", function()
		cluster.reload { me = "127.0.0.1:" .. string.match(skynet.getenv "ports", "%d+") }
		skynet.sleep(5)
		return cluster.call("me", ".cluster_echo", "echo", 1)
	end)
	skynet.sleep(2)
	sweep.quiet()
	return clusterd
end

local function harbors(echo)
	local harbor = require "skynet.harbor"
	sweep.peer ".cslave"
	case("skynet.harbor.globalname", "right", function()
		return count(harbor.globalname("global", echo))
	end)
	case("skynet.harbor.queryname", "known", function()
		return harbor.queryname "global" == echo
	end)
	case("skynet.harbor.queryname", "local", function()
		return harbor.queryname ".cluster_echo" == echo
	end)
	case("skynet.harbor.queryname", "unknown local", harbor.queryname, ".no_such")
	limited("skynet.harbor.queryname", "unknown", harbor.queryname, "no_such")
	case("skynet.harbor.queryname", "registered meanwhile", function()
		local answer
		skynet.fork(function()
			answer = harbor.queryname "awaited"
		end)
		skynet.yield()
		harbor.globalname("awaited", echo)
		while not answer do
			skynet.sleep(1)
		end
		return answer == echo
	end)
	case("skynet.harbor.globalname", "taken", harbor.globalname, "global", echo)
	case("skynet.harbor.globalname", "this service", function()
		harbor.globalname "myself"
		return harbor.queryname "myself" == skynet.self()
	end)
	case("skynet.harbor.globalname", "nothing", harbor.globalname)
	case("skynet.harbor.queryname", "nothing", harbor.queryname)
	case("skynet.harbor.queryname", "number", harbor.queryname, 5)
	limited("skynet.harbor.link", "right", harbor.link, 1)
	limited("skynet.harbor.connect", "right", harbor.connect, 1)
	limited("skynet.harbor.linkmaster", "right", harbor.linkmaster)
	limited("cdummy", "unknown", skynet.call, ".cslave", "lua", "NO SUCH")
	limited("cdummy", "nothing", skynet.call, ".cslave", "lua")
	sweep.quiet()
	quietly("skynet.name", "global", function()
		skynet.name("named_so", echo)
		return harbor.queryname "named_so" == echo
	end)
	case("skynet.call", "global name", skynet.call, "named_so", "lua", "echo", 1)
	case("skynet.send", "global name", function()
		skynet.send("named_so", "lua", "note", "global")
		skynet.call("named_so", "lua", "echo")
		return skynet.call(echo, "lua", "seen")
	end)
	case("skynet.register", "global", function()
		skynet.register "me_so"
		return harbor.queryname "me_so" == skynet.self()
	end)
	case("skynet.localname", "global name", skynet.localname, "named_so")
end

sweep.run(function()
	local port = math.tointeger(string.match(skynet.getenv "ports", "%d+"))
	local echo = skynet.newservice "differential_echo"
	opening(port)
	calling(echo)
	sending(echo)
	naming(echo)
	proxies(echo)
	commands()
	told()
	sweep.peer(echo)
	harbors(echo)
end)
