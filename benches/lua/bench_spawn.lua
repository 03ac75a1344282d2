-- Spawn `bench_pairs` Lua services that do nothing, one after another.
-- Prints "BENCH rate SERVICES_PER_SECOND", "BENCH bytes RESIDENT_BYTES_EACH" and ends the process.
local skynet = require "skynet"

local role = ...

local function resident()
	for line in io.lines "/proc/self/status" do
		local kb = line:match "^VmRSS:%s+(%d+)"
		if kb then
			return tonumber(kb) * 1024
		end
	end
	error "no VmRSS"
end

local function run()
	local count = tonumber(skynet.getenv "bench_pairs")
	-- The code of the service is in the cache afterwards, on whichever side has one.
	skynet.newservice("bench_spawn", "leaf")
	local bytes, began = resident(), skynet.hpc()
	for _ = 1, count do
		skynet.newservice("bench_spawn", "leaf")
	end
	local ns = skynet.hpc() - began
	bytes = resident() - bytes
	io.stdout:write(string.format("\nBENCH rate %.6g\nBENCH bytes %.6g\n", count * 1e9 / ns, bytes / count))
	io.stdout:flush()
	os.exit(0)
end

if role == "leaf" then
	skynet.start(function() end)
else
	skynet.start(function()
		skynet.fork(run)
	end)
end
