-- Runs one function as a service, for service_provider: its code arrives with the "init" message.

local skynet = require "skynet"

local name = ...

local function run(code, ...)
	local start_func
	-- The function may call skynet.start as a service's script does; this service has started already.
	skynet.start = function(func)
		start_func = func
	end
	skynet.dispatch("lua", function()
		error "No dispatch function"
	end)
	assert(load(code, name))(...)
	if start_func then
		start_func()
	end
	skynet.ret()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, request, ...)
		assert(request == "init", "service_cell knows only init")
		run(...)
	end)
end)
