-- The first Lua service of a node: prints "BENCH cpu_us MICROSECONDS", the process's CPU time so far, and ends it.
local skynet = require "skynet"

skynet.start(function()
	io.stdout:write(string.format("\nBENCH cpu_us %.6g\n", os.clock() * 1e6))
	io.stdout:flush()
	os.exit(0)
end)
