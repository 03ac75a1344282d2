--- Deprecated: requests of a service handled strictly one after the other. See skynet.queue instead.
---
---     mqueue.register(function(...) return ... end)   -- in the service
---     mqueue.call(address, ...)                       -- in others

local skynet = require "skynet"
local defer = require "skynet.internal.defer"
local respawn = require "skynet.internal.respawn"

---@class skynet.mqueue
local mqueue = {}

local waiting, first, last = {}, 1, 0
local idle -- the token of the task that handles requests, while there are none
local registered = false

skynet.register_protocol {
	name = "queue",
	id = skynet.PTYPE_QUEUE,
	pack = skynet.pack,
	unpack = skynet.unpack,
	dispatch = function(session, source, ...)
		last = last + 1
		-- Answered by the task below.
		waiting[last] = { session = session, source = source, respond = skynet.response(), arguments = table.pack(...) }
		if idle then
			skynet.wakeup(idle)
		end
	end,
}

local function take()
	while first > last do
		first, last = 1, 0
		idle = {}
		skynet.wait(idle)
		idle = nil
	end
	local request = waiting[first]
	waiting[first] = nil
	first = first + 1
	return request
end

local function report(request, what)
	skynet.error(string.format("[:%x] send a message to [:%x] %s", request.source, skynet.self(), what))
end

local function fail(request)
	request.respond(false)
end

local function handle(request, func)
	local guard <close> = defer(fail, request)
	local results = table.pack(pcall(func, table.unpack(request.arguments, 1, request.arguments.n)))
	guard.dismissed = true
	if request.session ~= 0 then
		request.respond(true, table.unpack(results, 1, results.n))
	elseif not results[1] then
		report(request, "throw an error : " .. tostring(results[2]))
	elseif results[2] then
		report(request, "return something")
	end
end

--- Sets the function that handles the requests of this service. Once only. Does not yield.
---@param func function gets the arguments of `call` or `send`, returns the answer of a call
function mqueue.register(func)
	assert(not registered, "mqueue.register has been called already")
	registered = true
	respawn(function()
		while true do
			handle(take(), func)
		end
	end)
end

local function result_or_error(ok, ...)
	if not ok then
		error(...)
	end
	return ...
end

--- Calls a service that has registered. Yields.
---@param address integer|string
---@param ... any the values of the request
---@return any ... the answer. Raises the error of its function
function mqueue.call(address, ...)
	return result_or_error(skynet.call(address, "queue", ...))
end

--- Sends a request without an answer. Does not yield.
---@param address integer|string
---@param ... any the values of the request
---@return integer? 0; nil when there is no such service, false when the message is too large
function mqueue.send(address, ...)
	return skynet.send(address, "queue", ...)
end

--- The number of requests that wait. Does not yield.
---@return integer
function mqueue.size()
	return last - first + 1
end

return mqueue
