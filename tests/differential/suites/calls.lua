-- Calls, answers, names and the environment of `skynet`: results, errors, and what the log says.
local skynet = require "skynet"
local sweep = require "sweep"
require "skynet.manager"

local case = sweep.case

sweep.texts()

local gives = sweep.gives

local function calls(echo, ask)
	case("skynet.call", "values", ask, "echo", 1, nil, "x", false, 1.5, { a = { 1 } }, nil)
	case("skynet.call", "no values", ask, "echo")
	case("skynet.call", "empty answer", ask, "nothing")
	case("skynet.call", "fails", ask, "fail", "problem")
	case("skynet.call", "unknown command", ask, "no such command")
	case("skynet.call", "no command", skynet.call, echo, "lua")
	case("skynet.call", "answers twice", function(...)
		local results = table.pack(ask(...))
		skynet.sleep(1)
		return table.unpack(results, 1, results.n)
	end, "twice", 1)
	case("skynet.call", "text", skynet.call, echo, "text", "hello")
	case("skynet.call", "by number of the protocol", skynet.call, echo, 10, "echo", 1)
	case("skynet.call", "by text address", function()
		return skynet.call(skynet.address(echo), "lua", "echo", 1)
	end)
	case("skynet.call", "context", ask, "context")
	case("skynet.call", "unknown protocol", skynet.call, echo, "no such", 1)
	case("skynet.call", "protocol nil", skynet.call, echo, nil, 1)
	case("skynet.call", "protocol without pack", skynet.call, echo, "response", 1)
	case("skynet.call", "unknown handle", skynet.call, 0x7fffff, "lua", 1)
	case("skynet.call", "unknown name", skynet.call, ".no_such", "lua", 1)
	case("skynet.call", "bad name", skynet.call, ":xyz", "lua", 1)
	case("skynet.call", "address nil", skynet.call, nil, "lua", 1)
	case("skynet.call", "address table", skynet.call, {}, "lua", 1)
	case("skynet.call", "address zero", skynet.call, 0, "lua", 1)
	case("skynet.call", "function as value", ask, "echo", print)
	case("skynet.call", "thread as value", ask, "echo", coroutine.running())
	case("skynet.call", "deep table", function()
		local deep = {}
		for _ = 1, 40 do
			deep = { deep }
		end
		return ask("echo", deep)
	end)
	case(
		"skynet.call",
		"table with a metatable",
		ask,
		"echo",
		setmetatable({ 1, 2 }, {
			__pairs = function()
				return next, { x = 1 }
			end,
		})
	)
	case("skynet.rawcall", "right", function()
		return skynet.unpack(skynet.rawcall(echo, "lua", skynet.pack("echo", 1)))
	end)
	case("skynet.rawcall", "text", function()
		return skynet.tostring(skynet.rawcall(echo, "text", "hi"))
	end)
	case("skynet.rawcall", "unknown handle", skynet.rawcall, 0x7fffff, "lua", "x")
	case("skynet.rawcall", "unknown protocol", skynet.rawcall, echo, "no such", "x")
	case("skynet.rawcall", "results", function()
		local results = table.pack(skynet.rawcall(echo, "lua", skynet.pack("echo", 1)))
		return results.n, type(results[1]), math.type(results[2])
	end)
	case("skynet.tracecall", "unknown handle", skynet.tracecall, "tag", 0x7fffff, "lua", "x")
end

