-- Operations within one service: `bench_ops pack SHAPE`, `bench_ops load hit|miss`, `bench_ops coroutine switch|wakeup`,
-- `bench_ops timer pending|chain`.
-- Prints "BENCH NAME_ns CPU_NANOSECONDS" of one operation, of the whole process, and ends it.
local skynet = require "skynet"

local group, which = ...

local function report(name, seconds, n)
	io.stdout:write(string.format("\nBENCH %s %.6g\n", name, seconds * 1e9 / n))
end

-- CPU time of `operation(count)` over the measured time; `count` operations take a few milliseconds at most.
local function measure(name, count, operation)
	operation(count)
	local n, began, last = 0, os.clock(), skynet.now() + tonumber(skynet.getenv "bench_ticks")
	repeat
		operation(count)
		n = n + count
		skynet.yield()
	until skynet.now() >= last
	report(name, os.clock() - began, n)
end

local function pack()
	local ints = {}
	for i = 1, 1000 do
		ints[i] = i * 7
	end
	local shape = ({
		small = { "update", 1, 2, 3 },
		player = {
			"update",
			{
				id = 10000017,
				name = "somebody",
				level = 42,
				online = true,
				gold = 123456789,
				position = { x = 1.5, y = -2.25 },
				bag = { 1001, 1002, 1003, 0, 0, 2001 },
			},
		},
		ints = { ints },
		text = { ("x"):rep(64 * 1024) },
	})[which]
	local count = (which == "ints" or which == "text") and 20 or 1000
	measure("pack_ns", count, function(n)
		for _ = 1, n do
			skynet.trash(skynet.pack(table.unpack(shape)))
		end
	end)
	local message, size = skynet.pack(table.unpack(shape))
	measure("unpack_ns", count, function(n)
		for _ = 1, n do
			skynet.unpack(message, size)
		end
	end)
	skynet.trash(message, size)
end

-- A file of 200 functions, loaded from the code cache or into it.
local function load_file()
	local name = os.tmpname()
	local file = assert(io.open(name, "w"))
	for i = 1, 200 do
		file:write(string.format("local function f%d(a, b) return { a, b, a + b, 'name%d' } end\n", i % 100, i))
	end
	file:close()
	measure("each_ns", 10, function(n)
		for _ = 1, n do
			if which == "miss" then
				skynet.cache.clear()
			end
			assert(loadfile(name))
		end
	end)
	os.remove(name)
end

local function switch()
	local step = coroutine.wrap(function()
		while true do
			coroutine.yield()
		end
	end)
	measure("each_ns", 1000, function(n)
		for _ = 1, n do
			step()
		end
	end)
end

-- Two coroutines of the service wake each other; each waits in between.
local function wakeup()
	local left, main, partner = 0, coroutine.running(), nil
	partner = skynet.fork(function()
		while true do
			skynet.wait()
			skynet.wakeup(main)
		end
	end)
	skynet.yield()
	measure("each_ns", 500, function(n)
		left = n
		while left > 0 do
			skynet.wakeup(partner)
			skynet.wait()
			left = left - 1
		end
	end)
end

-- 100,000 timers that wait together; what Lua has more while they do, if the collector has been at work.
local function pending()
	local COUNT <const> = 100000
	local main, left, bytes = coroutine.running(), 0, nil
	local function fire()
		left = left - 1
		if left == 0 then
			skynet.wakeup(main)
		end
	end
	collectgarbage()
	local before = collectgarbage "count"
	measure("each_ns", COUNT, function(n)
		left = n
		for _ = 1, n do
			skynet.timeout(20, fire)
		end
		if not bytes then
			collectgarbage()
			bytes = (collectgarbage "count" - before) * 1024 / n
		end
		skynet.wait(main)
	end)
	io.stdout:write(string.format("\nBENCH bytes %.6g\n", bytes))
end

-- Each timer sets the next.
local function chain()
	local main, left = coroutine.running(), 0
	local function fire()
		left = left - 1
		if left == 0 then
			skynet.wakeup(main)
		else
			skynet.timeout(0, fire)
		end
	end
	measure("each_ns", 1000, function(n)
		left = n
		skynet.timeout(0, fire)
		skynet.wait(main)
	end)
end

skynet.start(function()
	skynet.fork(function()
		local run = {
			pack = pack,
			load = load_file,
			coroutine = which == "switch" and switch or wakeup,
			timer = which == "chain" and chain or pending,
		}
		run[group]()
		io.stdout:flush()
		os.exit(0)
	end)
end)
