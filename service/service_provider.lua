-- Keeps the services of `skynet.service`: each name is booted once, in a service_cell.

local skynet = require "skynet"

local services = {} -- name -> { queue = waiting responses | nil when settled, booting, address, error, init, time }
local command = {}

local function entry_of(name)
	local entry = services[name]
	if not entry then
		entry = { queue = {} }
		services[name] = entry
	end
	return entry
end

local function wait_in(entry)
	table.insert(entry.queue, skynet.response())
end

local function settle(entry, ...)
	local queue = entry.queue
	entry.queue = nil
	for _, respond in ipairs(queue) do
		respond(...)
	end
end

local function show_arguments(...)
	local words = table.pack(...)
	for i = 1, words.n do
		words[i] = tostring(words[i])
	end
	return words.n > 0 and table.concat(words, ",") or nil
end

--- test name -> handle | nil, booting
function command.test(name)
	local entry = services[name]
	if not entry then
		skynet.ret()
	elseif entry.booting then
		skynet.retpack(nil, true)
	elseif entry.address then
		skynet.retpack(entry.address)
	elseif entry.error then
		error(entry.error)
	else
		skynet.ret()
	end
end

--- query name -> handle, when it is there
function command.query(name)
	local entry = entry_of(name)
	if entry.queue then
		wait_in(entry)
	elseif entry.address then
		skynet.retpack(entry.address)
	else
		error(entry.error)
	end
end

local function boot(entry, name, code, ...)
	local cell = skynet.newservice("service_cell", name)
	local ok, problem = xpcall(skynet.call, debug.traceback, cell, "lua", "init", code, ...)
	if not ok then
		skynet.send(cell, "debug", "EXIT")
		error(problem, 0)
	end
	entry.init = show_arguments(...)
	entry.time = skynet.time()
	return cell
end

--- launch name, code, arguments... -> handle
function command.launch(name, code, ...)
	local entry = entry_of(name)
	if entry.address then
		return skynet.retpack(entry.address)
	elseif entry.booting then
		return wait_in(entry)
	end
	entry.booting = true
	entry.queue = entry.queue or {} -- an earlier start failed: try again
	local ok, result = pcall(boot, entry, name, code, ...)
	entry.booting = nil
	if ok then
		entry.address, entry.error = result, nil
		settle(entry, true, result)
		skynet.retpack(result)
	else
		entry.error = result
		settle(entry, false)
		error(result)
	end
end

--- close name -> handle of the service, which is forgotten
function command.close(name)
	assert(name ~= nil, "a service to close needs a name")
	local entry = services[name]
	if not entry or entry.booting then
		return skynet.retpack(nil)
	end
	services[name] = nil
	if entry.queue then
		settle(entry, false)
	end
	skynet.retpack(entry.address)
end

local function status(entry)
	if entry.booting then
		return "booting"
	elseif entry.queue then
		return "waiting(" .. #entry.queue .. ")"
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
	skynet.info_func(function()
		local list = {}
		for name, entry in pairs(services) do
			list[entry.address and skynet.address(entry.address) or name] = {
				name = name,
				init = entry.init,
				time = entry.time and os.date("%Y %b %d %T %z", math.floor(entry.time)),
				status = status(entry),
			}
		end
		return list
	end)
end)
