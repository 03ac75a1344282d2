--- Unique services written as a function inside of another service's file.

local skynet = require "skynet"

---@class skynet.service
local M = {}
local known = {} -- name -> handle
local provider

local function ask(...)
	provider = provider or skynet.uniqueservice "service_provider"
	return skynet.call(provider, "lua", ...)
end

-- The function runs in another Lua state: it cannot take values of this one along.
local function check_portable(func)
	local upvalues = debug.getinfo(func, "u").nups
	if upvalues ~= 1 or debug.getupvalue(func, 1) ~= "_ENV" then
		error("the function of a service must have no upvalue but _ENV", 3)
	end
end

--- Starts the service `name` that runs `main(...)`, unless it runs already. Yields.
---@param name string
---@param main function no upvalues
---@param ... any arguments of `main`
---@return integer handle. Raises when it does not start
function M.new(name, main, ...)
	local handle, booting = ask("test", name)
	if not handle then
		if booting then
			handle = ask("query", name)
		else
			check_portable(main)
			handle = ask("launch", name, string.dump(main), ...)
		end
	end
	known[name] = handle
	return handle
end

--- Ends a service started by `new`. Yields.
---@param name string
---@return boolean
function M.close(name)
	local handle = ask("close", name)
	if not handle then
		return false
	end
	known[name] = nil
	skynet.kill(handle)
	return true
end

--- Waits for a service that another one starts by `new`. Yields.
---@param name string
---@return integer handle
function M.query(name)
	known[name] = known[name] or ask("query", name)
	return known[name]
end

return M
