-- Two nodes in a network of harbors: names, calls, sends, channels and data across, and the end of the other node.
local skynet = require "skynet"
local sweep = require "sweep"
local harbor = require "skynet.harbor"
require "skynet.manager"

local FAR <const> = 2

-- Several services of two nodes log at once.
local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 1000, func, ...)
end

-- For what is known to wait for ever.
local function limited(subject, name, func, ...)
	sweep.unlogged(subject, name, 30, func, ...)
end

-- Starts the other node: with the config of this one, but for its number, its port and its first service.
local function start_other()
	local text = assert(io.open "config"):read "a"
	local port = select(3, string.match(skynet.getenv "ports", "(%d+) (%d+) (%d+)"))
	text = text
		.. string.format(
			"\nharbor = %d\nstart = 'differential_far'\naddress = '127.0.0.1:%s'\nstandalone = nil\n",
			FAR,
			port
		)
	local file = assert(io.open("other", "w"))
	file:write(text)
	file:close()
	os.execute(string.format("'%s' other </dev/null >other.out 2>&1 &", skynet.getenv "executable"))
end

local function names(node, far, here)
	case("skynet.harbor.queryname", "of the other node", function()
		return skynet.harbor(far)
	end)
	case("skynet.harbor.queryname", "known by now", function()
		return harbor.queryname "far_echo" == far
	end)
	case("skynet.harbor.globalname", "seen there", function()
		harbor.globalname("near_echo", here)
		return skynet.call(node, "lua", "find", "near_echo") == here
	end)
	case("skynet.name", "global, seen there", function()
		skynet.name("near_two", here)
		return skynet.call(node, "lua", "find", "near_two") == here
	end)
	case("skynet.harbor.queryname", "registered there meanwhile", function()
		local found
		skynet.fork(function()
			found = harbor.queryname "later"
		end)
		skynet.call(node, "lua", "name", "later")
		while not found do
			skynet.sleep(1)
		end
		return found == far
	end)
	limited("skynet.harbor.queryname", "that no node has", harbor.queryname, "nowhere")
	case("skynet.address", "of the other node", function()
		return #skynet.address(far)
	end)
	case("skynet.harbor", "of the other node", skynet.harbor, far)
	case("skynet.localname", "of the other node", skynet.localname, "far_echo")
end

local function messages(node, far)
	local function ask(...)
		return skynet.call(far, "lua", ...)
	end
	case("across skynet.call", "values", ask, "echo", 1, nil, "x", false, 1.5, { a = { 1 } }, nil)
	case("across skynet.call", "no values", ask, "echo")
	case("across skynet.call", "empty answer", ask, "nothing")
	case("across skynet.call", "global name", function()
		return skynet.call("far_echo", "lua", "echo", 1)
	end)
	case("across skynet.call", "fails", ask, "fail", "problem")
	case("across skynet.call", "unknown command", ask, "no such")
	case("across skynet.call", "long", function()
		return #ask("echo", string.rep("x", 300000))
	end)
	case("across skynet.call", "callee ends", function()
		return skynet.call(skynet.call(node, "lua", "another"), "lua", "exit")
	end)
	case("across skynet.call", "text", skynet.call, far, "text", "hello")
	limited("across skynet.call", "unknown handle there", skynet.call, FAR << 24 | 0xfffffe, "lua", "echo")
	limited("across skynet.call", "unknown node", skynet.call, 9 << 24 | 5, "lua", "echo")
	case("across skynet.rawcall", "right", function()
		return skynet.unpack(skynet.rawcall(far, "lua", skynet.pack("echo", 2)))
	end)
	case("across skynet.send", "order", function()
		for i = 1, 5 do
			skynet.send(far, "lua", "note", i)
		end
		return ask "seen"
	end)
	case("across skynet.send", "by name, then by handle", function()
		skynet.send("far_echo", "lua", "note", "named")
		skynet.send(far, "lua", "note", "numbered")
		return ask "seen"
	end)
	case("across skynet.send", "fails there", function()
		skynet.send(far, "lua", "fail", "of a send")
		return ask "echo"
	end)
	case("across skynet.send", "results", skynet.send, far, "lua", "note", 1)
	case("across skynet.send", "unknown node", skynet.send, 9 << 24 | 5, "lua", "note", 1)
	case("across skynet.redirect", "right", function()
		skynet.redirect(far, skynet.self(), "text", 0, "redirected")
		return ask "seen"
	end)
	case("across skynet.response", "later", ask, "later", 2, "late")
	case("across skynet.response", "kept and released", function()
		local answer
		skynet.fork(function()
			answer = sweep.observe(ask, "keep")
		end)
		skynet.sleep(2)
		ask("release", true, 5)
		while not answer do
			skynet.sleep(1)
		end
		return answer
	end)
