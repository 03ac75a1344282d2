-- The first service of the node: it starts the one in Rust, and calls it.
local skynet = require "skynet"
require "skynet.manager" -- skynet.launch, skynet.abort

skynet.start(function()
	-- What the service in Rust asks.
	skynet.dispatch("lua", function(_, _, question)
		skynet.retpack(question == "name" and "{{name}}" or nil)
	end)
	skynet.fork(function()
		-- target/release/libcounter.so; nil when it is not there or its init fails, and the log says why.
		local counter = assert(skynet.launch("counter", 100), "no counter: cargo build --release")
		print("counter:", skynet.call(counter, "lua", "add", 5))
		print("report:", skynet.call(counter, "lua", "report"))
		print "{{name}} is done"
		-- Ends the node. A server leaves this out, and runs until ^C.
		skynet.abort()
	end)
end)
