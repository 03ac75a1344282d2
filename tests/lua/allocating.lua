-- A service that allocates as it is told: see allocations.lua.
local skynet = require "skynet"

local BLOCK <const> = 1000

local function much()
	for _ = 1, 9 do
		local _ = string.rep("x", BLOCK)
	end
end

local function little()
	local _ = string.rep("y", BLOCK)
end

local kept = {}
local work = {}

function work.both(rounds)
	for _ = 1, rounds do
		much()
		little()
	end
	return rounds * 10 * BLOCK
end

local function keep(i)
	kept[i] = string.rep(string.char(i % 256), BLOCK)
end

-- Bytes that stay.
function work.hold(count)
	for i = 1, count do
		keep(i)
		much()
	end
	collectgarbage()
	return count * BLOCK
end

function work.drop()
	kept = {}
	collectgarbage()
end

function work.coroutines(count)
	local function inner()
		while true do
			local _ = string.rep("x", BLOCK)
			coroutine.yield()
		end
	end
	local function outer()
		local go = coroutine.wrap(inner)
		while true do
			go()
			coroutine.yield()
		end
	end
	local thread = coroutine.create(outer)
	for _ = 1, count do
		assert(coroutine.resume(thread))
	end
end

function work.stacks(count)
	local function down(n)
		if n > 0 then
			down(n - 1)
			return
		end
	end
	for _ = 1, count do
		coroutine.wrap(down)(2000)
		collectgarbage "step"
	end
end

-- What a table needs while it grows, what an array of tables has, and closures.
local function fill(count)
	local t = {}
	for i = 1, count do
		t[i] = { i, key = i }
		t["k" .. i] = function()
			return t, i
		end
	end
	return t
end

function work.tables(count)
	return #fill(count)
end

function work.finalizers(count)
	local function finalizer()
		local _ = string.rep("x", BLOCK)
	end
	for _ = 1, count do
		setmetatable({}, { __gc = finalizer })
	end
	collectgarbage()
end

function work.limited()
	skynet.memlimit(math.ceil(collectgarbage "count") * 1024 + 4 * 1024 * 1024)
	return pcall(string.rep, "x", 64 * 1024 * 1024)
end

-- Of coroutines that a C module has resumed, nothing is looked at when they are gone.
function work.hidden(count)
	local allocator = require "allocator"
	local function inner()
		local _ = string.rep("x", BLOCK)
		coroutine.yield()
	end
	for _ = 1, count do
		allocator.run(function()
			coroutine.wrap(inner)()
		end)
		collectgarbage()
		work.both(2)
	end
	local waiting = coroutine.running()
	for i = 1, 100 do
		coroutine.wrap(function()
			allocator.checkstack(waiting, 40 * i)
			local _ = string.rep("x", BLOCK)
		end)()
	end
end

function work.allocator()
	local _ = {} -- with an allocation a VM hears of the begin of a profile, and of its end
	return require "allocator".address()
end

-- Tells that it has begun, and allocates until it has had so much CPU time.
function work.without_pause(seconds, watcher)
	skynet.send(watcher, "lua", "begun")
	local begin = os.clock()
	repeat
		for _ = 1, 1000 do
			much()
		end
	until os.clock() - begin > seconds
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, command, ...)
		skynet.retpack(work[command](...))
	end)
end)
