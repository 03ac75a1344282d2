--- CPU time that what a profile is of has used so far, as the core counts it. Asks nothing of services.

local skynet = require "skynet"
local core = require "skynet.core"
local json = require "skynet.internal.json"

local function of_node()
	return tonumber(string.match("\n" .. core.command "METRICS", "\ncpu (%S+)\n"))
end

local function of_service(service)
	if type(service) == "string" and string.sub(service, 1, 1) == "." then
		service = skynet.localname(service)
	end
	local address = type(service) == "number" and skynet.address(service) or service
	for handle, cpu in string.gmatch(core.command "SERVICES", "(%S+) %S+ %d+ %d+ (%S+) %d+\n") do
		if handle == address then
			return tonumber(cpu)
		end
	end
end

-- The script of a Lua service, or the module of one in C, as profiles tell them apart.
local function script_of(text)
	local title = string.find(text, "\\", 1, true) and json.decode('"' .. text .. '"') or text
	local module, script = string.match(title, "^(%S+)%s*(%S*)")
	return module == "snlua" and script ~= "" and script or module
end

local function of_script(name)
	local sum, found = 0, false
	local pattern <const> = '"name":"([^\n]-)","mqlen":%d+,"message":%d+,"cpu":([^,}]+)'
	for title, cpu in string.gmatch(core.command("SNAPSHOT", "") or "", pattern) do
		if script_of(title) == name then
			sum, found = sum + tonumber(cpu), true
		end
	end
	return found and sum or nil
end

--- Seconds so far; nil when no such service lives.
---@param options { service: integer|string?, script: string?, node: boolean? } as for `skynet.profile_start`
---@return number?
return function(options)
	if options.script then
		return of_script(options.script)
	elseif options.service then
		return of_service(options.service)
	end
	return of_node()
end
