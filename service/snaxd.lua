-- Runs one snax service: its script's name is the only argument; its own arguments come with the
-- request `init`.

local skynet = require "skynet"
local profile = require "skynet.profile"
local read_interface = require "snax.interface"
local snax = require "skynet.snax"

local name = tostring(...)

local function custom_loader()
	local path = skynet.getenv "snax_loader"
	return path and assert(dofile(path))
end

local entries, pattern = read_interface(name, _ENV, custom_loader())

SERVICE_NAME = name
SERVICE_PATH = string.match(pattern, "^[^?]*") .. name .. "/"
package.path = SERVICE_PATH .. "?.lua;" .. package.path

local figures = {} -- function -> { count, time }
local ready = false
local system = {}

local function nothing() end

function system.hotfix(_, ...)
	skynet.retpack(require "snax.hotfix"(entries, ...))
end

function system.profile()
	skynet.retpack(figures)
end

function system.init(entry, ...)
	assert(not ready, "Already init")
	local init = entry[4] or nothing
	init(...)
	skynet.ret()
	skynet.info_func(function()
		return figures
	end)
	ready = true
end

function system.exit(entry, ...)
	assert(ready, "Never init")
	local exit = entry[4] or nothing
	exit(...)
	skynet.ret()
	ready = false
	skynet.exit()
end

local function answer(func, ...)
	skynet.retpack(func(...))
end

-- Runs a function of `accept` or `response` and adds its CPU time to the figures.
local function run(entry, ...)
	local _, group, method, func = table.unpack(entry, 1, 4)
	local ok, problem
	profile.start()
	if group == "accept" then
		ok, problem = xpcall(func, debug.traceback, ...)
	else
		ok, problem = xpcall(answer, debug.traceback, func, ...)
	end
	local time = profile.stop()
	local figure = figures[method] or { count = 0, time = 0 }
	figures[method] = figure
	figure.count = figure.count + 1
	figure.time = figure.time + time
	if not ok then
		error(problem, 0)
	end
end

local function on_request(_, _, id, ...)
	local entry = entries[id]
	if entry[2] == "system" then
		system[entry[3]](entry, ...)
	else
		assert(ready, "Init first")
		run(entry, ...)
	end
end

skynet.start(function()
	skynet.dispatch("snax", on_request)

	--- Also takes requests as "lua" messages, which is how they come from other nodes of a cluster.
	function snax.enablecluster()
		skynet.dispatch("lua", on_request)
	end
end)
