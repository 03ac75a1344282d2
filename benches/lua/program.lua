-- Runs one program of a set of programs inside of a service, and prints its CPU seconds. Config: `programs`, the folder of the
-- set; `program`, the module; `inner`, how often. The module answers `inner_benchmark_loop`, as those of are-we-fast-yet do.
local skynet = require("skynet.manager")

skynet.start(function()
	package.path = skynet.getenv("programs") .. "/?.lua;" .. package.path
	local program = require(skynet.getenv("program"))
	local began = os.clock()
	assert(program:inner_benchmark_loop(tonumber(skynet.getenv("inner"))), "the result is wrong")
	print(("seconds %.3f"):format(os.clock() - began))
	skynet.abort()
end)
