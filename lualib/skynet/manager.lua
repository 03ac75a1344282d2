--- The functions of `skynet` that manage other services: launching, naming, killing, and services
--- that handle messages in unusual ways. `require "skynet.manager"` adds them to `skynet`.

---@class (partial) skynet
local skynet = require "skynet"
local core = require "skynet.core"

local MAX_GLOBAL_NAME <const> = 15 -- skynet_harbor.h: 16 bytes with its end

local function handle_of(address)
	if type(address) == "number" then
		return address
	end
	local digits = type(address) == "string" and string.match(address, "^:(%x+)")
	return digits and tonumber(digits, 16) or nil
end

--- Starts a service of a C module (or snlua) at once, without the launcher. Does not yield.
---@param ... string|number module and arguments
---@return integer? handle no value when it does not start
function skynet.launch(...)
	local address = core.command("LAUNCH", table.concat({ ... }, " "))
	if address then
		return tonumber(string.sub(address, 2), 16)
	end
end

--- Ends a service by force. Does not yield.
---@param address integer|string handle, ":hex" or ".name"
function skynet.kill(address)
	local handle = handle_of(address)
	if handle then
		skynet.send(".launcher", "lua", "REMOVE", handle, true)
		address = skynet.address(handle)
	end
	core.command("KILL", address)
end

--- Ends all services, and with them the process. Does not yield.
function skynet.abort()
	core.command "ABORT"
end

--- Ends the node in order: services that asked by `on_shutdown` are told and awaited, then all services
--- end, and with them the process. Does not yield.
function skynet.shutdown()
	core.command("SHUTDOWN", "begin")
end

-- Registers a name of the network of harbors; false when the name is one of this node only.
local function register_global(name, handle)
	local first = string.sub(name, 1, 1)
	assert(first ~= ":", "a name must not begin with ':'")
	if first == "." then
		return false
	end
	assert(#name <= MAX_GLOBAL_NAME, "a global name has at most 15 bytes")
	assert(tonumber(name) == nil, "a global name must not be a number")
	require "skynet.harbor".globalname(name, handle)
	return true
end

--- Gives this service a name: ".name" on this node, any other in the whole network. Does not yield.
---@param name string
function skynet.register(name)
	if not register_global(name) then
		core.command("REG", name)
	end
end

--- Gives a service a name, as `register` does. Does not yield.
---@param name string
---@param handle integer
function skynet.name(name, handle)
	if not register_global(name, handle) then
		core.command("NAME", name .. " " .. skynet.address(handle))
	end
end

local function start_later(start_func)
	skynet.timeout(0, function()
		skynet.init_service(start_func)
	end)
end

--- Like `skynet.start`, for services that pass messages on: types in `map` are handled as the type
--- it gives, and their message then belongs to the handler, which sends it on or trashes it.
---@param map table<integer, integer>
---@param start_func function
function skynet.forward_type(map, start_func)
	local dispatch = skynet.dispatch_message
	core.callback(function(ptype, msg, sz, session, source)
		local other = map[ptype]
		if other then
			return dispatch(other, msg, sz, session, source)
		end
		local ok, problem = pcall(dispatch, ptype, msg, sz, session, source)
		core.trash(msg, sz)
		if not ok then
			error(problem, 0)
		end
	end, true)
	start_later(start_func)
end

--- Like `skynet.start`; every message goes through `change` first.
---@param change fun(ptype, msg, sz, session, source): integer, lightuserdata, integer, integer, integer
---@param start_func function
function skynet.filter(change, start_func)
	local dispatch = skynet.dispatch_message
	core.callback(function(...)
		dispatch(change(...))
	end)
	start_later(start_func)
end

--- Makes a unique service the one that is told (PTYPE_CLIENT) of every service that ends. Yields.
---@param service string
---@param query boolean? true: wait for it instead of starting it
---@return integer handle
function skynet.monitor(service, query)
	local ask = query and skynet.queryservice or skynet.uniqueservice
	local monitor = assert(ask(true, service), "Monitor launch failed")
	core.command("MONITOR", string.format(":%08x", monitor))
	return monitor
end

return skynet
