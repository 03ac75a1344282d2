--- Small packets to a connection that go out in one write: they wait while there are more messages in the mailbox of this
--- service, each of which may add one, and are written before the service has nothing to do. So nobody waits for a packet
--- because of another one, and a busy connection takes one call of the system for many packets.
---
---     local batch = outbatch.new(function(packets) return driver.send(fd, packets) end)
---     batch:add(packet)
---     batch:flush() -- before something else is written to the same connection

local core = require "skynet.core"
local runtime = require "skynet.internal.kernel"

local MOST_BYTES <const>, MOST <const> = 32 * 1024, 128 -- of a write

local command, pcall, error = core.intcommand, pcall, error
local dispatch = runtime.api.dispatch_message

local M = {}

local waiting, count = {}, 0 -- batches that have something

-- A connection that cannot be written to does not keep the others from being written to, now or later.
local function flush_all()
	local first, failures, why = 1, 0, nil
	while first <= count do -- what is written may fail, and have others add something
		local batch = waiting[first]
		waiting[first] = nil
		first = first + 1
		batch.listed = false
		local ok, problem = pcall(batch.flush, batch)
		if not ok then
			failures, why = failures + 1, why or problem
		end
	end
	count = 0
	if failures > 0 then
		core.error(string.format("packets to %d connections are lost: %s", failures, tostring(why)))
	end
end

local function on_message(ptype, msg, sz, session, source)
	local ok, problem = pcall(dispatch, ptype, msg, sz, session, source)
	if count > 0 and command("STAT", "mqlen") == 0 then
		flush_all()
	end
	if not ok then
		error(problem, 0)
	end
end

---@class skynet.internal.outbatch.Batch
local Batch = {}
Batch.__index = Batch

--- Adds a packet. Does not yield.
---@param packet string
function Batch:add(packet)
	local n = self.count + 1
	self[n], self.count = packet, n
	local bytes = self.bytes + #packet
	self.bytes = bytes
	if bytes >= MOST_BYTES or n >= MOST then
		return self:flush()
	elseif not self.listed then
		self.listed = true
		count = count + 1
		waiting[count] = self
	end
end

--- Writes what has been added. Does not yield.
function Batch:flush()
	local n = self.count
	if n == 0 then
		return
	end
	self.count, self.bytes = 0, 0
	if n == 1 then
		local packet = self[1]
		self[1] = nil
		return self.write(packet)
	end
	local packets = table.move(self, 1, n, 1, table.create(n))
	for i = 1, n do
		self[i] = nil
	end
	self.write(packets)
end

local installed = false

--- In a task of the service that writes: from here on it looks after each message. Does not yield.
---@param write fun(packets: string|string[])
---@return skynet.internal.outbatch.Batch
function M.new(write)
	if not installed then
		installed = true
		core.callback(on_message)
	end
	return setmetatable({ write = write, count = 0, bytes = 0, listed = false }, Batch)
end

return M
