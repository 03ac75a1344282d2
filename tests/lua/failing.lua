-- What fails in odd ways fails alone: error values that raise, a service without memory, code that closes what runs it.
local skynet = require "skynet"
require "skynet.manager"
local check = require "check"
local core = require "skynet.core"

local role = ...

local function raising(value)
	return setmetatable({}, {
		__tostring = function()
			error(value)
		end,
	})
end

if role == "evil" then
	local requests = {}
	-- Fails in a way that cannot be told; what it has forked goes on.
	function requests.forks()
		local respond = skynet.response()
		skynet.fork(error, raising "expected: the text of an error")
		skynet.fork(respond, true, "the fork has run")
		error(raising {})
	end
	function requests.yields()
		coroutine.yield(raising {})
	end
	-- The text of this error closes the coroutine that handles messages.
	function requests.closes()
		error(setmetatable({}, {
			__tostring = function()
				coroutine.close((coroutine.running()))
			end,
		}))
	end
	function requests.flood()
		error "expected: one of a flood"
	end
	function requests.forget() end
	function requests.here()
		skynet.retpack "here"
	end
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what)
			requests[what]()
		end)
	end)
	return
elseif role == "full" then
	local kept = {}
	local requests = {}
	function requests.fill()
		local size = 1 << 16
		while size > 0 do
			if not pcall(function()
				kept = { kept, string.rep("x", size) }
			end) then
				size = size // 2
			end
		end
		while true do
			kept = { kept } -- raises, in this task
		end
	end
	-- Everything is on the stack of the task that fails.
	function requests.burst()
		local all = {}
		for i = 1, math.huge do
			all[i] = function()
				return i
			end
		end
	end
	function requests.sleep()
		skynet.sleep(1)
		skynet.retpack(true)
	end
	skynet.memlimit(2 << 20)
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what)
			requests[what]()
		end)
	end)
	return
elseif role == "tight" then
	local enter = require "skynet.queue"()
	local echo = math.tointeger((select(2, ...)))
	local requests = {}
	-- From here on there is so much memory more than what is used.
	function requests.limit(bytes)
		collectgarbage()
		skynet.memlimit(math.ceil(collectgarbage "count" * 1024) + bytes)
		skynet.retpack(true)
	end
	-- Everything that waits.
	function requests.work(size)
		enter(function()
			local list = {}
			for i = 1, size do
				list[i] = { tostring(i) }
			end
			skynet.sleep(0)
		end)
		skynet.fork(skynet.yield)
		skynet.timeout(0, function()
			return string.rep("x", size)
		end)
		local token = {}
		skynet.fork(skynet.wakeup, token)
		skynet.sleep(100, token) -- the fork may fail
		skynet.call(echo, "lua", "echo", string.rep("x", size))
		skynet.retpack(true)
	end
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what, ...)
			requests[what](...)
		end)
	end)
	return
end

local cases = {}

function cases.an_error_that_cannot_be_told_fails_its_task_and_no_other()
	local evil = skynet.newservice("failing", "evil")
	check.equal(skynet.call(evil, "lua", "forks"), "the fork has run")
	check.equal(pcall(skynet.call, evil, "lua", "yields"), false)
	check.equal(skynet.call(evil, "lua", "here"), "here")
	skynet.kill(evil)
end

function cases.a_service_whose_dispatcher_was_closed_handles_messages_again()
	local evil = skynet.newservice("failing", "evil")
	check.equal(pcall(skynet.call, evil, "lua", "closes"), false)
	check.equal(skynet.call(evil, "lua", "here"), "here")
	skynet.kill(evil)
end

function cases.a_service_without_memory_answers_all_who_call_it()
	local full = skynet.newservice("failing", "full")
	check.equal(pcall(skynet.call, full, "lua", "fill"), false)
	local waiting, done = 100, {}
	for i = 1, 100 do
		skynet.fork(function()
			pcall(skynet.call, full, "lua", i % 2 == 0 and "sleep" or "unknown")
			waiting = waiting - 1
			if waiting == 0 then
				skynet.wakeup(done)
			end
		end)
	end
	skynet.wait(done)
	skynet.kill(full)
end

-- An answer, a timer or a wake-up that comes when there is no memory is not the end of those who wait behind it.
function cases.nothing_waits_for_ever_at_the_limit_of_memory()
	local echo = skynet.newservice "peer"
	check.together(20, function(i)
		local tight = skynet.newservice("failing", "tight", echo)
		check.equal(skynet.call(tight, "lua", "limit", i * 1700), true)
		check.together(6, function(j)
			local ok, problem = pcall(skynet.call_timeout, 6000, tight, "lua", "work", j * 50)
			assert(ok or not string.find(tostring(problem), "timeout"), problem)
		end)
		-- What they had is free again: the queue goes on as well.
		local ok, problem = pcall(skynet.call_timeout, 6000, tight, "lua", "work", 0)
		assert(ok or not string.find(tostring(problem), "timeout"), problem)
		skynet.kill(tight)
	end)
end

