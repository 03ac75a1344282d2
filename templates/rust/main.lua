-- The first service of the node: it starts the one in Rust, and calls it.
local skynet = require "skynet"
require "skynet.manager" -- skynet.launch, skynet.abort

skynet.start(function()
	-- What the service in Rust asks.
	skynet.dispatch("lua", function(_, _, question)
		skynet.retpack(question == "name" and "{{name}}" or nil)
	end)
	-- target/release/libcounter.so; nil when it is not there, and the log says why: an error here ends the node.
	local counter = assert(skynet.launch("counter", 100), "no counter: cargo build --release")
	skynet.fork(function()
		print("counter:", skynet.call(counter, "lua", "add", 5))
		print("report:", skynet.call(counter, "lua", "report"))
		print "{{name}} is done"
		-- Ends the node. A server leaves this out, and runs until ^C.
		skynet.abort()
	end)
end)
