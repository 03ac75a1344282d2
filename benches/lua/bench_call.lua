-- Calls between pairs of Lua services: the config's `bench_pairs` pairs, each caller waiting for every answer.
-- Prints "BENCH rate CALLS_PER_SECOND" and ends the process.
local skynet = require "skynet"

local role = ...

local function answerer()
	skynet.dispatch("lua", function(_, _, ...)
		skynet.retpack(...)
	end)
end

-- Call for `ticks` hundredths of a second; how many calls and in how many nanoseconds.
local function calls_for(peer, ticks)
	local n, began, last = 0, skynet.hpc(), skynet.now() + ticks
	repeat
		for _ = 1, 64 do
			skynet.call(peer, "lua", 1)
		end
		n = n + 64
	until skynet.now() >= last
	return n, skynet.hpc() - began
end

local function caller()
	local peer = skynet.newservice("bench_call", "answerer")
	skynet.dispatch("lua", function(_, _, ticks)
		calls_for(peer, ticks // 4)
		skynet.retpack(calls_for(peer, ticks))
	end)
end

local function run()
	local pairs_wanted = tonumber(skynet.getenv "bench_pairs")
	local callers = {}
	for i = 1, pairs_wanted do
		callers[i] = skynet.newservice("bench_call", "caller")
	end
	local ticks = tonumber(skynet.getenv "bench_ticks")
	local rate, left, main = 0, pairs_wanted, coroutine.running()
	for _, service in ipairs(callers) do
		skynet.fork(function()
			local n, ns = skynet.call(service, "lua", ticks)
			rate = rate + n * 1e9 / ns
			left = left - 1
			if left == 0 then
				skynet.wakeup(main)
			end
		end)
	end
	skynet.wait(main)
	io.stdout:write(string.format("\nBENCH rate %.6g\n", rate))
	io.stdout:flush()
	os.exit(0)
end

if role == "answerer" then
	skynet.start(answerer)
elseif role == "caller" then
	skynet.start(caller)
else
	skynet.start(function()
		skynet.fork(run)
	end)
end
