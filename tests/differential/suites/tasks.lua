-- Tasks of `skynet`: results, errors, order, and what the log says.
local skynet = require "skynet"
local sweep = require "sweep"
require "skynet.manager"

local case = sweep.case

sweep.texts()

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
outside("task", function()
	return type(skynet.task())
end)
outside("task init", skynet.task, "init")
outside("killthread", skynet.killthread, "no such")
outside("init", skynet.init, nil)
outside("self", function()
	return math.type(skynet.self())
end)
outside("fork", function()
	return type(skynet.fork(function() end))
end)
outside("timeout", function()
	return type(skynet.timeout(1, function() end))
end)
outside("term", skynet.term, 0x7fffff)
outside("memlimit", function()
	return skynet.memlimit(1 << 40), skynet.memlimit
end)

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
		skynet.fork(function()
			skynet.wakeup(me)
		end)
		return skynet.sleep(1000)
	end)
	case("skynet.sleep", "woken twice", function()
		local me, results = coroutine.running(), {}
		skynet.fork(function()
			results[1], results[2] = tostring(skynet.wakeup(me)), tostring(skynet.wakeup(me))
		end)
		local first = skynet.sleep(1000)
		local second = skynet.sleep(1)
		return first, second, results
	end)
	case("skynet.wait", "woken", function()
		local me = coroutine.running()
		skynet.fork(function()
			skynet.wakeup(me)
		end)
		return skynet.wait()
	end)
	case("skynet.wait", "token", function()
		local token = {}
		skynet.fork(function()
			skynet.wakeup(token)
		end)
		return skynet.wait(token)
	end)
	-- There, the timer of the refused sleep resumes whatever the task does next.
	sweep.apart("skynet.sleep", "token in use", function()
		local skynet = require "skynet"
		skynet.fork(function()
			skynet.wait "token"
		end)
		skynet.yield()
		skynet.sleep(1, "token")
	end)
	sweep.apart("skynet.wait", "token in use", function()
		local skynet = require "skynet"
		skynet.fork(function()
			skynet.wait "token"
		end)
		skynet.yield()
		skynet.wait "token"
	end)
end

