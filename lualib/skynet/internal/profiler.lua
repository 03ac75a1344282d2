--- `profile_start` and `profile_stop`. Loaded by the first call.

local core = require "skynet.core"
local skynet = require "skynet"
local folded = require "skynet.internal.folded"
local rate = require "skynet.internal.profilerate"

---@class (partial) skynet
local api = {}

local of_allocations = false -- the profile that this service has begun

-- The parameter of the command PROFILE.
local function words(options)
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
	if options.allocations then
		return string.format("allocations %s %s", options.every or 0, target)
	end
	return string.format("start %s %s", options.hz or rate.HZ, target)
end

--- Begins to sample where the CPU time goes, or, with `allocations`, where Lua code allocates memory: of this service, of another one,
--- of all services of a script, or of the node. One profile at a time in a node; it ends with the service that has begun it. Does
--- not yield. Raises when there is one already. How to read it: docs/profiling.md.
---@param options { service: integer|string?, script: string?, node: boolean?, hz: integer?, allocations: boolean?, every: integer? }?
--- `service`: a handle or a name, this service by default; `script`: a name as for `newservice`; `node`: everything; `hz`: samples for
--- each second of CPU time, 1 to 1000, 100 by default; `every`: bytes between two samples of allocations, on an average, 256 or more; by
--- default 1 KiB at first and up to 512 KiB the more samples there are
function api.profile_start(options)
	options = options or {}
	local answer = core.command("PROFILE", words(options))
	if answer ~= "1" then
		error("profile_start: " .. (answer or "this core has no profiler"), 2)
	end
	of_allocations = options.allocations and true or false
end

--- Ends the profile that this service has begun. Does not yield. Raises when there is none.
---@return string stacks lines `frame;frame;frame SAMPLES`, or BYTES that were allocated, from the outermost frame on: what tools for
--- flame graphs read
---@return string? held of a profile of allocations: the same lines with what was not freed yet
function api.profile_stop()
	local stacks = core.command("PROFILE", "stop") or error("profile_stop: this service has begun no profile", 2)
	if of_allocations then
		return folded.split(stacks)
	end
	return stacks
end

return api
