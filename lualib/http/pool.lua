--- Connections of a client to servers, kept for the next request (RFC 9112 §9.3), and how many there may be.
---
--- A server is a key, as "https://host:port". Each connection counts from before it is made until it is closed; who wants one more
--- than there may be waits for its turn, in the order of coming.

local skynet = require "skynet"
local socket = require "skynet.socket"
local deadlines = require "http.deadline"
local sockethelper = require "http.sockethelper"

local M = {}
local Pool = {}
Pool.__index = Pool

--- Makes a pool. Does not yield.
---@param limits table per_host, total: the most connections; idle: the most of them to one server that wait for a request;
--- waiting: the most callers that wait for one
---@param close fun(interface: table) closes a connection; may yield
---@return table pool
function M.new(limits, close)
	return setmetatable({
		limits = limits,
		close_one = close,
		hosts = {}, -- key -> { key, active, idle = list of interfaces, the last used one at the end }
		total = 0, -- active and idle ones
		waiting = {}, -- list of callers, the first one first
		counts = { created = 0, reused = 0, retried = 0, expired = 0, refused = 0, timed_out = 0 },
	}, Pool)
end

local function host_of(pool, key)
	local host = pool.hosts[key]
	if not host then
		host = { key = key, active = 0, idle = {} }
		pool.hosts[key] = host
	end
	return host
end

local function forget_if_unused(pool, host)
	if host.active == 0 and #host.idle == 0 then
		pool.hosts[host.key] = nil
	end
end

-- Takes an idle connection out of the list.
local function remove(pool, host, interface)
	local list = host.idle
	for i = #list, 1, -1 do
		if list[i] == interface then
			table.remove(list, i)
			break
		end
	end
	pool.total = pool.total - 1
	socket.onclose(interface.id, nil)
	interface.idle_deadline:clear()
	interface.idle_deadline = nil
	forget_if_unused(pool, host)
end

-- Whether nothing has happened to a connection: its end, or bytes that were not asked for.
local function is_fresh(interface)
	return socket.disconnected(interface.id) == false and socket.pending(interface.id) == 0
end

