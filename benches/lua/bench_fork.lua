-- Tasks started in the service itself: windows of 64, by `skynet.fork` or (bench_pairs = 2) by `skynet.timeout(0)`.
-- Prints "BENCH rate TASKS_PER_SECOND" and ends the process.
local skynet = require "skynet"

local WINDOW = 64
local by_timer = skynet.getenv "bench_pairs" == "2"

local function run()
	local main, left = coroutine.running(), 0
	local function task()
		left = left - 1
		if left == 0 then
			skynet.wakeup(main)
		end
	end
	-- Starts tasks for `ticks` hundredths of a second; how many and in how many nanoseconds.
	local function tasks_for(ticks)
		local n, began, last = 0, skynet.hpc(), skynet.now() + ticks
		repeat
			left = WINDOW
			for _ = 1, WINDOW do
				if by_timer then
					skynet.timeout(0, task)
				else
					skynet.fork(task)
				end
			end
			skynet.wait(main)
			n = n + WINDOW
		until skynet.now() >= last
		return n, skynet.hpc() - began
	end
	tasks_for(20)
	local n, ns = tasks_for(80)
	io.stdout:write(string.format("\nBENCH rate %.6g\n", n * 1e9 / ns))
	io.stdout:flush()
	os.exit(0)
end

skynet.start(function()
	skynet.fork(run)
end)
