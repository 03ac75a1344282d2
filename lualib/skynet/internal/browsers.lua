--- Tells the requests of web pages from those that an operator makes: a page that a user opens in a browser can send
--- requests to every port that his machine reaches, and must not give orders to a node. What a browser sends with them, and no
--- page can leave out:
---
--- * `Sec-Fetch-Site` (not to all addresses): only "none", typed by the user, and "same-origin" are let in
--- * `Origin`, with every POST and everything that reads the answer: has to be the console's own
--- * `Host`: a page of a name that is led to this machine (DNS rebinding) has a foreign one. No stranger can lead a name
---   without a dot to here
--- * `User-Agent`: browsers that say nothing of the above have at least this

local M = {}

local LOCAL <const> = { ["localhost."] = true }

-- The name in "name:port", "[address]:port", without the port.
local function name_of(host)
	return string.match(host, "^(%b[]):%d*$") or string.lower(string.match(host, "^([^%[:][^:]*)") or host)
end

local function is_address(name)
	return string.find(name, "^%[[%x:.]+%]$") or string.find(name, "^%d+%.%d+%.%d+%.%d+$")
end

local function system_name()
	local file = io.open "/proc/sys/kernel/hostname"
	local name = file and file:read "l"
	if file then
		file:close()
	end
	return name and string.lower(name)
end

local own = system_name()

-- Whether a page that was loaded from that address could be one of this port.
local function is_own_name(host, names)
	local name = name_of(host)
	return not string.find(name, ".", 1, true) or LOCAL[name] or is_address(name) or name == own or names[name] or false
end

local function one(value)
	return type(value) == "string" and value or nil
end

--- Why a request is refused, nil when it is not.
---@param header table of httpd.read_request
---@param names table<string, any> further names of this machine, in lower case
---@param origins table<string, any>? from which its pages come besides, as behind a proxy: see `origins`
---@return string?
function M.refusal(header, names, origins)
	local host = header.host
	if host ~= nil and not (one(host) and is_own_name(host, names)) then
		return "the Host is not this machine"
	end
	local site = header["sec-fetch-site"]
	if site ~= nil and site ~= "none" and site ~= "same-origin" then
		return "it comes from a web page"
	end
	local origin = header.origin
	local is_own = origin == nil or host ~= nil and origin == "http://" .. host
	if not is_own and not (origins and one(origin) and origins[string.lower(origin)]) then
		return "the Origin is another one"
	end
	local agent = header["user-agent"]
	if site == nil and agent ~= nil and not (one(agent) and not string.find(agent, "^%s*Mozilla/")) then
		return "it comes from a browser"
	end
end

--- A list of names, "a b", as a table of them.
---@param text string?
---@return table<string, true>
function M.names(text)
	local names = {}
	for name in string.gmatch(string.lower(text or ""), "[^%s,]+") do
		names[name] = true
	end
	return names
end

--- Origins, "https://ops.example.com https://...", as a table of them, and the names of their hosts as another. Raises for what is
--- none.
---@param text string?
---@return table<string, true> origins, table<string, true> names
function M.origins(text)
	local origins, names = {}, {}
	for origin in string.gmatch(string.lower(text or ""), "[^%s,]+") do
		local host = string.match(origin, "^https?://([^/?#@]+)$")
		if not host then
			error(string.format("'%s' is no origin, which is as 'https://ops.example.com', without a path", origin), 0)
		end
		origins[origin], names[name_of(host)] = true, true
	end
	return origins, names
end

return M
