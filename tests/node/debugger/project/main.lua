-- What the tests of the debugger stop. Lines that they mean end with a comment that names them.

local skynet = require "skynet"
local begun = skynet.now() -- main chunk

local players = { "ann", "bob", limit = 3 }

local function add(n, by, ...)
	local before = n
	local after = before + by -- inside
	return after, ...
end

local function ask(worker, n)
	local text = "asking"
	local answer = skynet.call(worker, "lua", "add", n) -- asks
	text = text .. answer -- answered
	return text, players
end

local function compare(a, b)
	local less = a < b -- compares
	return less
end

local commands = {}

function commands.add(n, by)
	local sum = add(n, by, "extra") -- calls
	return sum -- returned
end

function commands.ask(n)
	local worker = skynet.queryservice "worker"
	local text = ask(worker, n)
	return text
end

function commands.sort()
	local list = { 3, 1, 2 }
	table.sort(list, compare)
	return table.concat(list, " ")
end

function commands.generate()
	local generate = coroutine.wrap(function()
		for i = 1, 3 do
			local square = i * i -- generates
			coroutine.yield(square)
		end
	end)
	local sum = 0
	for square in generate do
		sum = sum + square
	end
	return sum
end

local function pass(library, value)
	library.yield(value) -- passes
end

-- A generator of Lua's library, or of that of the layer.
function commands.produce(kind)
	local library = kind == "skynet" and require "skynet.coroutine" or coroutine
	local produce = library.wrap(function()
		if kind == "skynet" then
			skynet.sleep(1) -- sleeps
		end
		library.yield(1) -- yields
		pass(library, 2) -- hands on
		return 3 -- ends
	end)
	local a = produce()
	local b = produce() -- has a
	local c = produce() -- has b
	return a + b + c -- has c
end

function commands.loop(count)
	local sum = 0
	for i = 1, count do
		sum = sum + i -- loops
	end
	return sum
end

-- Counts its own calls.
function commands.count(times)
	local seen = 0
	local function count()
		seen = seen + 1
		return seen
	end
	for _ = 1, times do
		local n = count() -- counts
	end
	return seen
end

function commands.catch()
	local ok = pcall(function()
		local wrong = "caught"
		error(wrong) -- raises
	end)
	return ok
end

function commands.fail()
	local none
	return none.field -- fails
end

-- Lua calls a message handler that fails for its own error too.
function commands.handle()
	return (
		xpcall(function()
			local none
			return none.field -- fails in xpcall
		end, function(problem)
			return problem.text.size -- handles
		end)
	)
end

-- The queue, which may be entered again, catches what it raises once more.
function commands.queue(is_caught)
	local enter = require "skynet.queue"()
	local function fail()
		error "queued" -- queued
	end
	if is_caught then
		return (pcall(enter, enter, fail))
	end
	return enter(enter, fail)
end

-- A coroutine of skynet.coroutine fails when it is resumed, or called.
function commands.attempt(is_wrapped)
	local coroutines = require "skynet.coroutine"
	local function fail()
		coroutines.yield()
		error "attempted" -- attempted
	end
	if is_wrapped then
		local outer = coroutines.wrap(function()
			local inner = coroutines.wrap(fail)
			inner()
			inner()
		end)
		return (pcall(outer))
	end
	local co = coroutines.create(fail)
	coroutines.resume(co)
	local ok = coroutines.resume(co)
	return ok
end

local function sink(n)
	return sink(n + 1) + 1
end

function commands.overflow()
	local handled = xpcall(sink, function(problem)
		return problem .. ", handled"
	end, 1)
	return handled, (pcall(sink, 1))
end

-- A hook of its own, for a while.
function commands.unhook()
	debug.sethook(function() end, "l")
	debug.sethook()
	local is_gone = true -- unhooked
	return is_gone
end

function commands.lend()
	local owned = { inner = { "deep" } }
	local function borrow(lent)
		local first = lent.inner -- lent
		return first
	end
	local borrowed = borrow(owned)
	return #borrowed
end

function commands.spin()
	local spinning = true
	local n = 0
	while spinning do
		n = n + 1 -- spins
	end
	return n > 0
end

-- An error in a call of itself that deep, whom it is caught by.
local function raise_at(depth)
	if depth == 0 then
		error "deep"
	end
	return raise_at(depth - 1) + 1
end

function commands.deep(depth)
	return (pcall(raise_at, depth))
end

