-- First Lua service of a node: starts the services that every node has, then the application.
--
-- Configuration: harbor (0: no network of harbors), standalone (this node runs the master), start
-- (the application's service, "main" by default), enablessl ("true": keep OpenSSL initialised).

local skynet = require "skynet.manager"

-- Without these services the node is of no use.
local function start_or_abort(name)
	local ok, handle = pcall(skynet.newservice, name)
	if not ok then
		skynet.abort()
	end
	return handle
end

local function start_single_node()
	assert(skynet.getenv "standalone" == nil) -- makes no sense without a network
	skynet.setenv("standalone", "true")
	skynet.name(".cslave", start_or_abort "cdummy")
end

local function start_network_node()
	if skynet.getenv "standalone" then
		start_or_abort "cmaster"
	end
	skynet.name(".cslave", start_or_abort "cslave")
end

local function hold_ssl()
	require "skynet.service".new("ltls_holder", function()
		require "ltls.init.c".constructor()
	end)
end

skynet.start(function()
	skynet.name(".launcher", assert(skynet.launch("snlua", "launcher")))
	if tonumber(skynet.getenv "harbor" or 0) == 0 then
		start_single_node()
	else
		start_network_node()
	end
	if skynet.getenv "standalone" then
		skynet.name("DATACENTER", skynet.newservice "datacenterd")
	end
	skynet.newservice "service_mgr"
	if skynet.getenv "enablessl" == "true" then
		hold_ssl()
	end
	-- The application reports its own failure; what runs already keeps running.
	pcall(skynet.newservice, skynet.getenv "start" or "main")
	skynet.exit()
end)
