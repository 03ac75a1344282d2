-- A fake of `skynet.test`: hands every request to the service of the tests, whose handle is the argument.

local skynet = require "skynet"
local fake = require "skynet.internal.testing.fake"

local tests = tonumber((...))

skynet.register_protocol {
	name = fake.PROTOCOL,
	id = fake.PROTOCOL_ID,
	pack = skynet.pack,
	unpack = skynet.unpack,
	-- The tests want the fake to ask a service.
	dispatch = function(_, _, address, ...)
		skynet.retpack(skynet.call(address, "lua", ...))
	end,
}

skynet.start(function()
	skynet.dispatch("lua", function(session, source, ...)
		if session == 0 then
			skynet.send(tests, fake.PROTOCOL, false, source, ...)
		else
			skynet.retpack(skynet.call(tests, fake.PROTOCOL, true, source, ...))
		end
	end)
end)
