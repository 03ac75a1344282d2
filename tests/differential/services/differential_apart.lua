-- Runs one function and says what came of it.
local skynet = require "skynet"
local sweep = require "sweep"

skynet.start(function()
	skynet.dispatch("lua", function(_, _, code)
		local respond = skynet.response()
		respond(true, sweep.observe(assert(load(code))))
	end)
end)
