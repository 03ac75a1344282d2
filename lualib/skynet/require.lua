--- `require` for services: a module may wait (call other services) while it loads, and the functions
--- that it gives to `skynet.init` run when it has loaded.
---
--- In the main chunk of a service nothing can wait, so there `init` functions are kept and run by
--- `skynet.start`. In a task they run at the end of the module that registered them.

local main_thread, is_main = coroutine.running()
assert(is_main, "skynet.require must be loaded by the main chunk of a service")

---@class skynet.require
local M = {}

local plain_require = _G.require
local loaded = package.loaded
local init_lists = { [main_thread] = {} } -- thread -> init functions of the module it loads
local in_progress = {} -- module name -> { owner = thread, waiting threads ... }

-- The function of a Lua module and its file: files on package.path, and what the executable has in their place, come
-- before package.preload and package.searchers. nil: leave it to those.
local function find_loader(name)
	local file = package.searchpath(name, package.path)
	if file then
		return loadfile(file), file
	end
end

-- Another task loads the module: wait for it. Yields.
local function wait_for(name, load_state)
	local me = coroutine.running()
	assert(load_state.owner ~= me, "circular dependency")
	table.insert(load_state, me)
	require "skynet".wait(me)
	local module = loaded[name]
	if module == nil then
		error(string.format("require %s failed", name))
	end
	return module
end

-- The module is loaded, or has failed, or there was no memory for it: no trace of the attempt stays.
local loading = {
	__close = function(attempt)
		init_lists[attempt.owner] = attempt.outer_inits
		in_progress[attempt.name] = nil
		for i = 1, #attempt do
			loaded.skynet.wakeup(attempt[i])
		end
	end,
}

local function load_module(name, loader, extra, inits)
	local module = loader(name, extra)
	for _, init in ipairs(inits) do
		init()
	end
	if module == nil then
		module = true
	end
	loaded[name] = module
end

-- The attempt is over before its error goes on: a coroutine that an error ends closes nothing of its own.
local function try(me, name, loader, extra)
	local inits = {}
	local attempt <close> = setmetatable({ owner = me, name = name, outer_inits = init_lists[me] }, loading)
	in_progress[name] = attempt
	init_lists[me] = inits
	return xpcall(load_module, debug.traceback, name, loader, extra, inits)
end

--- Loads a module. May yield when called by a task, when the module does.
---@param name string
---@return any module
function M.require(name)
	local module = loaded[name]
	if module ~= nil then
		return module
	end
	local me, in_main = coroutine.running()
	if in_main then
		return plain_require(name)
	end
	local load_state = in_progress[name]
	if load_state then
		return wait_for(name, load_state)
	end
	local loader, extra = find_loader(name)
	if not loader then
		return plain_require(name) -- a module in C, or an error: not found, or a file that does not compile
	end

	local ok, problem = try(me, name, loader, extra)
	if not ok then
		error(problem)
	end
	return loaded[name]
end

--- Runs what the main chunk registered by `init`. Called once, by `skynet.start`. May yield.
function M.init_all()
	for _, init in ipairs(init_lists[main_thread]) do
		init()
	end
	init_lists[main_thread] = nil
end

--- Registers a function to run when loading is over. Does not yield.
---@param func function
function M.init(func)
	assert(type(func) == "function", "skynet.init needs a function")
	local list = init_lists[coroutine.running()]
	if not list then
		error("skynet.init works only while a module or the service itself is being loaded", 2)
	end
	table.insert(list, func)
end

return M
