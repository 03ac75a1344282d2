-- First Lua service of a node: starts the services that every node has, then the application.
--
-- Configuration: harbor (0: no network of harbors), standalone (this node runs the master), start
-- (the application's service, "main" by default), enablessl ("true": keep OpenSSL initialised).

local skynet = require "skynet.manager"
local core = require "skynet.core"

-- Ends a node that cannot be started with its config: with status 1.
local function refuse(reason)
	skynet.error(reason .. ": the process ends with status 1")
	core.command("ABORT", "failed")
	skynet.wait() -- for the end
end

-- Without these services the node is of no use. When one fails, it ends with status 0, as under the C core: a master that is
-- not there yet is no mistake of this node.
local function start_or_abort(name)
	local ok, handle = pcall(skynet.newservice, name)
	if not ok then
		skynet.error(name .. " could not start: the node ends")
		skynet.sleep(2) -- for the last lines of that service
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
	for _, key in ipairs { "address", "master" } do
		if not skynet.getenv(key) then
			refuse(
				("harbor = %s, and the config has no %s (harbor = 0 is a node of its own)"):format(
					skynet.getenv "harbor",
					key
				)
			)
		end
	end
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

local function start_common_services()
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
end

skynet.start(function()
	local ok, problem = pcall(start_common_services)
	-- What runs now does not keep a node running in which nothing else starts.
	core.command("STARTUP", "begins")
	if not ok then
		core.command("STARTUP", 'failed the first service (config key "bootstrap")')
		error(problem, 0)
	end
	local start = skynet.getenv "start" or "main"
	-- The application reports its own failure; what it has started already keeps running.
	if not pcall(skynet.newservice, start) then
		core.command("STARTUP", ('failed %s (config key "start")'):format(start))
	end
	skynet.exit()
end)