-- An idle connection that can be used.
local function take(pool, host)
	while #host.idle > 0 do
		local interface = host.idle[#host.idle]
		remove(pool, host, interface)
		if is_fresh(interface) then
			return interface
		end
		skynet.fork(pool.close_one, interface)
	end
end

-- Closes the connection that has been idle for longest, of one server if there is one named.
local function drop_oldest(pool, host)
	local oldest, its_host
	for _, one in pairs(host and { host } or pool.hosts) do
		local interface = one.idle[1]
		if interface and (not oldest or interface.idle_since < oldest.idle_since) then
			oldest, its_host = interface, one
		end
	end
	if not oldest then
		return false
	end
	remove(pool, its_host, oldest)
	skynet.fork(pool.close_one, oldest)
	return true
end

-- Whether there may be one more connection to a server. Idle ones give way.
local function has_room(pool, host)
	local limits = pool.limits
	if host.active >= limits.per_host or (pool.total >= limits.total and not drop_oldest(pool)) then
		return false
	end
	return host.active + #host.idle < limits.per_host or drop_oldest(pool, host)
end

-- A connection, or true for the right to make one; nil: neither now.
local function get(pool, key, fresh)
	local host = host_of(pool, key)
	local interface = not fresh and take(pool, host)
	host = host_of(pool, key) -- the last idle one has taken it away
	if interface or has_room(pool, host) then
		host = host_of(pool, key)
		host.active, pool.total = host.active + 1, pool.total + 1
		return interface or true
	end
	forget_if_unused(pool, host)
end

-- Gives what has become free to those who wait for it.
local function serve_waiting(pool)
	local waiting = pool.waiting
	local index = 1
	while index <= #waiting do
		local caller = waiting[index]
		caller.got = get(pool, caller.key, caller.fresh)
		if caller.got then
			table.remove(waiting, index)
			skynet.wakeup(caller)
			return -- one place has become free
		end
		index = index + 1
	end
end

local function leave_line(caller)
	for index, other in ipairs(caller.pool.waiting) do
		if other == caller then
			table.remove(caller.pool.waiting, index)
			break
		end
	end
end

-- A task that is killed while it waits gives up what it was given meanwhile.
local Caller = {
	__close = function(caller)
		if caller.over then
			return
		elseif not caller.got then
			return leave_line(caller)
		elseif caller.got ~= true then
			skynet.fork(caller.pool.close_one, caller.got)
		end
		caller.pool:gone(caller.key)
	end,
}

local function wait(pool, key, time, fresh)
	local limits, counts = pool.limits, pool.counts
	if #pool.waiting >= limits.waiting then
		counts.refused = counts.refused + 1
		error(
			sockethelper.socket_error(
				string.format("%s: all connections are in use, and %d callers wait for one", key, #pool.waiting)
			)
		)
	end
	local caller <close> = setmetatable({ pool = pool, key = key, fresh = fresh }, Caller)
	table.insert(pool.waiting, caller)
	if time then
		skynet.sleep(time, caller)
	else
		skynet.wait(caller)
	end
	caller.over = true
	if caller.got then
		return caller.got
	end
	leave_line(caller)
	counts.timed_out = counts.timed_out + 1
	error(
		sockethelper.socket_error(
			pool.closed and key .. ": the client is closed"
				or string.format("%s: no connection became free within %s s", key, (time or 0) / 100)
		)
	)
end

-- Whether nobody has to go first: who waits for the same server, or for a place of all.
local function may_pass(pool, key)
	for _, caller in ipairs(pool.waiting) do
		if caller.key == key or pool.total >= pool.limits.total then
			return false
		end
	end
	return true
end

--- Takes a connection out, or the right to make one. `give_back` or `gone` has to follow. Yields while there are too many.
---@param key string
---@param time integer? 1/100 s to wait
---@param fresh boolean? no idle one
---@return table? interface nil: make one
function Pool:acquire(key, time, fresh)
	if self.closed then
		error(sockethelper.socket_error(key .. ": the client is closed"))
	end
	local got = may_pass(self, key) and get(self, key, fresh) or wait(self, key, time, fresh)
	local counts = self.counts
	if got == true then
		counts.created = counts.created + 1
		return nil
	end
	counts.reused = counts.reused + 1
	return got
end

--- A connection that was taken out is closed, or was never made. Does not yield.
---@param key string
function Pool:gone(key)
	local host = host_of(self, key)
	host.active, self.total = host.active - 1, self.total - 1
	forget_if_unused(self, host)
	serve_waiting(self)
end

--- Keeps a connection that was taken out. Does not yield.
---@param key string
---@param interface table with `id`, its socket
---@param time integer 1/100 s, after which it is closed
---@return boolean kept false: close it, and say that it is gone
function Pool:give_back(key, interface, time)
	local host = host_of(self, key)
	if self.closed or #host.idle >= self.limits.idle or not is_fresh(interface) then
		return false
	end
	local function drop()
		if interface.idle_deadline then
			remove(self, host, interface)
			self.counts.expired = self.counts.expired + 1
			self.close_one(interface)
			serve_waiting(self)
		end
	end
	host.active = host.active - 1
	host.idle[#host.idle + 1] = interface
	interface.idle_since = skynet.now()
	interface.idle_deadline = deadlines.new(interface.id, drop)
	interface.idle_deadline:set(time)
	socket.onclose(interface.id, drop)
	serve_waiting(self)
	return true
end

--- What there is, as numbers. Does not yield.
---@return table stats see httpc.stats
function Pool:stats()
	local stats = { active = 0, idle = 0, waiting = #self.waiting, hosts = {} }
	for key, host in pairs(self.hosts) do
		stats.hosts[key] = { active = host.active, idle = #host.idle, waiting = 0 }
		stats.active, stats.idle = stats.active + host.active, stats.idle + #host.idle
	end
	for _, caller in ipairs(self.waiting) do
		local host = stats.hosts[caller.key] or { active = 0, idle = 0, waiting = 0 }
		stats.hosts[caller.key] = host
		host.waiting = host.waiting + 1
	end
	for name, count in pairs(self.counts) do
		stats[name] = count
	end
	return stats
end

--- Closes the idle connections; those in use are closed behind their requests, and who waits gets an error. Does not yield.
function Pool:close()
	self.closed = true
	for _, caller in ipairs(self.waiting) do
		skynet.wakeup(caller)
	end
	while drop_oldest(self) do
	end
end

return M
