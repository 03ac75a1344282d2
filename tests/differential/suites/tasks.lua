-- Tasks, calls and answers of `skynet`: results, errors, order, and what the log says.
local skynet = require "skynet"
local sweep = require "sweep"
require "skynet.manager"

local case = sweep.case

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(...) return ... end,
	unpack = skynet.tostring,
}

local OUTSIDE = {} -- what the main chunk saw: it can call nobody
local function outside(name, func, ...)
	OUTSIDE[#OUTSIDE + 1] = { name, sweep.observe(func, ...) }
end

outside("sleep", skynet.sleep, 1)
outside("wait", skynet.wait)
outside("yield", skynet.yield)
outside("call", skynet.call, ".launcher", "lua", "STAT")
outside("rawcall", skynet.rawcall, ".launcher", "lua", skynet.pack "STAT")
outside("send", skynet.send, ".no_such_service", "lua", "x")
outside("newservice", skynet.newservice, "differential_echo")
outside("uniqueservice", skynet.uniqueservice, "differential_echo")
outside("ret", skynet.ret)
outside("retpack", skynet.retpack, 1)
outside("ignoreret", skynet.ignoreret)
outside("context", skynet.context)
outside("response", skynet.response)
outside("wakeup", skynet.wakeup, {})
outside("tracetag", skynet.tracetag)
outside("task", function() return type(skynet.task()) end)
outside("task init", skynet.task, "init")
outside("killthread", skynet.killthread, "no such")
outside("init", skynet.init, nil)
outside("self", function() return math.type(skynet.self()) end)
outside("fork", function() return type(skynet.fork(function() end)) end)
outside("timeout", function() return type(skynet.timeout(1, function() end)) end)
outside("term", skynet.term, 0x7fffff)
outside("memlimit", function() return skynet.memlimit(1 << 40), skynet.memlimit end)

local function gives(...)
	local values = table.pack(...)
	return function()
		return table.unpack(values, 1, values.n)
	end
end

local function sleeping()
	case("skynet.sleep", "right", skynet.sleep, 1)
	case("skynet.sleep", "zero", skynet.sleep, 0)
	case("skynet.sleep", "negative", skynet.sleep, -1)
	case("skynet.sleep", "fraction", skynet.sleep, 0.5)
	case("skynet.sleep", "text", skynet.sleep, "1")
	case("skynet.sleep", "no number", skynet.sleep, "x")
	case("skynet.sleep", "nothing", skynet.sleep)
	case("skynet.sleep", "table", skynet.sleep, {})
	case("skynet.sleep", "token", skynet.sleep, 1, "token")
	case("skynet.sleep", "false token", skynet.sleep, 1, false)
	case("skynet.yield", "right", skynet.yield)
	case("skynet.yield", "argument", skynet.yield, 5)
	case("skynet.wakeup", "nobody", skynet.wakeup, "nobody")
	case("skynet.wakeup", "thread that does not sleep", skynet.wakeup, coroutine.running())
	case("skynet.wakeup", "nothing", skynet.wakeup)
	case("skynet.wakeup", "nil", skynet.wakeup, nil)
	case("skynet.sleep", "woken", function()
		local me = coroutine.running()
		skynet.fork(function() skynet.wakeup(me) end)
		return skynet.sleep(1000)
	end)
	case("skynet.sleep", "woken twice", function()
		local me, results = coroutine.running(), {}
		skynet.fork(function() results[1], results[2] = tostring(skynet.wakeup(me)), tostring(skynet.wakeup(me)) end)
		local first = skynet.sleep(1000)
		local second = skynet.sleep(1)
		return first, second, results
	end)
	case("skynet.wait", "woken", function()
		local me = coroutine.running()
		skynet.fork(function() skynet.wakeup(me) end)
		return skynet.wait()
	end)
	case("skynet.wait", "token", function()
		local token = {}
		skynet.fork(function() skynet.wakeup(token) end)
		return skynet.wait(token)
	end)
	-- There, the timer of the refused sleep resumes whatever the task does next.
	sweep.apart("skynet.sleep", "token in use", function()
		local skynet = require "skynet"
		skynet.fork(function() skynet.wait "token" end)
		skynet.yield()
		skynet.sleep(1, "token")
	end)
	sweep.apart("skynet.wait", "token in use", function()
		local skynet = require "skynet"
		skynet.fork(function() skynet.wait "token" end)
		skynet.yield()
		skynet.wait "token"
	end)
end

local function forking()
	local function order(...)
		local list = {}
		for _, step in ipairs { ... } do
			step(function(word) list[#list + 1] = word end)
		end
		skynet.sleep(3)
		return table.concat(list, " ")
	end
	case("order", "forks", order, function(add)
		for i = 1, 5 do
			skynet.fork(function() add(i) end)
		end
	end)
	case("order", "forks of forks", order, function(add)
		skynet.fork(function() add "a" skynet.fork(add, "c") end)
		skynet.fork(add, "b")
	end)
	case("order", "wakeups before forks", order, function(add)
		local token = {}
		skynet.fork(function() skynet.wait(token) add "woken" end)
		skynet.yield()
		skynet.fork(add, "forked")
		skynet.wakeup(token)
	end)
	case("order", "wakeups", order, function(add)
		for i = 1, 4 do
			skynet.fork(function() skynet.wait("token " .. i) add(i) end)
		end
		skynet.yield()
		for _, i in ipairs { 3, 1, 4, 2 } do
			skynet.wakeup("token " .. i)
		end
	end)
	case("order", "woken by a woken one", order, function(add)
		skynet.fork(function() skynet.wait "first" add "first" skynet.wakeup "third" end)
		skynet.fork(function() skynet.wait "second" add "second" end)
		skynet.fork(function() skynet.wait "third" add "third" end)
		skynet.yield()
		skynet.wakeup "first"
		skynet.wakeup "second"
	end)
	case("order", "timeouts of no time", order, function(add)
		for i = 1, 3 do
			skynet.timeout(0, function() add(i) end)
		end
		skynet.fork(add, "fork")
	end)
	case("order", "timeouts", order, function(add)
		skynet.timeout(2, function() add "late" end)
		skynet.timeout(1, function() add "early" end)
		skynet.timeout(-5, function() add "at once" end)
	end)
	case("skynet.fork", "arguments", function()
		local got
		skynet.fork(function(...) got = table.pack(...) end, 1, nil, "x", nil)
		skynet.yield()
		return got
	end)
	case("skynet.fork", "returns", function() return skynet.fork(function() end) end)
	case("skynet.timeout", "returns", function() return skynet.timeout(0, function() end) end)
	case("skynet.timeout", "arguments of the function", function()
		local got
		skynet.timeout(0, function(...) got = select("#", ...) end)
		skynet.sleep(1)
		return got
	end)
	sweep.apart("skynet.fork", "of nil", function()
		local skynet = require "skynet"
		local task = skynet.fork(nil)
		skynet.sleep(1)
		return type(task)
	end)
	sweep.apart("skynet.fork", "of text", function()
		local skynet = require "skynet"
		local task = skynet.fork "text"
		skynet.sleep(1)
		return type(task)
	end)
	sweep.apart("skynet.timeout", "of nil", function()
		local skynet = require "skynet"
		local task = skynet.timeout(0, nil)
		skynet.sleep(1)
		return type(task)
	end)
	sweep.apart("skynet.timeout", "of a table", function()
		local skynet = require "skynet"
		local task = skynet.timeout(0, {})
		skynet.sleep(1)
		return type(task)
	end)
	sweep.apart("skynet.timeout", "no time", function()
		return (require "skynet".timeout("x", print))
	end)
	sweep.apart("skynet.timeout", "nothing", function()
		return (require "skynet".timeout())
	end)
	sweep.apart("skynet.fork", "fails", function()
		local skynet = require "skynet"
		skynet.fork(function() error "in a fork" end)
		skynet.fork(function() error { "a table" } end)
		skynet.fork(function() error() end)
		skynet.sleep(1)
	end)
	case("skynet.fork", "fails with others", function()
		local done = {}
		skynet.fork(function() error "first" end)
		skynet.fork(function() done[1] = true end)
		skynet.fork(function() error "second" end)
		skynet.sleep(1)
		return done
	end)
	case("skynet.timeout", "fails", function()
		skynet.timeout(0, function() error "in a timer" end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields nothing", function()
		local skynet = require "skynet"
		skynet.fork(function() coroutine.yield() end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields nonsense", function()
		local skynet = require "skynet"
		skynet.fork(function() coroutine.yield "nonsense" end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields as a skynet.coroutine", function()
		local skynet = require "skynet"
		skynet.fork(function() require "skynet.coroutine".yield(1) end)
		skynet.sleep(1)
	end)
end

local function ending_tasks()
	case("skynet.killthread", "forked", function()
		local ran = false
		local task = skynet.fork(function() ran = true end)
		local killed = skynet.killthread(task)
		skynet.sleep(1)
		return killed == task, ran
	end)
	case("skynet.killthread", "sleeper", function()
		local ended = false
		local task = skynet.fork(function()
			local _ <close> = setmetatable({}, { __close = function() ended = true end })
			skynet.sleep(2)
			ended = "slept"
		end)
		skynet.yield()
		local killed = skynet.killthread(task)
		skynet.sleep(4)
		return killed == task, ended
	end)
	case("skynet.killthread", "waiting", function()
		local task = skynet.fork(function() skynet.wait "killed" end)
		skynet.yield()
		return skynet.killthread(task) == task, skynet.wakeup "killed"
	end)
	case("skynet.killthread", "by name", function()
		local task = skynet.fork(function() skynet.wait "killed" end)
		skynet.yield()
		return skynet.killthread((string.gsub(tostring(task), "thread: ", ""))) == task
	end)
	case("skynet.killthread", "caller", function()
		local echo = sweep.peer(skynet.newservice "differential_echo")
		local task = skynet.fork(function() skynet.call(echo, "lua", "later", 1) end)
		skynet.yield()
		local killed = skynet.killthread(task)
		skynet.sleep(3)
		return killed == task
	end)
	for name, value in pairs { number = 1, table = {}, text = "no such", thread = coroutine.create(print), yes = true } do
		case("skynet.killthread", "no task: " .. name, skynet.killthread, value)
	end
	case("skynet.killthread", "nothing", skynet.killthread)
	case("skynet.task", "count", function()
		local before = skynet.task()
		skynet.fork(function() skynet.wait "counted" end)
		skynet.yield()
		local during = skynet.task()
		skynet.wakeup "counted"
		skynet.yield()
		return during - before, skynet.task() - before
	end)
	case("skynet.task", "table", function()
		local list, count, texts = {}, 0, true
		local results = table.pack(skynet.task(list))
		for key, value in pairs(list) do
			count = count + 1
			texts = texts and string.find(key, "^thread: 0x%x+ session: %d+$") ~= nil and type(value) == "string"
		end
		return results.n, count > 0, texts
	end)
	case("skynet.task", "no session", skynet.task, 0x7ffffff0)
	case("skynet.task", "thread", function()
		local task = skynet.timeout(1, function() end)
		local session = skynet.task(task)
		return math.type(session), type(skynet.task(session))
	end)
	case("skynet.task", "unknown thread", skynet.task, coroutine.create(print))
	case("skynet.task", "text", skynet.task, "text")
	case("skynet.task", "true", skynet.task, true)
	case("skynet.task", "init", function() return type(skynet.task "init") end)
	case("skynet.uniqtask", "shape", function()
		local shape = true
		for key, value in pairs(skynet.uniqtask()) do
			shape = shape and string.find(key, "^%d+\tsessions:%[[%d,]+%.*%]\n$") ~= nil and type(value) == "string"
		end
		return shape
	end)
	case("skynet.uniqtask", "many", function()
		local function park(i)
			skynet.wait("many " .. i)
		end
		for i = 1, 12 do
			skynet.fork(park, i)
		end
		skynet.yield()
		local found
		for key in pairs(skynet.uniqtask()) do
			if string.find(key, "^12\t") then
				found = string.gsub(key, "%d+", "N")
			end
		end
		for i = 1, 12 do
			skynet.wakeup("many " .. i)
		end
		skynet.yield()
		return found
	end)
	case("skynet.trace_timeout", "right", function()
		local results = table.pack(skynet.trace_timeout(true))
		local task = skynet.timeout(1, function() end)
		local text = skynet.task(skynet.task(task))
		skynet.trace_timeout(false)
		skynet.sleep(3)
		return results.n, (string.gsub(string.match(text, "^[^\n]*"), "%d+", "N"))
	end)
end

local function calling()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	local function ask(...)
		return skynet.call(echo, "lua", ...)
	end
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
	case("skynet.call", "by text address", function() return skynet.call(skynet.address(echo), "lua", "echo", 1) end)
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
	case("skynet.call", "table with a metatable", ask, "echo", setmetatable({ 1, 2 }, { __pairs = function() return next, { x = 1 } end }))
	case("skynet.rawcall", "right", function()
		return skynet.unpack(skynet.rawcall(echo, "lua", skynet.pack("echo", 1)))
	end)
	case("skynet.rawcall", "text", function() return skynet.tostring(skynet.rawcall(echo, "text", "hi")) end)
	case("skynet.rawcall", "unknown handle", skynet.rawcall, 0x7fffff, "lua", "x")
	case("skynet.rawcall", "unknown protocol", skynet.rawcall, echo, "no such", "x")
	case("skynet.rawcall", "results", function()
		local results = table.pack(skynet.rawcall(echo, "lua", skynet.pack("echo", 1)))
		return results.n, type(results[1]), math.type(results[2])
	end)
	case("skynet.tracecall", "unknown handle", skynet.tracecall, "tag", 0x7fffff, "lua", "x")
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
		skynet.fork(function() pcall(ask, "silent") end)
		skynet.sleep(1)
		return ask "echo"
	end)
	case("skynet.redirect", "right", skynet.redirect, echo, 0x1234, "text", 0, "redirected")
	case("skynet.redirect", "unknown handle", skynet.redirect, 0x7fffff, 0x1234, "text", 0, "redirected")
	case("skynet.redirect", "unknown protocol", skynet.redirect, echo, 0x1234, "no such", 0, "redirected")
	case("skynet.redirect", "nothing", skynet.redirect)
	case("skynet.redirect", "no session", skynet.redirect, echo, 0x1234, "text")
	case("skynet.redirect", "seen", ask, "seen")
	case("skynet.response", "kept and released", function()
		local answer
		skynet.fork(function() answer = sweep.observe(ask, "keep") end)
		skynet.yield()
		local observed = sweep.observe(ask, "release", true, 1, nil)
		skynet.yield()
		return observed, answer
	end)
	case("skynet.response", "kept and failed", function()
		local answer
		skynet.fork(function() answer = sweep.observe(ask, "keep") end)
		skynet.yield()
		local observed = sweep.observe(ask, "release", false)
		skynet.yield()
		return observed, answer
	end)
	case("skynet.response", "twice", function()
		local answer
		skynet.fork(function() answer = sweep.observe(ask, "keep") end)
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
		skynet.dispatch("lua", function(_, _, ...) skynet.retpack("me", ...) end)
		return skynet.call(skynet.self(), "lua", 1)
	end)
	case("skynet.call", "callee ends", ask, "answer_and_exit", "bye")
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
			skynet.fork(function() answers[i] = sweep.observe(skynet.call, other, "lua", "later", 1000) end)
		end
		skynet.fork(function() answers[4] = sweep.observe(skynet.call, other, "lua", "keep") end)
		skynet.yield()
		skynet.send(other, "lua", "exit")
		skynet.sleep(2)
		return answers
	end)
	case("gone", "killed while others wait", function()
		local other, answer = sweep.peer(skynet.newservice "differential_echo"), nil
		skynet.fork(function() answer = sweep.observe(skynet.call, other, "lua", "later", 1000) end)
		skynet.yield()
		skynet.kill(other)
		skynet.sleep(3)
		return answer
	end)
	case("skynet.term", "calls to a service that lives", function()
		local other, answer = sweep.peer(skynet.newservice "differential_echo"), nil
		skynet.fork(function() answer = sweep.observe(skynet.call, other, "lua", "later", 2, "late") end)
		skynet.yield()
		local results = table.pack(skynet.term(other))
		skynet.sleep(5)
		return results.n, answer
	end)
end

local function selecting()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	local function collect(batch, timeout)
		local list = {}
		for request, response in batch:select(timeout) do
			list[#list + 1] = { request[4] or request[3], response }
		end
		table.sort(list, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
		return list, batch.timeout
	end
	case("skynet.request", "two", function()
		return collect(skynet.request { echo, "lua", "echo", 1 } { echo, "lua", "echo", 2 })
	end)
	case("skynet.request", "added", function()
		local batch = skynet.request()
		batch:add { echo, "lua", "echo", 1 }
		batch:add { echo, "lua", "fail", "x" }
		batch:add { 0x7fffff, "lua", "echo", 3 }
		batch:add { echo, "lua", "nothing" }
		return collect(batch)
	end)
	case("skynet.request", "none", function() return collect(skynet.request()) end)
	case("skynet.request", "limit of time", function()
		return collect(skynet.request { echo, "lua", "later", 1000 } { echo, "lua", "echo", 2 }, 3)
	end)
	case("skynet.request", "left early", function()
		for request in skynet.request { echo, "lua", "echo", 1 } { echo, "lua", "echo", 2 }:select() do
			return type(request)
		end
	end)
	case("skynet.request", "selected twice", function()
		local batch = skynet.request { echo, "lua", "echo", 1 }
		collect(batch)
		return sweep.observe(collect, batch), sweep.observe(batch.add, batch, { 1 })
	end)
	case("skynet.request", "no table", skynet.request, "text")
	case("skynet.request", "nil address", function() return collect(skynet.request { nil, "lua", "echo", 1 }) end)
	case("skynet.request", "unknown protocol", function() return collect(skynet.request { echo, "no such", "echo", 1 }) end)
	case("skynet.request", "n", function() return collect(skynet.request { echo, "lua", "echo", nil, 2, n = 5 }) end)
	case("skynet.request", "shape", function()
		local batch = skynet.request { echo, "lua", "echo", 1 }
		return rawlen(batch), type(getmetatable(batch))
	end)
	skynet.kill(echo)
end

local function names()
	local echo = sweep.peer(skynet.newservice "differential_echo")
	case("skynet.name", "local", skynet.name, ".differential", echo)
	case("skynet.localname", "known", function() return skynet.localname ".differential" == echo end)
	case("skynet.localname", "unknown", skynet.localname, ".no_such")
	case("skynet.localname", "without a dot", skynet.localname, "differential")
	case("skynet.localname", "nothing", skynet.localname)
	case("skynet.name", "taken", skynet.name, ".differential", skynet.self())
	case("skynet.name", "colon", skynet.name, ":1234", echo)
	case("skynet.name", "too long", skynet.name, "a_name_that_is_too_long", echo)
	case("skynet.name", "number", skynet.name, "1234", echo)
	case("skynet.name", "nothing", skynet.name)
	case("skynet.register", "local", skynet.register, ".differential_me")
	case("skynet.register", "known", function() return skynet.localname ".differential_me" == skynet.self() end)
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
	case("skynet.launch", "unknown", skynet.launch, "no_such_c_service")
	case("skynet.launch", "fails", function()
		local handle = skynet.launch("snlua", "no_such_service")
		skynet.sleep(5)
		return math.type(handle)
	end)
	case("skynet.launch", "right", function()
		local handle = skynet.launch("snlua", "differential_echo")
		skynet.sleep(2)
		return math.type(handle)
	end)
	case("skynet.launch", "nothing", skynet.launch)
	case("skynet.launch", "table", skynet.launch, {})
	for _, how in ipairs { "main chunk", "value", "nil", "syntax", "module", "yield", "init", "start", "exit", "start value", "init late" } do
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

local function environment()
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
		case("skynet.stat", what, function() return math.type(skynet.stat(what)) end)
	end
	case("skynet.stat", "nothing", function() return skynet.stat() end)
	for _, name in ipairs { "now", "hpc", "starttime", "time", "mqlen", "genid", "self" } do
		case("skynet." .. name, "type", function()
			local results = table.pack(skynet[name]())
			return results.n, math.type(results[1])
		end)
	end
	case("skynet.endless", "right", skynet.endless)
	case("skynet.error", "values", skynet.error, "text", 1, nil, true, {}, 1.5)
	case("skynet.error", "nothing", skynet.error)
	case("skynet.error", "percent", skynet.error, "%s %d %n")
	case("skynet.error", "zero byte", skynet.error, "a\0b")
	case("skynet.error", "long", skynet.error, string.rep("x", 300))
	case("skynet.error", "tostring", skynet.error, setmetatable({}, { __tostring = function() return "named" end }))
	case("skynet.error", "tostring fails", skynet.error, setmetatable({}, { __tostring = function() error "no" end }))
	case("skynet.error", "tostring gives a number", skynet.error, setmetatable({}, { __tostring = function() return 1 end }))
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
		skynet.dispatch("lua", function(_, _, word) skynet.sleep(0) skynet.retpack(word) end)
		return results.n, skynet.call(skynet.self(), "lua", "word")
	end)
	case("skynet.traceproto", "off", skynet.traceproto, "lua", nil)
	case("skynet.traceproto", "unknown", skynet.traceproto, "no such", true)
	case("skynet.pcall", "is", function() return skynet.pcall == pcall end)
	case("skynet.info_func", "right", skynet.info_func, function() return "info" end)
	case("skynet.memlimit", "gone", function() return skynet.memlimit end)
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
	case("skynet.dispatch", "asked", function() return type(skynet.dispatch "lua") end)
	case("skynet.dispatch", "none", skynet.dispatch, "new")
	case("skynet.dispatch", "set", skynet.dispatch, "new", print)
	case("skynet.dispatch", "set again", function() return skynet.dispatch("new", function() end) == print end)
	case("skynet.dispatch", "unknown", skynet.dispatch, "no such")
	case("skynet.dispatch", "unknown set", skynet.dispatch, "no such", print)
	case("skynet.dispatch", "number", function() return type(skynet.dispatch(10)) end)
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
	skynet.register_protocol { name = "unhandled", id = 96, pack = function(...) return ... end, unpack = skynet.tostring }
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

sweep.run(function()
	for _, entry in ipairs(OUTSIDE) do
		sweep.record("main chunk", entry[1], entry[2])
	end
	skynet.sleep(5) -- the answers that the main chunk could not wait for
	sweep.quiet()
	sleeping()
	forking()
	ending_tasks()
	calling()
	selecting()
	names()
	environment()
end)