end

local function shared(node)
	local datacenter = require "skynet.datacenter"
	case("across skynet.datacenter", "set here, read there", function()
		datacenter.set("across", "key", { 1, x = "y" })
		return skynet.call(node, "lua", "datacenter_get", "across", "key")
	end)
	local multicast = require "skynet.multicast"
	case("across skynet.multicast", "published here, heard there", function()
		local channel = multicast.new()
		skynet.call(node, "lua", "subscribe", channel.channel)
		channel:publish("message", 5, nil)
		local heard
		repeat
			skynet.sleep(1)
			heard = skynet.call(node, "lua", "heard")
		until #heard > 0
		skynet.call(node, "lua", "unsubscribe")
		local last = table.pack(channel:publish "unheard")
		channel:delete()
		return heard, last
	end)
	case("across skynet.multicast", "published there, heard here", function()
		local heard
		local id = skynet.call(node, "lua", "channel")
		local channel = multicast.new {
			channel = id,
			dispatch = function(_, _, ...)
				heard = table.pack(...)
			end,
		}
		channel:subscribe()
		skynet.call(node, "lua", "publish", "word", 1)
		while not heard do
			skynet.sleep(1)
		end
		channel:unsubscribe()
		return id & 0xff, heard
	end)
	case("across skynet.multicast", "deleted from here", function()
		local channel = multicast.new { channel = skynet.call(node, "lua", "channel") }
		channel:subscribe()
		return select("#", channel:delete())
	end)
	case("across skynet.uniqueservice", "one for all nodes", function()
		return skynet.uniqueservice(true, "differential_apart")
			== skynet.call(node, "lua", "unique", "differential_apart")
	end)
	case("across skynet.queryservice", "one for all nodes", function()
		return skynet.queryservice(true, "differential_apart") == skynet.uniqueservice(true, "differential_apart")
	end)
	local snax = require "skynet.snax"
	case("skynet.snax.globalservice", "one for all nodes", function()
		local object = snax.globalservice "differential_snax"
		return object.handle == skynet.call(node, "lua", "global_snax"), object.req.echo(1, nil)
	end)
	case("skynet.snax.queryglobal", "one for all nodes", function()
		return snax.queryglobal "differential_snax".handle == snax.globalservice "differential_snax".handle
	end)
end

local function commands()
	for _, name in ipairs { ".cslave" } do
		limited("cslave", "unknown", skynet.call, name, "lua", "NO_SUCH")
		limited("cslave", "nothing", skynet.call, name, "lua")
		limited("cslave", "QUERYNAME local", skynet.call, name, "lua", "QUERYNAME", ".cslave_of_nobody")
		limited("cslave", "LINK unknown node", skynet.call, name, "lua", "LINK", 77)
		limited("cslave", "CONNECT known node", skynet.call, name, "lua", "CONNECT", FAR)
		limited("cslave", "CONNECT unknown node", skynet.call, name, "lua", "CONNECT", 78)
		limited("cslave", "LINKMASTER", skynet.call, name, "lua", "LINKMASTER")
	end
	limited("skynet.harbor.connect", "known node", harbor.connect, FAR)
	limited("skynet.harbor.linkmaster", "in a network", harbor.linkmaster)
end

local function ending(node, far)
	case("skynet.harbor.link", "until the other node ends", function()
		skynet.send(node, "lua", "end_node")
		return select("#", harbor.link(FAR))
	end)
	limited("gone across", "call by handle", skynet.call, far, "lua", "echo", 1)
	limited("gone across", "call by name", skynet.call, "far_echo", "lua", "echo", 1)
	limited("gone across", "send", skynet.send, far, "lua", "echo", 1)
	limited("gone across", "query", function()
		return harbor.queryname "far_echo" == far
	end)
	limited("gone across", "link", harbor.link, FAR)
	limited("gone across", "connect", harbor.connect, FAR)
end

sweep.texts()

sweep.run(function()
	local here = skynet.newservice "differential_echo"
	start_other()
	local node = harbor.queryname "far_node"
	local far = skynet.call(node, "lua", "echo_handle")
	sweep.quiet()
	names(node, far, here)
	messages(node, far)
	shared(node)
	commands()
	ending(node, far)
end)
