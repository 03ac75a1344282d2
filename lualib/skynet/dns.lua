--- Looks up host names without blocking a thread: first in the hosts file, then by asking the name servers of
--- resolv.conf(5), as it says, or the one that was set. Answers are kept for as long as the server allows.

local skynet = require "skynet"
local message = require "skynet.dns.message"
local servers = require "skynet.dns.servers"
local settings = require "skynet.dns.settings"

---@class skynet.dns
local M = {}

--- Files to read; false: none.
M.DEFAULT_HOSTS = "/etc/hosts"
M.DEFAULT_RESOLV_CONF = "/etc/resolv.conf"

local MAX_NAME <const>, MAX_LABEL <const>, MAX_CACHED <const> = 255, 63, 10000
-- Aliases that are asked for one after the other; more of them are a loop.
local MAX_ALIASES <const> = 16
-- In 1/100 s: resolv.conf is looked at again after this time.
local READ_AGAIN <const> = 100
-- A server that was set has this time for each of its questions, in seconds, and so many are asked.
local TIMEOUT <const>, ATTEMPTS <const> = 5, 6

local static -- kind -> name -> list, from the hosts file
local cached -- kind -> name -> { list =, best_before = in 1/100 s }
local cached_count
local chosen -- settings with the server that was set
local configured -- settings of the file, { path =, read = time }

--- Forgets all answers. Does not yield.
function M.flush()
	cached = { [message.A] = {}, [message.AAAA] = {} }
	cached_count = 0
end

M.flush()

---------------------------------------------------------------- names

local function kind_of(name)
	if string.find(name, ":", 1, true) then
		return message.AAAA
	elseif string.find(name, "^[%d.]+$") then
		return message.A
	end
end

local function is_valid(name)
	if #name > MAX_NAME or not string.find(name, "^[%w_.-]+$") then
		return false
	end
	for label in string.gmatch(name, "[^.]+") do
		if #label > MAX_LABEL then
			return false
		end
	end
	return true
end

-- The names to ask for, in this order: a name with few dots is one of a domain of the search list, if it can be.
local function candidates(name, search, ndots)
	local list = {}
	for _, domain in ipairs(search) do
		local longer = name .. "." .. domain
		if is_valid(longer) then
			list[#list + 1] = longer
		end
	end
	local _, dots = string.gsub(name, "%.", "")
	table.insert(list, dots >= ndots and 1 or #list + 1, name)
	return list
end

---------------------------------------------------------------- servers

local function current_settings()
	if chosen then
		return chosen
	end
	local path, now = M.DEFAULT_RESOLV_CONF, skynet.now()
	if not configured or configured.path ~= path or now - configured.read >= READ_AGAIN then
		configured = settings.resolver(path)
		configured.path, configured.read = path, now
	end
	if #configured.servers == 0 then
		configured = nil
		error "No name server is known: call dns.server first"
	end
	return configured
end

--- Sets the name server. Without it, those of resolv.conf are asked. Does not yield.
---@param address string?
---@param port integer? default 53
function M.server(address, port)
	chosen = address
		and {
			servers = { { address = address, port = port or 53 } },
			search = {},
			ndots = 1,
			timeout = TIMEOUT,
			attempts = ATTEMPTS,
			steady = true,
		}
	servers.close()
end

local function remember(kind, name, list, ttl)
	if cached_count >= MAX_CACHED then
		M.flush()
	end
	cached_count = cached_count + (cached[kind][name] and 0 or 1)
	cached[kind][name] = { list = list, best_before = skynet.now() + ttl * 100 }
end

-- The addresses of a name and how long they hold, also of one behind aliases. nil, true: no server has answered.
local function addresses_of(name, kind, how)
	local least
	for _ = 1, MAX_ALIASES do
		local answer = servers.ask(name, kind, how)
		if not answer then
			return nil, true
		end
		local list, ttl, alias = message.addresses(answer)
		least = ttl and math.min(least or ttl, ttl) or least
		if list then
			return list, least
		elseif not alias then
			return
		end
		name = alias
	end
end

---------------------------------------------------------------- the module

--- Looks up the addresses of a host. Yields.
---@param name string host name or address (which is returned)
---@param ipv6 boolean? true: IPv6 addresses, otherwise IPv4
---@return string? address, string[]|string|nil all nil and a message when the name is not valid. Raises when
--- the name is not known, or no server answers and nothing older is remembered
function M.resolve(name, ipv6)
	name = string.lower(name)
	local kind = ipv6 and message.AAAA or message.A
	local literal = kind_of(name)
	if literal then
		if literal ~= kind then
			return nil, "illegal ip address"
		end
		return name
	end
	local full = string.sub(name, -1) == "." -- nothing is appended to it
	local plain = full and string.sub(name, 1, -2) or name
	if not is_valid(plain) then
		return nil, "illegal name"
	end
	static = static or settings.hosts(M.DEFAULT_HOSTS, kind_of)
	local list = static[kind] and static[kind][plain]
	if list then
		return list[1], list
	end
	local known = cached[kind][name]
	if known and known.best_before > skynet.now() then
		return known.list[1], known.list
	end
	local how = current_settings()
	for _, candidate in ipairs(full and { plain } or candidates(plain, how.search, how.ndots)) do
		local found, more = addresses_of(candidate, kind, how)
		if found then
			remember(kind, name, found, more)
			return found[1], found
		elseif more then
			skynet.error(string.format("DNS query %s timeout", candidate))
			break
		end
	end
	if not known then
		error "timeout or no answer"
	end
	return known.list[1], known.list
end

return M
