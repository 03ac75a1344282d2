-- A service that does not start, in the way that its argument names.
local skynet = require "skynet"
local how = ...

if how == "main chunk" then
	error "main chunk"
elseif how == "value" then
	error { code = 1 }
elseif how == "nil" then
	error()
elseif how == "syntax" then
	assert(load "x = = 1")
elseif how == "module" then
	require "differential_no_such_module"
elseif how == "yield" then
	skynet.sleep(1)
elseif how == "call" then
	skynet.call(".launcher", "lua", "STAT")
elseif how == "init" then
	skynet.init(function()
		error "init"
	end)
end

skynet.start(function()
	if how == "start" then
		error "start function"
	elseif how == "exit" then
		skynet.exit()
	elseif how == "start value" then
		error { code = 1 }
	elseif how == "init late" then
		skynet.init(function() end)
	end
end)
