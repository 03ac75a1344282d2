--- The clients of a service: how many there are, and one line in the log for one that does not behave.

local skynet = require "skynet"
local socket = require "skynet.socket"
local ratelimit = require "skynet.internal.ratelimit"

local M = {}
local Clients = {}
Clients.__index = Clients

-- 1/100 s that a silent connection has even when there is no room for others.
local GRACE <const> = 200

-- A flood of bad clients is no flood of lines.
local limit = ratelimit(10, 100)

--- Makes a count. Does not yield.
---@param kind string for the log
---@return table clients
function M.new(kind)
	return setmetatable({
		kind = kind,
		total = 0,
		by_address = {}, -- host -> its connections
		silent = {}, -- order -> client that has said nothing that makes sense; those from `first` to `last`
		first = 1,
		last = 0,
	}, Clients)
end

-- The host of "host:port" or "[host]:port"; nil for what a program may have given otherwise.
local function host_of(address)
	if type(address) == "string" then
		return string.match(address, "^%[?(.-)%]?:%d+$") or address
	end
end

-- Ends the connection that has been silent for longest, of one host if there is one named. False when there is none, or it has not
-- been there long enough: so those that never say anything do not keep out those that do.
local function make_room(self, host)
	while self.first <= self.last and not self.silent[self.first] do
		self.first = self.first + 1
	end
	local now = skynet.now()
	for order = self.first, self.last do
		local client = self.silent[order]
		if client and now - client.since < GRACE then
			return false
		elseif client and (not host or client.host == host) then
			M.complain(self.kind, client.id, client.address, "it has said nothing, and there is no room for others")
			self:remove(client)
			socket.shutdown(client.id)
			return true
		end
	end
	return false
end

--- Counts a connection in, which may take the place of a silent one. Does not yield.
---@param id integer socket
---@param address string? of the client
---@param held table see http.limits: connections, per_address
---@return table? client nil when it is not admitted
---@return string? problem
function Clients:add(id, address, held)
	local host = host_of(address)
	local problem
	if host and (self.by_address[host] or 0) >= held.per_address and not make_room(self, host) then
		problem = "too many connections of one address"
	elseif self.total >= held.connections and not make_room(self) then
		problem = "too many connections"
	end
	if problem then
		M.complain(self.kind, nil, address, problem)
		return nil, problem
	end
	self.total = self.total + 1
	if host then
		self.by_address[host] = (self.by_address[host] or 0) + 1
	end
	self.last = self.last + 1
	local client = { id = id, address = address, host = host, since = skynet.now(), order = self.last }
	self.silent[self.last] = client
	return client
end

--- It has said something that makes sense. Does not yield.
---@param client table
function Clients:heard(client)
	if client.order then
		self.silent[client.order] = nil
		client.order = nil
	end
end

--- Counts a connection out, once. Does not yield.
---@param client table
function Clients:remove(client)
	if client.removed then
		return
	end
	client.removed = true
	self:heard(client)
	self.total = self.total - 1
	local host = client.host
	if host then
		local same = self.by_address[host] - 1
		self.by_address[host] = same > 0 and same or nil
	end
end

--- A text of a stranger as it may stand in a line of the log. Does not yield.
---@param text string
---@return string
function M.shown(text)
	text = string.gsub(string.sub(text, 1, 200), "[%c\x7f-\xff]", function(char)
		return string.format("\\x%02X", string.byte(char))
	end)
	return text
end

--- Says in the log what a client did. Does not yield.
---@param kind string
---@param id integer? socket
---@param address string?
---@param reason string
function M.complain(kind, id, address, reason)
	local more = limit()
	if more then
		skynet.error(
			string.format(
				"%s: client %s%s: %s%s",
				kind,
				address and M.shown(tostring(address)) or "?",
				id and string.format(" (fd = %d)", id) or "",
				M.shown(reason),
				more
			)
		)
	end
end

return M
