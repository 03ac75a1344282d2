-- Sleeps of 30 ms with a call of another service after each: how much later than that each is over.
-- Prints "BENCH worst_late_ms MS" and "BENCH late COUNT" (later than 100 ms), and ends the process.
local skynet = require "skynet"

local role = ...

-- Some work, so that the services do not finish within one slice of a processor that they share.
local function answerer()
	skynet.dispatch("lua", function(_, _, n)
		local sum = 0
		for k = 1, 20000 do
			sum = sum + k
		end
		skynet.retpack(sum + n)
	end)
end

local function run()
	local other = skynet.newservice("bench_neighbour", "answerer")
	local worst, late = 0, 0
	for i = 1, 200 do
		local began = skynet.hpc()
		skynet.sleep(3)
		skynet.call(other, "lua", i)
		local ms = (skynet.hpc() - began) / 1e6 - 30
		worst = math.max(worst, ms)
		if ms > 100 then
			late = late + 1
		end
	end
	io.stdout:write(string.format("\nBENCH worst_late_ms %.1f\nBENCH late %d\n", worst, late))
	io.stdout:flush()
	os.exit(0)
end

if role == "answerer" then
	skynet.start(answerer)
else
	skynet.start(function()
		skynet.fork(run)
	end)
end
