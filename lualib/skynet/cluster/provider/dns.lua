-- Discovery by DNS, as a headless service of Kubernetes gives it. Reads only: who is a node is the business of whoever fills the
-- name server. `dns://NAME:PORT`: each address of the name is a node, which is called like the address. `dns://_SERVICE._PROTOCOL.
-- NAME`: each SRV record is a node, which is called like the first part of its target, and is where that has its address.

local skynet = require "skynet"
local json = require "skynet.internal.json"
local message = require "skynet.dns.message"
local servers = require "skynet.dns.servers"
local settings = require "skynet.dns.settings"
local backoff = require "skynet.internal.backoff"
local nodeaddress = require "skynet.internal.nodeaddress"
local ratelimit = require "skynet.internal.ratelimit"

local PERIOD <const>, LEAST_PERIOD <const>, LONGEST_PERIOD <const> = 5, 1, 60 -- seconds
local RESOLV_CONF <const> = "/etc/resolv.conf"
-- Nodes that are asked for, of those in one answer; and questions a second, on an average. A name server may say anything.
local MOST_TARGETS <const>, QUESTIONS <const> = 1000, 100
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 50, 500 -- 1/100 s

local M = {}
---@class skynet.cluster.provider.dns.Provider
local Provider = { agrees = false, writes = false }
Provider.__index = Provider

--- Makes one; nothing runs yet. Does not yield.
---@param description table of skynet.cluster.url: name, port, is_service; options: period (seconds), server ("address:port")
---@param setup { sink: table }
function M.new(description, setup)
	local server = description.options.server
	local host, port
	if server then
		host, port = nodeaddress(server)
	end
	return setmetatable({
		name = string.lower((string.gsub(description.name, "%.$", ""))),
		port = description.port,
		is_service = description.is_service,
		period = tonumber(description.options.period) or PERIOD,
		server = host and { address = host, port = port or 53 },
		sink = setup.sink,
		closed = false,
	}, Provider)
end

local function how(self)
	local found = settings.resolver(not self.server and RESOLV_CONF)
	if self.server then
		found.servers, found.search, found.timeout, found.attempts = { self.server }, {}, 1, 2
	end
	return found
end

-- The names to ask for: as it is, then in the domains of resolv.conf.
local function candidates(name, found)
	local list = { name }
	for _, domain in ipairs(found.search) do
		list[#list + 1] = name .. "." .. domain
	end
	return list
end

-- The answer to a question. Raises when no server gives one.
local function ask(name, kind, found)
	local answer = servers.ask(name, kind, found)
	if not answer then
		error(string.format("no name server answers for %s", name), 0)
	elseif answer.code ~= 0 and answer.code ~= 3 then -- 3: there is no such name
		error(string.format("the name server answers for %s with code %d", name, answer.code), 0)
	end
	return answer
end

-- All addresses of a name, of both kinds, and for how many seconds they hold.
local function addresses_of(name, found)
	local list, least = {}, nil
	for _, kind in ipairs { message.A, message.AAAA } do
		local addresses, ttl = message.addresses(ask(name, kind, found))
		for _, address in ipairs(addresses or {}) do
			list[#list + 1] = address
		end
		least = addresses and math.min(least or ttl, ttl) or least
	end
	table.sort(list)
	return list, least
end

local function place(address, port)
	return string.format(string.find(address, ":", 1, true) and "[%s]:%d" or "%s:%d", address, port)
end

local function by_addresses(self, name, found)
	local nodes, list, ttl = {}, addresses_of(name, found)
	for _, address in ipairs(list) do
		nodes[address] = place(address, self.port)
	end
	return nodes, ttl
end

local limit = ratelimit(1, 6000)

local function complain(text, ...)
	local more = limit()
	if more then
		skynet.error("cluster discovery: " .. string.format(text, ...) .. more)
	end
end

-- The records of an answer that name a node, each target once, in an order that is the same in each round.
local function targets_of(name, answer)
	local list, seen = {}, {}
	for _, record in ipairs(answer.records) do
		local target = record.kind == message.SRV and record.data and record.data.target
		if target and not string.find(target, "^[^.]") then
			complain("an SRV record of %s is left out: its target is the root, which is no node", name)
		elseif target and not seen[target] then
			seen[target] = true
			list[#list + 1] = record
		end
	end
	table.sort(list, function(a, b)
		return a.data.target < b.data.target
	end)
	if #list > MOST_TARGETS then
		complain("%s has %d SRV records, of which %d are used", name, #list, MOST_TARGETS)
	end
	return list
end

local function by_services(_, name, found)
	local nodes, least = {}, nil
	local records = targets_of(name, ask(name, message.SRV, found))
	local count = math.min(#records, MOST_TARGETS)
	for i = 1, count do
		local record = records[i]
		local list, ttl = addresses_of(record.data.target, found)
		-- A node that is about to start may be named, and have no address yet.
		if list[1] then
			nodes[string.match(record.data.target, "^[^.]+")] = place(list[1], record.data.port)
			least = math.min(least or ttl, ttl, record.ttl)
		end
	end
	return nodes, least, 2 * count // QUESTIONS
end

local function look_up(self)
	local found = how(self)
	local by = self.is_service and by_services or by_addresses
	for _, name in ipairs(candidates(self.name, found)) do
		local nodes, ttl, pause = by(self, name, found)
		if next(nodes) then
			return nodes, ttl, pause or 0
		end
	end
	-- A name server that has just started knows nothing, and one without a single node is of no use to anybody.
	error(string.format("%s has no address", self.name), 0)
end

-- Asks once, and tells. Returns how long to wait until the next time, in 1/100 s.
local function round(self)
	local nodes, ttl, pause = look_up(self)
	local entries = {}
	for name, address in pairs(nodes) do
		entries["nodes/" .. name] = json.encode { address = address, boot = address }
	end
	self.sink.snapshot(entries, "dns")
	self.sink.fresh(self.name)
	local period = math.min(self.period, math.max(ttl or 0, LEAST_PERIOD))
	return math.floor(math.max(LEAST_PERIOD, pause, math.min(period, LONGEST_PERIOD)) * 100)
end

--- Asks again and again until `close`, and tells the sink. Yields.
function Provider:run()
	local pause = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	while not self.closed do
		local ok, time = pcall(round, self)
		if ok then
			pause(true)
		else
			self.sink.lost(tostring(time))
			time = pause()
		end
		skynet.sleep(time)
	end
end

function Provider:close()
	self.closed = true
end

return M
