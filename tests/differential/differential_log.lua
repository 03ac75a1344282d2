-- The log service of a run: keeps what services log, and hands it over to who asks. The file "log" has all of it.
local skynet = require "skynet"

local lines = {}
local file = assert(io.open("log", "a"))
file:setvbuf "line"

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	unpack = skynet.tostring,
	dispatch = function(_, _, text)
		skynet.ignoreret()
		lines[#lines + 1] = text
		file:write(text, "\n")
	end,
}

-- Here and not in the start function: nobody waits for the start of this service, so a request may come before that runs.
skynet.dispatch("lua", function()
	skynet.retpack(lines)
	lines = {}
end)

skynet.start(function() end)
