-- Services of the Lua layer and the modules that talk to them: snax, units, queues, the launcher, the commands of the console.
local skynet = require "skynet"
require "skynet.manager"
local sweep = require "sweep"

local case = sweep.case

local function starting_snax_services(snax)
	case("skynet.snax.rawnewservice", "right", function()
		local handle = snax.rawnewservice "differential_snax"
		return math.type(handle),
			snax.bind(handle, "differential_snax").req.echo(2),
			(snax.kill(snax.bind(handle, "differential_snax")))
	end)
	case("skynet.snax.interface", "right", function()
		local description = snax.interface "differential_snax"
		local names = {}
		for kind, list in pairs(description) do
			if type(list) == "table" then
				for name, id in pairs(list) do
					names[#names + 1] = string.format("%s.%s %s", kind, name, math.type(id) or type(id))
				end
			else
				names[#names + 1] = kind .. " " .. tostring(list)
			end
		end
		table.sort(names)
		return names
	end)
	case("skynet.snax.interface", "unknown", snax.interface, "no_such_snax")
	case("skynet.snax.uniqueservice", "twice", function()
		return snax.uniqueservice "differential_snax".handle == snax.uniqueservice "differential_snax".handle
	end)
	case("skynet.snax.queryservice", "known", function()
		return snax.queryservice "differential_snax".handle == snax.uniqueservice "differential_snax".handle
	end)
	case("skynet.snax.self", "in a service that is none", snax.self)
	case("skynet.snax.exit", "is", function()
		return type(snax.exit)
	end)
end

local function calls_of_snax(snax, service)
	case("skynet.snax.newservice", "shape", function()
		local list = {}
		for key, value in pairs(service) do
			list[#list + 1] = key .. " " .. type(value)
		end
		table.sort(list)
		return list, type(getmetatable(service))
	end)
	case("skynet.snax.req", "values", function()
		return service.req.echo(1, nil, "x", nil)
	end)
	case("skynet.snax.req", "nothing", function()
		return service.req.echo()
	end)
	case("skynet.snax.req", "fails", function()
		return service.req.fail "problem"
	end)
	case("skynet.snax.req", "waits", function()
		return service.req.sleep(1, "x")
	end)
	case("skynet.snax.req", "unknown", function()
		return service.req.no_such()
	end)
	case("skynet.snax.req", "a post", function()
		return service.req.note()
	end)
	case("skynet.snax.post", "right", function()
		return service.post.note "changed", service.req.hello()
	end)
	case("skynet.snax.post", "fails", function()
		return service.post.fail()
	end)
	case("skynet.snax.post", "unknown", function()
		return service.post.no_such()
	end)
	case("skynet.snax.post", "a request", function()
		return service.post.echo()
	end)
	case("skynet.snax.bind", "right", function()
		local other = snax.bind(service.handle, "differential_snax")
		return other == service, other.req.echo(1)
	end)
	case("skynet.snax.bind", "unknown type", snax.bind, service.handle, "no_such_snax")
	case("skynet.snax.bind", "other type for the handle", snax.bind, service.handle, "other")
	case("skynet.snax.bind", "nothing", snax.bind)
	case("skynet.snax.newservice", "unknown", snax.newservice, "no_such_snax")
	sweep.record("skynet.snax.newservice", "init fails", sweep.observe(snax.newservice, "differential_snax", "fail"))
	sweep.forget() -- it logs after it has answered
	case("skynet.snax.newservice", "nothing", snax.newservice)
end

local function snax()
	local snax = require "skynet.snax"
	local service = snax.newservice "differential_snax"
	sweep.peer(service.handle)
	calls_of_snax(snax, service)
	starting_snax_services(snax)
	case(
		"skynet.snax.hotfix",
		"right",
		snax.hotfix,
		service,
		[[
		function response.echo(...) return "patched", ... end
		function hotfix(...) return "fixed", ... end
	]],
		1
	)
	case("skynet.snax.hotfix", "seen", function()
		return service.req.echo(1)
	end)
	case(
		"skynet.snax.hotfix",
		"upvalue",
		snax.hotfix,
		service,
		[[
		local hello
		function response.hello() return "patched " .. hello end
	]]
	)
	case("skynet.snax.hotfix", "upvalue seen", function()
		return service.req.hello()
	end)
	case("skynet.snax.hotfix", "broken", snax.hotfix, service, "x = = 1")
	case("skynet.snax.hotfix", "unknown function", snax.hotfix, service, "function response.no_such() end")
	case(
		"skynet.snax.hotfix",
		"unknown upvalue",
		snax.hotfix,
		service,
		[[
		local other = {}
		function response.hello() return other end
	]]
	)
	case("skynet.snax.hotfix", "fails", snax.hotfix, service, "error 'of the patch'")
	case("skynet.snax.profile_info", "shape", function()
		local info = snax.profile_info(service)
		local list = {}
		for name, entry in pairs(info) do
			list[#list + 1] = string.format("%s %s %s", name, math.type(entry.count), math.type(entry.time))
		end
		table.sort(list)
		return list
	end)
	case("skynet.snax.printf", "right", snax.printf, "%s %d", "text", 5)
	case("skynet.snax.printf", "wrong", snax.printf, "%d", "text")
	case("skynet.snax.kill", "right", snax.kill, service, "arguments")
	case("gone", "snax request", function()
		return service.req.echo(1)
	end)
	case("gone", "snax post", function()
		return service.post.note(1)
	end)
	case("gone", "snax kill", snax.kill, service)
end

local function units()
	local service = require "skynet.service"
	case("skynet.service.new", "right", function()
		return math.type(service.new("unit", function(...)
			local skynet = require "skynet"
			local arguments = table.pack(...)
			skynet.dispatch("lua", function(_, _, ...)
				skynet.retpack(arguments, ...)
			end)
		end, 1, "x", nil))
	end)
	case("skynet.service.new", "again", function()
		return service.new("unit", function() end) == service.query "unit"
	end)
	case("skynet.service.query", "call", function()
		return skynet.call(service.query "unit", "lua", "word")
	end)
	-- Two services log, in any order.
	sweep.record(
		"skynet.service.new",
		"fails",
		sweep.observe(service.new, "failing unit", function()
			error "of the unit"
		end)
	)
	sweep.record(
		"skynet.service.new",
		"fails again",
		sweep.observe(service.new, "failing unit", function()
			error "of the unit"
		end)
	)
	sweep.forget()
	case("skynet.service.new", "upvalues", service.new, "closure", function()
		return service
	end)
	case("skynet.service.new", "no function", service.new, "text unit", "text")
	case("skynet.service.new", "nothing", service.new)
	sweep.limited("skynet.service.query", "missing", 10, service.query, "nobody makes this")
	case("skynet.service.close", "right", service.close, "unit")
	case("skynet.service.close", "again", service.close, "unit")
	case("skynet.service.close", "missing", service.close, "no such unit")
end

local function commands_of_our_own(ask)
	case("gone", "debug", ask, "PING")
	case("skynet.debug.reg_debugcmd", "right", function()
		require "skynet.debug".reg_debugcmd("SWEEP", function(...)
			skynet.retpack("own", ...)
		end)
		return skynet.call(skynet.self(), "debug", "SWEEP", 1)
	end)
	case("skynet.info_func", "asked", function()
		skynet.info_func(function(...)
			return "info", ...
		end)
		return skynet.call(skynet.self(), "debug", "INFO", 1)
	end)
	case("skynet.info_func", "nothing given", function()
		skynet.info_func(function() end)
		return skynet.call(skynet.self(), "debug", "INFO")
	end)
	case("skynet.info_func", "fails", function()
		skynet.info_func(function()
			error "of info"
		end)
		return skynet.call(skynet.self(), "debug", "INFO")
	end)
end

local function debugging()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	local function ask(...)
		return skynet.call(echo, "debug", ...)
	end
	case("debug", "MEM", function()
		return math.type(ask "MEM")
	end)
	case("debug", "STAT", function()
		local list = {}
		for key, value in pairs(ask "STAT") do
			list[#list + 1] = key .. " " .. math.type(value)
		end
		table.sort(list)
		return list
	end)
	case("debug", "TASK", function()
		return ask "TASK"
	end)
	case("debug", "TASK of a session", ask, "TASK", 12345)
	case("debug", "UNIQTASK", ask, "UNIQTASK")
	case("debug", "INFO", ask, "INFO")
	case("debug", "INFO with arguments", ask, "INFO", 1, 2)
	case("debug", "PING", ask, "PING")
	case("debug", "SUPPORT", ask, "SUPPORT", "lua")
	case("debug", "SUPPORT unknown", ask, "SUPPORT", "no such")
	case("debug", "SUPPORT without a handler", ask, "SUPPORT", "response")
	case("debug", "KILLTASK", ask, "KILLTASK", "no such")
	case("debug", "RUN", ask, "RUN", "print(1, ...) print 'x' return 5", nil, "argument", 2)
	case("debug", "RUN that fails", ask, "RUN", "print 'x' error 'problem'")
	case("debug", "RUN that does not compile", ask, "RUN", "x = = 1", "named.lua")
	case(
		"debug",
		"RUN upvalues",
		ask,
		"RUN",
		"print(type(_P.lua.CMD), type(_U), type(_P.lua.CMD.echo), _P.text and type(_P.text))"
	)
	case("debug", "RUN that waits", ask, "RUN", "local skynet = require 'skynet' skynet.sleep(1) print 'slept'")
	case("debug", "TRACELOG", ask, "TRACELOG", true)
	case("debug", "TRACELOG off", ask, "TRACELOG", "lua", nil)
	case("debug", "TRACELOG unknown", ask, "TRACELOG", "no such", true)
	case("debug", "unknown", ask, "NO SUCH")
	case("debug", "nothing", ask)
	sweep.limited("debug", "GC", 10, ask, "GC")
	sweep.limited("debug", "TERM", 10, ask, "TERM", 0x7fffff)
	case("debug", "LINK", function()
		local observed
		skynet.fork(function()
			observed = sweep.observe(ask, "LINK")
		end)
		skynet.sleep(1)
		local before = observed
		skynet.send(echo, "debug", "EXIT")
		skynet.sleep(2)
		return before, observed
	end)
	commands_of_our_own(ask)
end

local function launching()
	local function ask(...)
		return skynet.call(".launcher", "lua", ...)
	end
	sweep.peer ".launcher"
	sweep.peer ".service"
	local function shape(list)
		local texts = {}
		for key, value in pairs(list) do
			texts[#texts + 1] = sweep.render(key) .. " " .. type(value)
		end
		table.sort(texts)
		return texts
	end
	local echo = skynet.newservice("differential_echo", "argument")
	case("launcher", "LIST", function()
		return ask "LIST"[skynet.address(echo)]
	end)
	case("launcher", "STAT", function()
		local stat = ask("STAT", 100)[skynet.address(echo)]
		return shape(stat)
	end)
	case("launcher", "MEM", function()
		return string.gsub(ask("MEM", 100)[skynet.address(echo)], "[%d.]+", "N")
	end)
	case("launcher", "GC", function()
		local text = string.gsub(ask("GC", 100)[skynet.address(echo)], "[%d.]+", "N")
		sweep.quiet()
		return text
	end)
	case("launcher", "KILL", function()
		return ask("KILL", echo)[skynet.address(echo)]
	end)
	case("launcher", "KILL gone", function()
		return ask("KILL", 0x7fffff)
	end)
	case("launcher", "unknown", ask, "NO_SUCH")
	case("launcher", "nothing", ask)
	case("launcher", "QUERY", ask, "QUERY", 1)
	case("launcher", "REMOVE", skynet.send, ".launcher", "lua", "REMOVE", 0x7fffff, true)
	case("launcher", "LAUNCH of a C service that is not there", ask, "LAUNCH", "no_such_c_service")
	case("launcher", "LOGLAUNCH", function()
		local handle = ask("LOGLAUNCH", "snlua", "differential_echo")
		skynet.kill(handle)
		return math.type(handle)
	end)
	case("service_mgr", "LIST", function()
		return shape(skynet.call(".service", "lua", "LIST"))
	end)
	case("service_mgr", "unknown", skynet.call, ".service", "lua", "NO_SUCH")
	case("service_mgr", "nothing", skynet.call, ".service", "lua")
end

local function entering_queues()
	local queue = require "skynet.queue"
	local enter = queue()
	case("skynet.queue", "results", function()
		return enter(function(...)
			return ..., nil
		end, 1, 2)
	end)
	case("skynet.queue", "nothing", function()
		return enter(function() end)
	end)
	case("skynet.queue", "fails", function()
		return enter(error, "problem")
	end)
	case("skynet.queue", "fails with a table", function()
		return enter(error, { 1 })
	end)
	case("skynet.queue", "no function", function()
		return enter(nil)
	end)
	case("skynet.queue", "again after a failure", function()
		return enter(function()
			return "ok"
		end)
	end)
	case("skynet.queue", "inside of itself", function()
		return enter(function()
			return enter(function(x)
				return x
			end, "inner")
		end)
	end)
	case("skynet.queue", "order", function()
		local list = {}
		for i = 1, 4 do
			skynet.fork(enter, function()
				list[#list + 1] = "in " .. i
				skynet.sleep(i == 1 and 2 or 0)
				list[#list + 1] = "out " .. i
			end)
		end
		skynet.sleep(8)
		return list
	end)
	case("skynet.queue", "the one inside fails", function()
		local list = {}
		skynet.fork(function()
			list[#list + 1] = sweep.observe(enter, function()
				skynet.sleep(1)
				error "inside"
			end)
		end)
		skynet.fork(function()
			list[#list + 1] = sweep.observe(enter, function()
				return "next"
			end)
		end)
		skynet.sleep(5)
		return list
	end)
end

local function queues_of_messages()
	local mqueue = require "skynet.mqueue"
	case("skynet.mqueue", "register and call", function()
		local list = {}
		local first = table.pack(mqueue.register(function(...)
			skynet.sleep(1)
			list[#list + 1] = ...
			return ..., "answer"
		end))
		local answers = table.pack(mqueue.call(skynet.self(), 1, nil))
		local sent = table.pack(mqueue.send(skynet.self(), 2))
		local size = math.type(mqueue.size())
		skynet.sleep(4)
		return first.n, answers, sent.n, list, size
	end)
	case("skynet.mqueue.call", "handler fails", function()
		local observed = sweep.observe(mqueue.register, function() end)
		return observed
	end)
	case("gone", "mqueue call", mqueue.call, 0x7fffff, 1)
	case("gone", "mqueue send", mqueue.send, 0x7fffff, 1)
end

local function queues()
	entering_queues()
	require "parts.coroutines"()
	queues_of_messages()
end

sweep.run(function()
	snax()
	units()
	debugging()
	launching()
	queues()
end)