local function sends(echo, ask)
	for _, name in ipairs { "send", "rawsend" } do
		local func = skynet[name]
		local subject = "skynet." .. name
		case(subject, "right", func, echo, "text", "word")
		case(subject, "unknown handle", func, 0x7fffff, "text", "word")
		case(subject, "unknown name", func, ".no_such", "text", "word")
		case(subject, "global name", func, "no_such", "text", "word")
		case(subject, "bad name", func, ":xyz", "text", "word")
		case(subject, "unknown protocol", func, echo, "no such", "word")
		case(subject, "address nil", func, nil, "text", "word")
		case(subject, "address zero", func, 0, "text", "word")
		case(subject, "message table", func, echo, "text", {})
		case(subject, "message nil", func, echo, "text", nil)
		case(subject, "message number", func, echo, "text", 12)
		case(subject, "nothing", func)
	end
	case("skynet.send", "seen", ask, "seen")
	case("skynet.send", "order", function()
		for i = 1, 5 do
			skynet.send(echo, "text", "word " .. i)
			skynet.send(echo, "lua", "note", i)
		end
		return ask "seen"
	end)
	case("skynet.send", "fails there", function()
		skynet.send(echo, "lua", "fail", "of a send")
		skynet.send(echo, "lua", "no such command")
		return ask "echo"
	end)
	case("skynet.send", "answered all the same", function()
		skynet.send(echo, "lua", "echo", 1)
		skynet.send(echo, "lua", "nothing")
		return ask "echo"
	end)
	case("skynet.call", "never answered", function()
		skynet.fork(function()
			pcall(ask, "silent")
		end)
		skynet.sleep(1)
		return ask "echo"
	end)
	case("skynet.redirect", "right", skynet.redirect, echo, 0x1234, "text", 0, "redirected")
	case("skynet.redirect", "unknown handle", skynet.redirect, 0x7fffff, 0x1234, "text", 0, "redirected")
	case("skynet.redirect", "unknown protocol", skynet.redirect, echo, 0x1234, "no such", 0, "redirected")
	case("skynet.redirect", "nothing", skynet.redirect)
	case("skynet.redirect", "no session", skynet.redirect, echo, 0x1234, "text")
	case("skynet.redirect", "seen", ask, "seen")
end

local function responses(echo, ask)
	case("skynet.response", "kept and released", function()
		local answer
		skynet.fork(function()
			answer = sweep.observe(ask, "keep")
		end)
		skynet.yield()
		local observed = sweep.observe(ask, "release", true, 1, nil)
		skynet.yield()
		return observed, answer
	end)
	case("skynet.response", "kept and failed", function()
		local answer
		skynet.fork(function()
			answer = sweep.observe(ask, "keep")
		end)
		skynet.yield()
		local observed = sweep.observe(ask, "release", false)
		skynet.yield()
		return observed, answer
	end)
	case("skynet.response", "twice", function()
		local answer
		skynet.fork(function()
			answer = sweep.observe(ask, "keep")
		end)
		skynet.yield()
		local observed = sweep.observe(ask, "release_twice", 1)
		skynet.yield()
		return observed, answer
	end)
	case("skynet.response", "for a send", function()
		skynet.send(echo, "lua", "keep")
		return ask("release", true)
	end)
	case("skynet.response", "no request", skynet.response)
	case("skynet.ret", "no request", skynet.ret)
	case("skynet.ret", "no request, text", skynet.ret, "text")
	case("skynet.retpack", "no request", skynet.retpack, 1)
	case("skynet.context", "no request", skynet.context)
	case("skynet.ignoreret", "no request", skynet.ignoreret)
	case("skynet.call", "to itself", function()
		skynet.dispatch("lua", function(_, _, ...)
			skynet.retpack("me", ...)
		end)
		return skynet.call(skynet.self(), "lua", 1)
	end)
	case("skynet.call", "callee ends", ask, "answer_and_exit", "bye")
end

