-- Starts services for `skynet.newservice`, knows all that it started, and asks them for figures.
--
-- A start is answered when the new service reports LAUNCHOK (or an empty text message, as C services
-- do), and failed when it reports ERROR or ends before.

local skynet = require "skynet"
local core = require "skynet.core"
require "skynet.manager"

local running = {} -- handle -> command line
local starting = {} -- handle -> { answer = response closure, session = of the request }

local command = {}
local NO_ANSWER = {}

local function finish_start(handle, ok, ...)
	local pending = starting[handle]
	if pending then
		starting[handle] = nil
		pending.answer(ok, ...)
	end
end

local function start(module, ...)
	local arguments = table.concat({ ... }, " ")
	local handle = skynet.launch(module, arguments)
	local session = skynet.context()
	local answer = skynet.response()
	if not handle then
		answer(false)
		return nil
	end
	running[handle] = module .. " " .. arguments
	starting[handle] = { answer = answer, session = session }
	return handle
end

--- LAUNCH module, arguments... -> handle
function command.LAUNCH(_, module, ...)
	start(module, ...)
	return NO_ANSWER
end

--- As LAUNCH, with a log of all messages of the service.
function command.LOGLAUNCH(_, module, ...)
	local handle = start(module, ...)
	if handle then
		core.command("LOGON", skynet.address(handle))
	end
	return NO_ANSWER
end

function command.LAUNCHOK(handle)
	finish_start(handle, true, handle)
	return NO_ANSWER
end

function command.ERROR(handle)
	finish_start(handle, false)
	running[handle] = nil
	return NO_ANSWER
end

--- A service ends. When it is killed while it starts, the start fails; when it exits by itself, the
--- start is answered with nothing.
function command.REMOVE(_, handle, killed)
	running[handle] = nil
	finish_start(handle, not killed)
	return NO_ANSWER -- the service is gone
end

function command.KILL(_, handle)
	skynet.kill(handle)
	local line = running[handle]
	running[handle] = nil
	return { [skynet.address(handle)] = tostring(line) }
end

--- The handle of the service whose start a request of that session asked for.
function command.QUERY(_, session)
	for handle, pending in pairs(starting) do
		if pending.session == session then
			return handle
		end
	end
end

function command.LIST()
	local list = {}
	for handle, line in pairs(running) do
		list[skynet.address(handle)] = line
	end
	return list
end

-- Asks all services at once; `show(value, handle)` makes an entry of each answer.
local function ask_all(timeout, show, ...)
	local list, batch = {}, skynet.request()
	for handle in pairs(running) do
		list[skynet.address(handle)] = show("TIMEOUT", handle)
		batch:add { handle, "debug", ... }
	end
	for request, response in batch:select(timeout) do
		local handle = request[1]
		list[skynet.address(handle)] = show(response and response[1] or "ERROR", handle)
	end
	return list
end

function command.STAT(_, timeout)
	return ask_all(timeout, function(figures)
		return figures
	end, "STAT")
end

function command.MEM(_, timeout)
	return ask_all(timeout, function(kilobytes, handle)
		local form = type(kilobytes) == "string" and "%s (%s)" or "%.2f Kb (%s)"
		return string.format(form, kilobytes, running[handle])
	end, "MEM")
end

function command.GC(_, timeout)
	for handle in pairs(running) do
		skynet.send(handle, "debug", "GC")
	end
	return command.MEM(nil, timeout)
end

-- C services report by text messages.
skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	unpack = skynet.tostring,
	dispatch = function(_, handle, text)
		if text == "" then
			command.LAUNCHOK(handle)
		elseif text == "ERROR" then
			command.ERROR(handle)
		else
			error("Invalid text command " .. text)
		end
	end,
}

skynet.dispatch("lua", function(_, source, name, ...)
	local run = command[string.upper(name)]
	if not run then
		skynet.retpack { "Unknown command" }
		return
	end
	local result = run(source, ...)
	if result ~= NO_ANSWER then
		skynet.retpack(result)
	end
end)

skynet.start(function() end)
