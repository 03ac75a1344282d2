-- Starts the C service, and talks to it in messages of the type "text": plain bytes.
local skynet = require "skynet"
require "skynet.manager" -- skynet.launch, skynet.abort

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring, -- pointer and size -> string
}

skynet.start(function()
	local counter = skynet.launch("counter", 100)
	if not counter then
		print "no counter.so: compile it first"
		return skynet.abort()
	end
	skynet.send(counter, "text", "hello")
	print("bytes so far:", skynet.call(counter, "text", "again"))
	print "cservice is done"
	skynet.abort()
end)