local function calls_to_the_gone(echo)
	case("gone", "call", skynet.call, echo, "lua", "echo")
	case("gone", "send", skynet.send, echo, "lua", "echo")
	case("gone", "rawsend", skynet.rawsend, echo, "text", "echo")
	case("gone", "redirect", skynet.redirect, echo, 0, "text", 0, "x")
	case("gone", "kill", skynet.kill, echo)
	case("gone", "ends while called", function()
		return skynet.call(skynet.newservice "differential_echo", "lua", "exit")
	end)
	case("gone", "ends while others wait", function()
		local other, answers = sweep.peer(skynet.newservice "differential_echo"), {}
		for i = 1, 3 do
			skynet.fork(function()
				answers[i] = sweep.observe(skynet.call, other, "lua", "later", 1000)
			end)
		end
		skynet.fork(function()
			answers[4] = sweep.observe(skynet.call, other, "lua", "keep")
		end)
		skynet.yield()
		skynet.send(other, "lua", "exit")
		sweep.eventually(function()
			return #answers == 4
		end)
		return answers
	end)
	case("gone", "killed while others wait", function()
		local other, answer = sweep.peer(skynet.newservice "differential_echo"), nil
		skynet.fork(function()
			answer = sweep.observe(skynet.call, other, "lua", "later", 1000)
		end)
		skynet.yield()
		skynet.kill(other)
		sweep.eventually(function()
			return answer
		end, 30)
		return answer
	end)
	case("skynet.term", "calls to a service that lives", function()
		local other, answer = sweep.peer(skynet.newservice "differential_echo"), nil
		skynet.fork(function()
			answer = sweep.observe(skynet.call, other, "lua", "later", 2, "late")
		end)
		skynet.yield()
		local results = table.pack(skynet.term(other))
		skynet.sleep(5)
		return results.n, answer
	end)
end

local function calling()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	local function ask(...)
		return skynet.call(echo, "lua", ...)
	end
	calls(echo, ask)
	sends(echo, ask)
	responses(echo, ask)
	calls_to_the_gone(echo)
end

local function launched_services()
	case("skynet.launch", "unknown", skynet.launch, "no_such_c_service")
	sweep.record(
		"skynet.launch",
		"fails",
		sweep.observe(function()
			return math.type(skynet.launch("snlua", "no_such_service"))
		end)
	)
	sweep.forget() -- two services log, in any order
	case("skynet.launch", "right", function()
		local handle = skynet.launch("snlua", "differential_echo")
		skynet.sleep(2)
		return math.type(handle)
	end)
	case("skynet.launch", "nothing", skynet.launch)
	case("skynet.launch", "table", skynet.launch, {})
	for _, how in ipairs {
		"main chunk",
		"value",
		"nil",
		"syntax",
		"module",
		"yield",
		"init",
		"start",
		"exit",
		"start value",
		"init late",
	} do
		case("skynet.newservice", "fails: " .. how, function()
			local results = table.pack(pcall(skynet.newservice, "differential_failing", how))
			skynet.sleep(1)
			return results[1], results[1] and math.type(results[2]) or results[2]
		end)
	end
	case("skynet.newservice", "unknown", skynet.newservice, "no_such_service")
	case("skynet.newservice", "nothing", skynet.newservice)
	case("skynet.newservice", "empty", skynet.newservice, "")
	case("skynet.newservice", "results", function()
		local results = table.pack(skynet.newservice "differential_echo")
		return results.n, math.type(results[1])
	end)
	case("skynet.uniqueservice", "twice", function()
		return skynet.uniqueservice "differential_echo" == skynet.uniqueservice "differential_echo"
	end)
	case("skynet.uniqueservice", "unknown", skynet.uniqueservice, "no_such_service")
	case("skynet.uniqueservice", "unknown again", skynet.uniqueservice, "no_such_service")
	case("skynet.uniqueservice", "nothing", skynet.uniqueservice)
	case("skynet.queryservice", "known", function()
		return skynet.queryservice "differential_echo" == skynet.uniqueservice "differential_echo"
	end)
	sweep.limited("skynet.queryservice", "unknown", 20, skynet.queryservice, "not_started_by_anybody")
	sweep.limited("skynet.queryservice", "nothing", 20, skynet.queryservice)
end

