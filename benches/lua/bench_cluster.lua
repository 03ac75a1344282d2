-- Cluster calls from a node to itself over the loopback: the config's `bench_pairs` tasks, each waiting for every answer.
-- Prints "BENCH rate CALLS_PER_SECOND" and "BENCH cpu_us TIME_OF_ONE", and ends the process.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"

local role = ...
local TEXT <const> = string.rep("x", 64)

local function free_port()
	for port = 20000 + math.random(20000), 65535 do
		local ok, id = pcall(socket.listen, "127.0.0.1", port)
		if ok then
			socket.close(id)
			return port
		end
	end
end

local function run()
	local port = free_port()
	cluster.reload { this = "127.0.0.1:" .. port }
	cluster.open "this"
	local answerer = skynet.newservice("bench_cluster", "answerer")
	local tasks = tonumber(skynet.getenv "bench_pairs")
	local calls, running, main = 0, tasks, coroutine.running()
	local over = false
	for _ = 1, tasks do
		skynet.fork(function()
			repeat
				cluster.call("this", answerer, TEXT)
				calls = calls + 1
			until over
			running = running - 1
			if running == 0 then
				skynet.wakeup(main)
			end
		end)
	end
	local ticks = tonumber(skynet.getenv "bench_ticks")
	skynet.sleep(ticks // 4)
	local before, began, cpu = calls, skynet.hpc(), os.clock()
	skynet.sleep(ticks)
	local n, ns, used = calls - before, skynet.hpc() - began, os.clock() - cpu
	over = true
	skynet.wait(main)
	io.stdout:write(string.format("\nBENCH rate %.6g\nBENCH cpu_us %.6g\n", n * 1e9 / ns, used * 1e6 / n))
	io.stdout:flush()
	os.exit(0)
end

if role == "answerer" then
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, ...)
			skynet.retpack(...)
		end)
	end)
else
	skynet.start(function()
		skynet.fork(run)
	end)
end
