--- What a service asks the node, and the node tells without a message: its own address, names, configuration, figures. Part of the
--- API that skynet.lua puts together.

local core = require "skynet.core"
local runtime = require "skynet.internal.runtime"

---@class (partial) skynet
local skynet = runtime.api

--- The handle of this service.
---@return integer
function skynet.self()
	return core.addresscommand "REG"
end

--- The handle of a service of this node by its local name.
---@param name string such as ".launcher"
---@return integer? nil when there is none
function skynet.localname(name)
	return core.addresscommand("QUERY", name)
end

--- The node that a handle belongs to.
---@param handle integer
---@return integer harbor, boolean remote
function skynet.harbor(handle)
	return core.harbor(handle)
end

local start_time

--- When the node started.
---@return integer seconds since 1970
function skynet.starttime()
	start_time = start_time or core.intcommand "STARTTIME"
	return start_time
end

--- The time of day by the node's clock, in steps of 1/100 s.
---@return number seconds since 1970
function skynet.time()
	return core.now() / 100 + skynet.starttime()
end

--- A value of the node's configuration.
---@param key string
---@return string?
function skynet.getenv(key)
	return (core.command("GETENV", key))
end

--- Adds a value to the node's configuration; existing ones cannot be changed (raises).
---@param key string
---@param value string|number
function skynet.setenv(key, value)
	if core.command("GETENV", key) ~= nil then
		error("Can't setenv exist key : " .. key)
	end
	core.command("SETENV", key .. " " .. value)
end

--- A figure of this service: "mqlen", "cpu", "time", "message", "endless".
---@param what string
---@return number
function skynet.stat(what)
	return core.intcommand("STAT", what)
end

--- The number of messages that wait for this service.
---@return integer
function skynet.mqlen()
	return core.intcommand("STAT", "mqlen")
end

--- Whether this service was reported to be in an endless loop since the last time asked.
---@return boolean
function skynet.endless()
	return core.intcommand("STAT", "endless") == 1
end

--- Limits the memory of this service, from this line on: what does not fit raises "not enough memory". Once only.
---@param bytes integer
function skynet.memlimit(bytes)
	local registry = debug.getregistry()
	local limit = math.type(bytes) and (math.tointeger(bytes) or 0) -- other values: none, 0 as well
	if limit and registry.skynet_memlimit then
		registry.skynet_memlimit(limit)
	else
		registry.memlimit = limit -- another snlua: from the end of the main chunk on, and there only
	end
	skynet.memlimit = nil
end