local function names()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	case("skynet.name", "local", skynet.name, ".differential", echo)
	case("skynet.localname", "known", function()
		return skynet.localname ".differential" == echo
	end)
	case("skynet.localname", "unknown", skynet.localname, ".no_such")
	case("skynet.localname", "without a dot", skynet.localname, "differential")
	case("skynet.localname", "nothing", skynet.localname)
	case("skynet.name", "taken", skynet.name, ".differential", skynet.self())
	case("skynet.name", "colon", skynet.name, ":1234", echo)
	case("skynet.name", "too long", skynet.name, "a_name_that_is_too_long", echo)
	case("skynet.name", "number", skynet.name, "1234", echo)
	case("skynet.name", "nothing", skynet.name)
	case("skynet.register", "local", skynet.register, ".differential_me")
	case("skynet.register", "known", function()
		return skynet.localname ".differential_me" == skynet.self()
	end)
	case("skynet.register", "colon", skynet.register, ":1")
	case("skynet.register", "too long", skynet.register, "a_name_that_is_too_long")
	case("skynet.register", "nothing", skynet.register)
	case("skynet.address", "number", skynet.address, 0x12)
	case("skynet.address", "text", skynet.address, ".name")
	case("skynet.address", "nil", skynet.address)
	case("skynet.address", "fraction", skynet.address, 1.5)
	sweep.sweep("skynet.harbor", skynet.harbor, gives(0x01000002))
	case("skynet.kill", "by name", skynet.kill, ".differential")
	case("skynet.kill", "unknown name", skynet.kill, ".no_such")
	case("skynet.kill", "unknown text", skynet.kill, ":7fffff")
	case("skynet.kill", "nil", skynet.kill)
	case("skynet.kill", "no address", skynet.kill, "no address")
	launched_services()
end

local function config_and_figures()
	sweep.sweep("skynet.getenv", skynet.getenv, gives "harbor")
	case("skynet.getenv", "missing", skynet.getenv, "no_such_key")
	case("skynet.setenv", "new", skynet.setenv, "differential_key", "value")
	case("skynet.setenv", "read", skynet.getenv, "differential_key")
	case("skynet.setenv", "again", skynet.setenv, "differential_key", "value")
	case("skynet.setenv", "number", skynet.setenv, "differential_number", 1.5)
	case("skynet.setenv", "number read", skynet.getenv, "differential_number")
	case("skynet.setenv", "no value", skynet.setenv, "differential_nothing")
	case("skynet.setenv", "table", skynet.setenv, "differential_table", {})
	case("skynet.setenv", "nothing", skynet.setenv)
	case("skynet.setenv", "spaces", skynet.setenv, "differential_spaces", "a b  c")
	case("skynet.setenv", "spaces read", skynet.getenv, "differential_spaces")
	case("skynet.setenv", "empty", skynet.setenv, "differential_empty", "")
	case("skynet.setenv", "empty read", skynet.getenv, "differential_empty")
	for _, what in ipairs { "mqlen", "cpu", "time", "message", "endless", "no such" } do
		case("skynet.stat", what, function()
			return math.type(skynet.stat(what))
		end)
	end
	case("skynet.stat", "nothing", function()
		return skynet.stat()
	end)
	for _, name in ipairs { "now", "hpc", "starttime", "time", "mqlen", "genid", "self" } do
		case("skynet." .. name, "type", function()
			local results = table.pack(skynet[name]())
			return results.n, math.type(results[1])
		end)
	end
	case("skynet.endless", "right", skynet.endless)
end

