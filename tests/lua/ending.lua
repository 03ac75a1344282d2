-- The orderly end of a node, seen from Lua services. Ends the node by itself; tests/lua/main.rs looks at what it prints.
local skynet = require "skynet"

local role, other = ...
if role == "store" then
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, what)
			skynet.sleep(1)
			skynet.retpack("stored " .. what)
		end)
	end)
elseif role == "worker" then
	skynet.on_shutdown(function()
		print("first", skynet.call(tonumber(other), "lua", "first"))
		-- One that is added while the node ends runs too.
		skynet.on_shutdown(function()
			skynet.sleep(1)
			print "added"
		end)
	end)
	skynet.on_shutdown(function()
		error "no reason"
	end)
	skynet.start(function() end)
elseif role == "system" then
	-- A service with a protocol of its own for messages of the core.
	skynet.register_protocol {
		name = "system",
		id = skynet.PTYPE_SYSTEM,
		unpack = skynet.tostring,
		dispatch = function(_, _, text)
			print("own", text)
		end,
	}
	skynet.start(function()
		skynet.on_shutdown(function()
			print "system"
		end)
	end)
elseif role == "leaver" then
	skynet.start(function()
		skynet.on_shutdown(function()
			skynet.sleep(1)
			print "leaves"
			skynet.exit()
		end)
	end)
else
	local skynet = require "skynet.manager"
	skynet.start(function()
		local store = skynet.newservice("ending", "store")
		skynet.newservice("ending", "worker", store)
		skynet.newservice("ending", "leaver")
		local system = skynet.newservice("ending", "system")
		require "skynet.core".send(system, skynet.PTYPE_SYSTEM, 0, "hello")
		skynet.on_shutdown(function()
			print "main"
		end)
		skynet.fork(skynet.shutdown)
	end)
end