-- A coroutine that goes on no more is dropped, or closed before. Others get its place in memory.
function commands.drop(times, is_closed)
	local dropped = coroutine.create(function()
		pass(coroutine) -- drops
		return "never"
	end)
	coroutine.resume(dropped)
	if is_closed then
		coroutine.close(dropped)
	end
	dropped = nil
	collectgarbage()
	local sum = 0
	for _ = 1, times do
		local add_one = coroutine.wrap(function()
			local one = 1
			sum = sum + one
		end)
		add_one()
	end
	return sum
end

-- Tables that are too large to be looked at, or to be told.
function commands.tables()
	local emptied, same = {}, {}
	for i = 1, 10000000 do
		emptied[i] = i
	end
	for i = 1, 10000000 do
		emptied[i] = nil
	end
	for i = 1, 100 do
		same[i] = emptied
	end
	local long, many, list = {}, {}, {}
	for i = 1, 1900 do
		long[string.format("%04d", i) .. string.rep("k", 900)] = string.rep("v", 900)
	end
	for i = 1, 5000 do
		many[i .. "th"], list[i] = i, i
	end
	local inner = { ["a b"] = { list = { { "deep" } } }, text = string.rep("t", 200000) .. "end" }
	return #same, long, many, list, inner -- tables
end

-- Variables of the same name, and keys that look alike.
function commands.names()
	local hidden = 1
	local function inner()
		local seen = hidden
		local hidden = seen + 1
		for i = 1, 1 do
			local i = i * 10
			local alike = { "first", ["[1]"] = "text", [true] = "yes", ["[true]"] = "no", ["\xff"] = "byte" }
			alike[{}], alike[{}] = "one", "two"
			return i, hidden, alike -- names
		end
	end
	return (inner())
end

function commands.run(file)
	return dofile(file)
end

local finalized = 0

-- Objects that are garbage, and have finalizers.
function commands.litter()
	local class = {
		__gc = function()
			finalized = finalized + 1
		end,
	}
	collectgarbage "incremental"
	local objects = {}
	for i = 1, 1000 do
		objects[i] = setmetatable({}, class)
	end
	objects = nil
	return finalized <= 1000, objects -- litters
end

function commands.sweep()
	local swept = setmetatable({}, {
		__gc = function()
			finalized = finalized + 1 -- sweeps
		end,
	})
	swept = nil
	collectgarbage() -- collects
	return swept == nil -- collected
end

-- A finalizer that fails while a pcall runs.
function commands.finalize()
	return (
		pcall(function()
			setmetatable({}, {
				__gc = function()
					error "finalized" -- finalizes
				end,
			})
			collectgarbage()
		end)
	)
end

function commands.long()
	error(string.rep("x", 1 << 24))
end

-- Calls of itself; `...` so that its frame moves when it begins.
local function sum(n, ...)
	if n == 0 then
		return 0
	end
	local rest = sum(n - 1, n, ...) -- descends
	return rest + n -- ascends
end

function commands.sum(n)
	return sum(n) -- sums
end

local function descend(n)
	if n < 0 then
		return n -- never
	end
	return n == 0 and 0 or 1 + descend(n - 1)
end

local function time_of(depth)
	local least = math.huge
	for _ = 1, 5 do
		local before = os.clock()
		descend(depth)
		least = math.min(least, os.clock() - before)
	end
	return least
end

-- How many times as much eight times as many calls of itself take.
function commands.depths()
	local ratio = time_of(40000) / time_of(5000)
	return ratio -- measured
end

local forever = coroutine.create(function()
	while true do
	end
end)

function commands.resume()
	return coroutine.status(forever) -- resumes
end

function commands.hook()
	return (debug.gethook())
end

-- What some games do to the libraries; and worse.
function commands.own()
	local before = pcall
	function own_pcall(func, ...)
		return before(func, ...)
	end
	pcall = own_pcall
	function next()
		error "no next"
	end
	getmetatable("").__index = setmetatable({ mine = "yes" }, { __index = string })
	return pcall == own_pcall
end

function commands.hold()
	local held <close> = setmetatable({}, { __close = function() end })
	local function holds()
		local is_held = held ~= nil -- holds
		return is_held
	end
	local count = 1
	return holds() and count == 1
end

function commands.exit()
	local _ <close> = setmetatable({}, {
		__close = function()
			print "closing" -- closing
		end,
	})
	skynet.exit()
end

function commands.read()
	return load(function()
		error "read" -- reads
	end) == nil
end

local asked = 0

skynet.start(function()
	skynet.uniqueservice "worker"
	skynet.fork(function()
		skynet.wait(players)
	end)
	skynet.dispatch("lua", function(_, _, name, ...) -- handler
		asked = asked + 1
		skynet.retpack(commands[name](...))
	end)
	skynet.newservice("driver", skynet.self(), begun)
end)
