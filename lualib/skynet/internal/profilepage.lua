--- `GET /profile` on the metrics port: a profile for some seconds. It costs what a profile costs and shows the names of functions, so it is
--- for operators: with the dashboard's password, or without one from this machine; never for a page in a browser that
--- comes from elsewhere.
---
--- Parameters: `seconds` (1 to 30, 10 by default), `service` (an address or a name) or `script`, else the node; `kind` (`cpu`, `alloc` or
--- `held`); `hz` of CPU time, `every` of allocations; `format` (`svg`, `folded` or `top`).

local skynet = require "skynet"
local urllib = require "http.url"
local access = require "skynet.internal.access"
local printable = require "skynet.internal.printable"
local profilerate = require "skynet.internal.profilerate"
local profilerun = require "skynet.internal.profilerun"

local MOST_SECONDS <const> = 30

local TITLES <const> = { node = "the node", script = "all services of %s", service = "service %s" }
local PARAMETERS <const> = {
	seconds = true,
	service = true,
	script = true,
	kind = true,
	hz = true,
	every = true,
	format = true,
}

local function refuse(code, problem)
	return code, problem .. "\n", { ["content-type"] = "text/plain; charset=utf-8" }
end

local function whole(text)
	return math.tointeger(tonumber(text))
end

-- The parameters of a request, or nil and what is wrong with them.
local function parameters(target)
	local _, text = urllib.parse(target)
	local ok, query = pcall(urllib.parse_query, text or "")
	if not ok then
		return nil, "the parameters cannot be read"
	end
	for key, value in pairs(query) do
		if type(value) ~= "string" then
			return nil, "a parameter comes twice"
		elseif not PARAMETERS[key] then
			return nil,
				"there is no parameter " .. printable(key) .. ": seconds, service or script, kind, hz, every, format"
		end
	end
	return query
end

-- What is asked for: what to take, or nil and what is wrong with it.
local function wishes(query)
	local seconds, kind, format = tonumber(query.seconds or "10"), query.kind or "cpu", query.format or "svg"
	if query.service and query.script then
		return nil, "a profile is of a service or of a script"
	elseif not seconds or not (seconds >= 1 and seconds <= MOST_SECONDS) then
		return nil, string.format("seconds is 1 to %d", MOST_SECONDS)
	elseif not profilerun.KINDS[kind] then
		return nil, "kind is cpu, alloc or held"
	elseif query.hz and (kind ~= "cpu" or not whole(query.hz)) then
		return nil, "hz is a number, for kind=cpu"
	elseif query.every and (kind == "cpu" or not whole(query.every)) then
		return nil, "every is a number of bytes, for kind=alloc and held"
	elseif format ~= "svg" and format ~= "folded" and format ~= "top" then
		return nil, "format is svg, folded or top"
	end
	local of = query.service and "service" or query.script and "script" or "node"
	return {
		kind = kind,
		seconds = seconds,
		format = format,
		name = string.format(TITLES[of], query[of] and printable(query[of])),
		options = {
			service = query.service,
			script = query.script,
			node = of == "node",
			hz = whole(query.hz) or profilerate.HZ,
			every = whole(query.every),
		},
	}
end

local function shown(wish, stacks, used)
	local header = {
		["content-type"] = "text/plain; charset=utf-8",
		["x-content-type-options"] = "nosniff",
		["cache-control"] = "no-store",
	}
	if wish.format == "top" then
		return 200, profilerun.top(wish.kind, stacks, wish.options.hz, used) .. "\n", header
	elseif wish.format == "svg" then
		header["content-type"] = "image/svg+xml"
		-- Its own script, and nothing of this port.
		header["content-security-policy"] =
			"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts allow-modals"
		stacks = profilerun.flamegraph(wish.kind, stacks, wish.name, wish.seconds, wish.options.hz, used)
	end
	return 200, stacks, header
end

access.read_config()

local M = {}

--- Answers a request. Yields for as long as the profile takes.
---@param request { method: string, target: string, header: table, address: string }
---@return integer code
---@return string body
---@return table header
function M.answer(request)
	if request.method ~= "GET" then
		local code, text, header = refuse(405, "Only GET")
		header.allow = "GET"
		return code, text, header
	end
	local code, problem = access.refusal_of_cost(request, "a profile")
	if code then
		return refuse(code, problem)
	end
	local query, wish
	query, problem = parameters(request.target)
	if query then
		wish, problem = wishes(query)
	end
	if not wish then
		return refuse(400, problem)
	end
	skynet.error(
		string.format("profile: %s asks for %g s of %s, %s", request.address, wish.seconds, wish.name, wish.kind)
	)
	local ok, stacks, _, used = pcall(profilerun.take, wish.kind, wish.options, wish.seconds)
	if not ok then
		local busy = string.find(stacks, "runs already", 1, true)
		return refuse(busy and 409 or 400, stacks)
	end
	return shown(wish, stacks, used)
end

return M