local function order(...)
	local list = {}
	for _, step in ipairs { ... } do
		step(function(word)
			list[#list + 1] = word
		end)
	end
	skynet.sleep(3)
	return table.concat(list, " ")
end

local function order_of_tasks()
	case("order", "forks", order, function(add)
		for i = 1, 5 do
			skynet.fork(function()
				add(i)
			end)
		end
	end)
	case("order", "forks of forks", order, function(add)
		skynet.fork(function()
			add "a"
			skynet.fork(add, "c")
		end)
		skynet.fork(add, "b")
	end)
	case("order", "wakeups before forks", order, function(add)
		local token = {}
		skynet.fork(function()
			skynet.wait(token)
			add "woken"
		end)
		skynet.yield()
		skynet.fork(add, "forked")
		skynet.wakeup(token)
	end)
	case("order", "wakeups", order, function(add)
		for i = 1, 4 do
			skynet.fork(function()
				skynet.wait("token " .. i)
				add(i)
			end)
		end
		skynet.yield()
		for _, i in ipairs { 3, 1, 4, 2 } do
			skynet.wakeup("token " .. i)
		end
	end)
	case("order", "woken by a woken one", order, function(add)
		skynet.fork(function()
			skynet.wait "first"
			add "first"
			skynet.wakeup "third"
		end)
		skynet.fork(function()
			skynet.wait "second"
			add "second"
		end)
		skynet.fork(function()
			skynet.wait "third"
			add "third"
		end)
		skynet.yield()
		skynet.wakeup "first"
		skynet.wakeup "second"
	end)
	case("order", "timeouts of no time", order, function(add)
		for i = 1, 3 do
			skynet.timeout(0, function()
				add(i)
			end)
		end
		skynet.fork(add, "fork")
	end)
	case("order", "timeouts", order, function(add)
		skynet.timeout(2, function()
			add "late"
		end)
		skynet.timeout(1, function()
			add "early"
		end)
		skynet.timeout(-5, function()
			add "at once"
		end)
	end)
end

local function arguments_of_tasks()
	case("skynet.fork", "arguments", function()
		local got
		skynet.fork(function(...)
			got = table.pack(...)
		end, 1, nil, "x", nil)
		skynet.yield()
		return got
	end)
	case("skynet.fork", "returns", function()
		return skynet.fork(function() end)
	end)
	case("skynet.timeout", "returns", function()
		return skynet.timeout(0, function() end)
	end)
	case("skynet.timeout", "arguments of the function", function()
		local got
		skynet.timeout(0, function(...)
			got = select("#", ...)
		end)
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
end

local function failing_tasks()
	sweep.apart("skynet.fork", "fails", function()
		local skynet = require "skynet"
		skynet.fork(function()
			error "in a fork"
		end)
		skynet.fork(function()
			error { "a table" }
		end)
		skynet.fork(function()
			error()
		end)
		skynet.sleep(1)
	end)
	case("skynet.fork", "fails with others", function()
		local done = {}
		skynet.fork(function()
			error "first"
		end)
		skynet.fork(function()
			done[1] = true
		end)
		skynet.fork(function()
			error "second"
		end)
		skynet.sleep(1)
		return done
	end)
	case("skynet.timeout", "fails", function()
		skynet.timeout(0, function()
			error "in a timer"
		end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields nothing", function()
		local skynet = require "skynet"
		skynet.fork(function()
			coroutine.yield()
		end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields nonsense", function()
		local skynet = require "skynet"
		skynet.fork(function()
			coroutine.yield "nonsense"
		end)
		skynet.sleep(1)
	end)
	sweep.apart("skynet.fork", "yields as a skynet.coroutine", function()
		local skynet = require "skynet"
		skynet.fork(function()
			require "skynet.coroutine".yield(1)
		end)
		skynet.sleep(1)
	end)
end

local function forking()
	order_of_tasks()
	arguments_of_tasks()
	failing_tasks()
end

local function killing_tasks()
	case("skynet.killthread", "forked", function()
		local ran = false
		local task = skynet.fork(function()
			ran = true
		end)
		local killed = skynet.killthread(task)
		skynet.sleep(1)
		return killed == task, ran
	end)
	case("skynet.killthread", "sleeper", function()
		local ended = false
		local task = skynet.fork(function()
			local _ <close> = setmetatable({}, {
				__close = function()
					ended = true
				end,
			})
			skynet.sleep(2)
			ended = "slept"
		end)
		skynet.yield()
		local killed = skynet.killthread(task)
		skynet.sleep(4)
		return killed == task, ended
	end)
	case("skynet.killthread", "waiting", function()
		local task = skynet.fork(function()
			skynet.wait "killed"
		end)
		skynet.yield()
		return skynet.killthread(task) == task, skynet.wakeup "killed"
	end)
	case("skynet.killthread", "by name", function()
		local task = skynet.fork(function()
			skynet.wait "killed"
		end)
		skynet.yield()
		return skynet.killthread((string.gsub(tostring(task), "thread: ", ""))) == task
	end)
	case("skynet.killthread", "caller", function()
		local echo = sweep.peer(skynet.newservice "differential_echo")
		local task = skynet.fork(function()
			skynet.call(echo, "lua", "later", 1)
		end)
		skynet.yield()
		local killed = skynet.killthread(task)
		skynet.sleep(3)
		return killed == task
	end)
	for name, value in pairs { number = 1, table = {}, text = "no such", thread = coroutine.create(print), yes = true } do
		case("skynet.killthread", "no task: " .. name, skynet.killthread, value)
	end
	case("skynet.killthread", "nothing", skynet.killthread)
end

local function looking_at_tasks()
	case("skynet.task", "count", function()
		local before = skynet.task()
		skynet.fork(function()
			skynet.wait "counted"
		end)
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
	case("skynet.task", "init", function()
		return type(skynet.task "init")
	end)
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
end

local function tracing_timeouts()
	case("skynet.trace_timeout", "right", function()
		local results = table.pack(skynet.trace_timeout(true))
		local task = skynet.timeout(1, function() end)
		local text = skynet.task(skynet.task(task))
		skynet.trace_timeout(false)
		skynet.sleep(3)
		return results.n, (string.gsub(string.match(text, "^[^\n]*"), "%d+", "N"))
	end)
end

local function ending_tasks()
	killing_tasks()
	looking_at_tasks()
	tracing_timeouts()
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
	require "parts.requests"()
end)
