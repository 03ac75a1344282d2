--- Several calls at once: `skynet.request`. Loaded by the first call.
---
---     for req, resp in skynet.request { a, "lua", "get", 1 } { b, "lua", "get", 2 }:select(100) do
---         -- req: the table given; resp: table.pack of the answer, false when the call failed,
---         -- nil when the address does not exist
---     end
---
--- After a time-out the loop ends, and the object's field `timeout` is true.

local runtime = require "skynet.internal.kernel"

local skynet, protocols = runtime.api, runtime.protocols
local waiting, watched = runtime.waiting, runtime.watched

---@class (partial) skynet
local api = {}

---@class skynet.Batch
local Batch = {}
Batch.__index = Batch

--- Adds a request `{ address, protocol, ... }`. Raises after `select`. Does not yield.
---@param request table
---@return skynet.Batch self
function Batch:add(request)
	assert(type(request) == "table" and not self._collector)
	self[#self + 1] = request
	return self
end

Batch.__call = Batch.add

local function take(batch, answered, msg, sz, session)
	local request = batch._pending[session]
	if session == batch._timer then
		batch._timer = nil
		batch.timeout = true
	elseif request then
		watched[session] = nil
		batch._pending[session] = nil
		local response = false
		if answered then
			local values = table.pack(pcall(protocols[request[2]].unpack, msg, sz))
			response = values[1] and table.pack(table.unpack(values, 2, values.n)) or false
		end
		local done = batch._done
		done[done.last + 1] = { request, response }
		done.last = done.last + 1
	end
end

-- Runs in a coroutine of its own, resumed once for every answer, failure, and the time-out.
local function collect(batch)
	while true do
		local answered, msg, sz, session = coroutine.yield "SUSPEND"
		waiting[session] = nil
		local ok, problem = pcall(take, batch, answered, msg, sz, session)
		if not ok then
			batch._problem = problem -- for who waits; there is a place
		end
		skynet.wakeup(batch)
	end
end

local function send_all(batch)
	for _, request in ipairs(batch) do
		local address, protocol = request[1], protocols[request[2]]
		assert(protocol and protocol.unpack, "unknown protocol")
		runtime.trace_call(address)
		local session =
			runtime.request(batch._collector, address, protocol, table.unpack(request, 3, request.n or #request))
		if session then
			batch._pending[session] = request
			batch._open = batch._open + 1
		else
			table.insert(batch._refused, request)
		end
	end
end

local function next_answer(batch)
	local refused = table.remove(batch._refused)
	if refused then
		return refused
	end
	local done = batch._done
	if done.first > done.last then
		if batch._open == 0 or batch.timeout then
			return nil
		end
		skynet.wait(batch)
		if batch._problem then
			error(batch._problem, 0)
		end
		if done.first > done.last then
			return nil -- the time-out, or closed meanwhile
		end
	end
	local answer = done[done.first]
	done[done.first] = nil
	done.first = done.first + 1
	batch._open = batch._open - 1
	return answer[1], answer[2]
end

--- Sends the requests and iterates over the answers as they come. The iterator yields.
---@param timeout integer? 1/100 s
---@return function next, nil, nil, table close for the generic `for`
function Batch:select(timeout)
	assert(self._collector == nil)
	runtime.check_yieldable()
	local owner = runtime.running
	self._collector = coroutine.create(collect)
	self._pending, self._refused, self._done = {}, {}, { first = 1, last = 0 }
	self._open, self._problem = 0, false
	local ok, problem = pcall(send_all, self)
	if not ok then
		self:close() -- answers to what has been sent have no receiver
		error(problem, 0)
	end
	if timeout then
		self._timer = runtime.start_timer(timeout)
		waiting[self._timer] = self._collector
	end
	runtime.running = self._collector
	coroutine.resume(self._collector, self)
	runtime.running = owner
	return function()
		return next_answer(self)
	end, nil, nil, self
end

--- Gives up the answers that are still missing. Called by the `for` loop at its end. Does not yield.
function Batch:close()
	for session in pairs(self._pending or {}) do
		waiting[session] = "BREAK"
		watched[session] = nil
	end
	self._pending, self._open = {}, 0
	if self._timer then
		waiting[self._timer] = "BREAK"
		self._timer = nil
	end
end

Batch.__close = Batch.close

--- A new batch of requests, with the first one if given. Does not yield.
---@param request table?
---@return skynet.Batch batch
function api.request(request)
	local batch = setmetatable({}, Batch)
	if request then
		batch:add(request)
	end
	return batch
end

return api