local function logs_and_traces()
	case("skynet.error", "values", skynet.error, "text", 1, nil, true, {}, 1.5)
	case("skynet.error", "nothing", skynet.error)
	case("skynet.error", "percent", skynet.error, "%s %d %n")
	case("skynet.error", "zero byte", skynet.error, "a\0b")
	case("skynet.error", "long", skynet.error, string.rep("x", 300))
	case(
		"skynet.error",
		"tostring",
		skynet.error,
		setmetatable({}, {
			__tostring = function()
				return "named"
			end,
		})
	)
	case(
		"skynet.error",
		"tostring fails",
		skynet.error,
		setmetatable({}, {
			__tostring = function()
				error "no"
			end,
		})
	)
	case(
		"skynet.error",
		"tostring gives a number",
		skynet.error,
		setmetatable({}, {
			__tostring = function()
				return 1
			end,
		})
	)
	sweep.sweep("skynet.tracelog", skynet.tracelog, gives("tag", "text"))
	sweep.apart("skynet.trace", "right", function()
		local skynet = require "skynet"
		local before = skynet.tracetag()
		local results = table.pack(skynet.trace "info")
		skynet.sleep(1)
		skynet.call(".launcher", "lua", "LIST")
		return before, results.n, (string.gsub(skynet.tracetag(), "%x%x%x%x%x%x%x%x", "H"))
	end)
	sweep.apart("skynet.trace", "nothing", function()
		return (require "skynet".trace())
	end)
	sweep.apart("skynet.traceproto", "on", function()
		local skynet = require "skynet"
		local results = table.pack(skynet.traceproto("lua", true))
		local inner = sweep
		skynet.dispatch("lua", function(_, _, word)
			skynet.sleep(0)
			skynet.retpack(word)
		end)
		return results.n, skynet.call(skynet.self(), "lua", "word")
	end)
	case("skynet.traceproto", "off", skynet.traceproto, "lua", nil)
	case("skynet.traceproto", "unknown", skynet.traceproto, "no such", true)
	case("skynet.pcall", "is", function()
		return skynet.pcall == pcall
	end)
	case("skynet.info_func", "right", skynet.info_func, function()
		return "info"
	end)
end

local function protocols()
	case("skynet.memlimit", "gone", function()
		return skynet.memlimit
	end)
	case("skynet.init", "in a task", skynet.init, function() end)
	case("skynet.init", "nil", skynet.init)
	case("skynet.register_protocol", "taken name", skynet.register_protocol, { name = "lua", id = 99 })
	case("skynet.register_protocol", "taken number", skynet.register_protocol, { name = "new", id = 10 })
	case("skynet.register_protocol", "no name", skynet.register_protocol, { id = 98 })
	case("skynet.register_protocol", "no number", skynet.register_protocol, { name = "new" })
	case("skynet.register_protocol", "large number", skynet.register_protocol, { name = "new", id = 256 })
	case("skynet.register_protocol", "negative number", skynet.register_protocol, { name = "new", id = -1 })
	case("skynet.register_protocol", "nothing", skynet.register_protocol)
	case("skynet.register_protocol", "right", skynet.register_protocol, { name = "new", id = 97 })
	case("skynet.dispatch", "asked", function()
		return type(skynet.dispatch "lua")
	end)
	case("skynet.dispatch", "none", skynet.dispatch, "new")
	case("skynet.dispatch", "set", skynet.dispatch, "new", print)
	case("skynet.dispatch", "set again", function()
		return skynet.dispatch("new", function() end) == print
	end)
	case("skynet.dispatch", "unknown", skynet.dispatch, "no such")
	case("skynet.dispatch", "unknown set", skynet.dispatch, "no such", print)
	case("skynet.dispatch", "number", function()
		return type(skynet.dispatch(10))
	end)
	case("skynet.dispatch_unknown_request", "previous", function()
		local previous = skynet.dispatch_unknown_request(print)
		return type(previous), skynet.dispatch_unknown_request(previous) == print
	end)
	case("skynet.dispatch_unknown_response", "previous", function()
		local previous = skynet.dispatch_unknown_response(print)
		return type(previous), skynet.dispatch_unknown_response(previous) == print
	end)
	case("unhandled", "send of an unknown type", function()
		skynet.redirect(skynet.self(), 0, "text_nobody", 0, "x")
	end)
	skynet.register_protocol {
		name = "unhandled",
		id = 96,
		pack = function(...)
			return ...
		end,
		unpack = skynet.tostring,
	}
	case("unhandled", "send without a handler", function()
		skynet.send(skynet.self(), "unhandled", "message")
		skynet.sleep(1)
	end)
	case("unhandled", "call without a handler", skynet.call, skynet.self(), "unhandled", "message")
	case("unhandled", "answer without a task", function()
		skynet.redirect(skynet.self(), 0, "response", 0x7fffff00, "answer")
		skynet.sleep(1)
	end)
end

local function environment()
	config_and_figures()
	logs_and_traces()
	protocols()
end

sweep.run(function()
	calling()
	names()
	environment()
end)