function cases.what_a_failed_task_had_is_memory_again()
	local full = skynet.newservice("failing", "full")
	for _ = 1, 3 do
		check.equal(pcall(skynet.call, full, "lua", "burst"), false)
		pcall(skynet.call, full, "lua", "sleep") -- one request may still meet it
		check.equal(skynet.call(full, "lua", "sleep"), true)
	end
	skynet.kill(full)
end

-- With the config key, which the core looks at when the signal comes. Here the caller of what it ends gets an error.
function cases.a_signal_may_end_what_an_idle_service_does_next()
	skynet.setenv("signal_when_idle", "next")
	local evil = skynet.newservice("failing", "evil")
	-- It may still be in the turn of a message before; then that one has met the signal.
	local ok, problem
	repeat
		skynet.sleep(1)
		core.command("SIGNAL", skynet.address(evil) .. " 0")
		ok, problem = pcall(skynet.call, evil, "lua", "here")
	until not ok
	assert(string.find(tostring(problem), "call failed", 1, true), problem)
	check.equal(skynet.call(evil, "lua", "here"), "here")
	skynet.kill(evil)
end

local function lines(from)
	return require("cjson").decode(core.command("LOGLINES", tostring(from)))
end

-- Sends so many messages of a kind, with a session, to which nothing is answered. Returns how many lines that makes in a second at
-- most, once the log has told that there were more.
local function flood(address, typename, text)
	local from, start = lines(0).next, skynet.now() -- lines are kept from now on
	local told
	for _ = 1, 5000 do
		skynet.redirect(address, skynet.self(), typename, 1, skynet.pack "forget")
	end
	check.await(function()
		skynet.redirect(address, skynet.self(), typename, 1, skynet.pack "forget")
		for _, entry in ipairs(lines(from).lines) do
			local line = entry[4]
			told = told
				or string.find(line, text, 1, true) and string.find(line, "before that were not written", 1, true)
		end
		return told
	end)
	return (lines(from).next - from) // ((skynet.now() - start) // 100 + 2)
end

function cases.messages_that_nobody_answers_do_not_fill_the_log()
	if not check.ours then
		return -- a line for each
	end
	local evil = skynet.newservice("failing", "evil")
	local made = flood(evil, "lua", "Maybe forgot response session 1 from ")
	assert(made <= 110, made)
	made = flood(evil, "response", "Response message : ")
	assert(made <= 220, made) -- and the error
	skynet.kill(evil)
end

function cases.a_task_of_nothing_tells_who_has_made_it()
	local from = lines(0).next -- lines are kept from now on
	skynet.fork(nil)
	skynet.timeout(0, nil)
	skynet.timeout_ms(0, nil)
	skynet.timer(0, nil)
	local place = debug.getinfo(1, "l").currentline
	for i, name in ipairs { "fork", "timeout", "timeout_ms", "timer" } do
		local line = string.format("failing.lua:%d was given nil for a function", place - 5 + i)
		local told = "attempt to call a nil value: skynet." .. name .. " at "
		local found
		repeat
			skynet.sleep(1)
			for _, entry in ipairs(lines(from).lines) do
				local text = entry[4]
				found = found or string.find(text, told, 1, true) and string.find(text, line, 1, true)
			end
		until found
	end
end

function cases.a_script_that_does_not_compile_says_so_and_not_where_others_were_looked_for()
	local file = assert(io.open("broken.lua", "w"))
	file:write "local x = = 1"
	file:close()
	local path = skynet.getenv "lualoader"
	local loader = path and loadfile(path) or require "skynet.embedded".load "lualib/loader.lua"
	local function problem_of(patterns, name)
		local env = setmetatable({ LUA_SERVICE = patterns, LUA_PATH = "", LUA_CPATH = "" }, { __index = _G })
		debug.setupvalue(assert(loader), 1, env)
		return select(2, pcall(loader, name))
	end
	local problem = problem_of("./nowhere/?.lua;./?.lua;./elsewhere/?.lua", "broken")
	assert(string.find(problem, "./broken.lua:1: unexpected symbol", 1, true), problem)
	check.equal(string.find(problem, "cannot open", 1, true), nil)
	problem = problem_of("./nowhere/?.lua;./?.lua", "missing")
	for _, name in ipairs { "./nowhere/missing.lua", "./missing.lua" } do
		assert(string.find(problem, "cannot open " .. name, 1, true), problem)
	end
	os.remove "broken.lua"
end

-- The test looks at the log.
function cases.a_flood_of_errors_from_one_place_is_logged_in_part()
	local evil = skynet.newservice("failing", "evil")
	local function errors()
		return tonumber(string.match(core.command "METRICS", "\nerrors (%d+)\n"))
	end
	local before = errors()
	for _ = 1, 20000 do
		skynet.send(evil, "lua", "flood")
	end
	check.raises("call failed", skynet.call, evil, "lua", "flood") -- whether it is logged or not
	local counted = errors() - before
	assert(counted >= 20001, counted .. " errors are counted: those that are not logged are errors as well")
	skynet.sleep(100) -- the next second
	check.raises("call failed", skynet.call, evil, "lua", "flood")
	skynet.kill(evil)
end

check.run(check.ours and cases or {}) -- with the C core's layer, callers wait for ever in some of them
