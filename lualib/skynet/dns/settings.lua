--- What the system says about host names: resolv.conf(5) and hosts(5).

local M = {}

-- As of the C library: more than these are cut down.
local MAX_SERVERS <const>, MAX_NDOTS <const>, MAX_TIMEOUT <const>, MAX_ATTEMPTS <const> = 3, 15, 30, 5
local PORT <const> = 53

local ENOENT <const>, EACCES <const>, ENOTDIR <const> = 2, 13, 20

-- Raises when there is a file that cannot be read for another reason than that it may not be: there may be too many open ones, and
-- names must not be looked up elsewhere because of that.
local function lines_of(path)
	if not path then
		return function() end
	end
	local file, problem, code = io.open(path)
	local text = file and file:read "a" or ""
	if file then
		file:close()
	elseif code ~= ENOENT and code ~= EACCES and code ~= ENOTDIR then
		error("dns: " .. problem, 0)
	end
	return string.gmatch(text, "[^\n]+")
end

local function words_of(text)
	local words = {}
	for word in string.gmatch(text, "%S+") do
		words[#words + 1] = word
	end
	return words
end

-- Domains are appended to names: no dots at their ends, none that is the root.
local function domains_of(text)
	local domains = {}
	for _, word in ipairs(words_of(string.lower(text))) do
		domains[#domains + 1] = string.match(word, "^%.*(.-)%.*$")
	end
	for i = #domains, 1, -1 do
		if domains[i] == "" then
			table.remove(domains, i)
		end
	end
	return domains
end

-- "address", or as in OpenBSD "[address]:port".
local function server_of(text)
	local address, port = string.match(text, "^%[(.-)%]:(%d+)$")
	return { address = address or text, port = math.tointeger(port) or PORT }
end

local limits <const> = { ndots = MAX_NDOTS, timeout = MAX_TIMEOUT, attempts = MAX_ATTEMPTS }
local least <const> = { ndots = 0, timeout = 1, attempts = 1 }

local function set_options(settings, text)
	for _, option in ipairs(words_of(text)) do
		local name, value = string.match(option, "^(%a+):(%d+)$")
		if limits[name] then
			settings[name] = math.min(math.max(math.tointeger(value) or limits[name], least[name]), limits[name])
		elseif option == "rotate" then
			settings.rotate = true
		elseif option == "use-vc" then
			settings.by_tcp = true
		end
	end
end

local keywords = {
	nameserver = function(settings, value)
		local first = words_of(value)[1]
		if first and #settings.servers < MAX_SERVERS then
			table.insert(settings.servers, server_of(first))
		end
	end,
	search = function(settings, value)
		settings.search = domains_of(value)
	end,
	domain = function(settings, value)
		settings.search = { domains_of(value)[1] }
	end,
	options = set_options,
}

--- Reads resolv.conf(5), and LOCALDOMAIN and RES_OPTIONS of the environment. Does not yield.
---@param path string|false
---@return table settings { servers = list of { address =, port = }, search = domains, ndots =, timeout = in seconds,
--- attempts =, rotate =, by_tcp = }
function M.resolver(path)
	local settings = { servers = {}, search = {}, ndots = 1, timeout = 5, attempts = 2 }
	for line in lines_of(path) do
		-- Comments begin in the first column; behind an address of a server they have always been accepted here.
		local keyword, value = string.match(line, "^%s*(%a+)%s+([^#;]*)")
		local set = keywords[keyword]
		if set then
			set(settings, value)
		end
	end
	local domains = os.getenv "LOCALDOMAIN"
	if domains then
		settings.search = domains_of(domains)
	end
	set_options(settings, os.getenv "RES_OPTIONS" or "")
	return settings
end

--- Reads hosts(5): an address and the names it has; # begins a comment. Does not yield.
---@param path string|false
---@param kind_of fun(address: string): integer?
---@return table hosts kind -> name -> list of addresses
function M.hosts(path, kind_of)
	local hosts = {}
	for line in lines_of(path) do
		local address, names = string.match(line, "^%s*([%x.:]+)%s+([^#;]+)")
		local kind = address and kind_of(address)
		if kind then
			hosts[kind] = hosts[kind] or {}
			for name in string.gmatch(string.lower(names), "%S+") do
				local list = hosts[kind][name] or {}
				hosts[kind][name] = list
				list[#list + 1] = address
			end
		end
	end
	return hosts
end

return M
