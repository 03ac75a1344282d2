--- Services as objects: the functions that a script defines in `accept` and `response` are called
--- through an object.
---
---     -- pingserver.lua, on the path that the config key `snax` gives
---     function init(...) end
---     function exit(...) end
---     function response.ping(text) return text end   -- answered
---     function accept.hello() end                    -- not answered
---
---     local ping = snax.newservice("pingserver", "first argument of init")
---     print(ping.req.ping "foobar")                  -- yields
---     ping.post.hello()                              -- does not yield
---     snax.kill(ping)
---
--- Callers read the script too, to know its functions; they run its main chunk in an environment with
--- a `require` that loads nothing (or in the table that the module named by config key
--- `snax_interface_g` returns).

local skynet = require "skynet"
local read_interface = require "snax.interface"

---@class skynet.snax
local snax = {}

skynet.register_protocol {
	id = skynet.PTYPE_SNAX,
	name = "snax",
	unpack = skynet.unpack,
	pack = skynet.pack,
}

local environment_module = skynet.getenv "snax_interface_g"
local environment = environment_module and require(environment_module) or { require = function() end }

local interfaces = {} -- name -> { name, accept, response, system }, each a table name -> number

--- What a script defines: the numbers of its functions. Does not yield.
---@param name string
---@return table interface { name, accept, response, system }. Raises when the script cannot be read
function snax.interface(name)
	local interface = interfaces[name]
	if not interface then
		interface = { name = name, accept = {}, response = {}, system = {} }
		for _, entry in ipairs((read_interface(name, environment))) do
			local id, group, method = entry[1], entry[2], entry[3]
			interface[group][method] = id
		end
		interfaces[name] = interface
	end
	return interface
end

---------------------------------------------------------------- objects

-- The functions of one group of an object, each made when it is first used.
local function methods(handle, interface, group, kind, transmit)
	return setmetatable({}, {
		__index = function(self, name)
			local id = interface[group][name]
			if not id then
				error(string.format("%s %s:%s no exist", kind, interface.name, name), 2)
			end
			local function method(...)
				return transmit(handle, "snax", id, ...)
			end
			rawset(self, name, method)
			return method
		end,
	})
end

local function post(...)
	skynet.send(...)
end

local object_meta = {
	__tostring = function(self)
		return string.format("[%s:%x]", self.type, self.handle)
	end,
}

---@class skynet.snax.Object
---@field type string name of the script
---@field handle integer
---@field req table<string, fun(...): any> calls of the functions `response.NAME`
---@field post table<string, fun(...)> sends to the functions `accept.NAME`

local objects = setmetatable({}, { __mode = "kv" }) -- handle -> object

--- The object of a running snax service. Does not yield.
---@param handle integer
---@param type string name of its script
---@return skynet.snax.Object object { req, post, type, handle }
function snax.bind(handle, type)
	local object = objects[handle]
	if object then
		assert(object.type == type, "the service is bound as another type")
		return object
	end
	local interface = snax.interface(type)
	object = setmetatable({
		type = type,
		handle = handle,
		req = methods(handle, interface, "response", "request", skynet.call),
		post = methods(handle, interface, "accept", "post", post),
	}, object_meta)
	objects[handle] = object
	return object
end

---------------------------------------------------------------- starting and ending

--- Starts a snax service and runs its `init(...)`. Yields.
---@param name string
---@param ... any arguments of `init`
---@return integer handle. Raises when it does not start
function snax.rawnewservice(name, ...)
	local interface = snax.interface(name)
	local handle = skynet.newservice("snaxd", name)
	assert(objects[handle] == nil)
	skynet.call(handle, "snax", interface.system.init, ...)
	return handle
end

--- `rawnewservice` that returns the object. Yields.
---@param name string
---@param ... any arguments of `init`
---@return skynet.snax.Object object
function snax.newservice(name, ...)
	return snax.bind(snax.rawnewservice(name, ...), name)
end

local function ask_manager(request, name, ...)
	return snax.bind(assert(skynet.call(".service", "lua", request, "snaxd", name, ...)), name)
end

--- Starts a snax service unless it runs on this node already. Yields.
---@param name string
---@param ... any arguments of `init`
---@return skynet.snax.Object object
function snax.uniqueservice(name, ...)
	return ask_manager("LAUNCH", name, ...)
end

--- Starts a snax service unless it runs in the network of harbors already. Yields.
---@param name string
---@param ... any arguments of `init`
---@return skynet.snax.Object object
function snax.globalservice(name, ...)
	return ask_manager("GLAUNCH", name, ...)
end

--- Waits for a unique snax service of this node. Yields.
---@param name string
---@return skynet.snax.Object object
function snax.queryservice(name)
	return ask_manager("QUERY", name)
end

--- Waits for a unique snax service of the network. Yields.
---@param name string
---@return skynet.snax.Object object
function snax.queryglobal(name)
	return ask_manager("GQUERY", name)
end

--- Runs the `exit(...)` of a service and ends it. Yields.
---@param object table
---@param ... any arguments of `exit`
function snax.kill(object, ...)
	skynet.call(object.handle, "snax", snax.interface(object.type).system.exit, ...)
end

--- The object of this service. Does not yield.
---@return skynet.snax.Object object
function snax.self()
	return snax.bind(skynet.self(), SERVICE_NAME)
end

--- Ends this service as `kill` does. Yields.
---@param ... any arguments of `exit`
function snax.exit(...)
	snax.kill(snax.self(), ...)
end

---------------------------------------------------------------- the rest

local function result_or_error(ok, ...)
	if not ok then
		error(...)
	end
	return ...
end

--- Replaces functions of a running service, see snax.hotfix. Yields.
---@param object table
---@param source string Lua source that defines the new functions
---@param ... any arguments of the source's `hotfix`
---@return any ... what the source's function `hotfix(...)` returns. Raises its error
function snax.hotfix(object, source, ...)
	local system = snax.interface(object.type).system
	return result_or_error(skynet.call(object.handle, "snax", system.hotfix, source, ...))
end

--- Writes a formatted line to the error log. Does not yield.
---@param format string as of string.format
---@param ... any values of the format
function snax.printf(format, ...)
	skynet.error(string.format(format, ...))
end

--- How often the functions of a service ran, and their CPU time. Yields.
---@param object table
---@return table<string, { count: integer, time: number }> by function, time in seconds
function snax.profile_info(object)
	return skynet.call(object.handle, "snax", snax.interface(object.type).system.profile)
end

return snax
