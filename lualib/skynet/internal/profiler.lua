--- `profile_start` and `profile_stop`. Loaded by the first call.

local core = require "skynet.core"
local skynet = require "skynet"

local HZ <const> = 100

---@class (partial) skynet
local api = {}

-- The parameter of the command PROFILE.
local function words(options)
	local hz = options.hz or HZ
	local target
	if options.node then
		target = "node"
	elseif options.script then
		if type(options.script) ~= "string" or not string.find(options.script, "^%S+$") then
			error("profile_start: script is the name of a script, as for skynet.newservice", 3)
		end
		target = "script " .. options.script
	else
		local service = options.service or skynet.self()
		target = type(service) == "number" and skynet.address(service) or service
		if type(target) ~= "string" or not string.find(target, "^[.:]%S+$") then
			error("profile_start: service is a handle or a name with a point", 3)
		end
	end
	return string.format("start %s %s", hz, target)
end

--- Begins to sample where the CPU time goes: of this service, of another one, of all services of a script, or of the node. One
--- profile at a time in a node; it ends with the service that has begun it. Does not yield. Raises when there is one already.
--- How to read it: docs/profiling.md.
---@param options { service: integer|string?, script: string?, node: boolean?, hz: integer? }? `service`: a handle or a name,
--- this service by default; `script`: a name as for `newservice`; `node`: everything; `hz`: samples for each second of CPU
--- time, 1 to 1000, 100 by default
function api.profile_start(options)
	local answer = core.command("PROFILE", words(options or {}))
	if answer ~= "1" then
		error("profile_start: " .. (answer or "this core has no profiler"), 2)
	end
end

--- Ends the profile that this service has begun. Does not yield. Raises when there is none.
---@return string stacks lines `frame;frame;frame SAMPLES`, from the outermost frame on: what tools for flame graphs read
function api.profile_stop()
	return core.command("PROFILE", "stop") or error("profile_stop: this service has begun no profile", 2)
end

return api
