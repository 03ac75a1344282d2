--- The clients of a service: how many there are, and one line in the log for one that does not behave.

local skynet = require "skynet"
local ratelimit = require "skynet.internal.ratelimit"

local M = {}
local Clients = {}
Clients.__index = Clients

-- A flood of bad clients is no flood of lines.
local limit = ratelimit(10, 100)

--- Makes a count. Does not yield.
---@param kind string for the log
---@return table clients
function M.new(kind)
	return setmetatable({ kind = kind, total = 0, by_address = {} }, Clients)
end

-- The host of "host:port" or "[host]:port"; nil for what a program may have given otherwise.
local function host_of(address)
	if type(address) == "string" then
		return string.match(address, "^%[?(.-)%]?:%d+$") or address
	end
end

--- Counts a connection in. Does not yield.
---@param address string? of the client
---@param held table see http.limits: connections, per_address
---@return boolean admitted, string? problem
function Clients:add(address, held)
	local host = host_of(address)
	local same = host and self.by_address[host] or 0
	local problem
	if self.total >= held.connections then
		problem = "too many connections"
	elseif same >= held.per_address then
		problem = "too many connections of one address"
	end
	if problem then
		M.complain(self.kind, nil, address, problem)
		return false, problem
	end
	self.total = self.total + 1
	if host then
		self.by_address[host] = same + 1
	end
	return true
end

--- Counts a connection out. Does not yield.
---@param address string? as it was for `add`
function Clients:remove(address)
	self.total = self.total - 1
	local host = host_of(address)
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
