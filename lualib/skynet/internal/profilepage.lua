--- `GET /profile` on the metrics port: a profile for some seconds. It costs what a profile costs and shows the names of functions, so it is
--- for operators: with the dashboard's password, or without one from this machine; never for a page in a browser that
--- comes from elsewhere.
---
--- Parameters: `seconds` (1 to 30, 10 by default), `service` (an address or a name) or `script`, else the node; `hz`;
--- `format` (`svg`, `folded` or `top`).

local skynet = require "skynet"
local urllib = require "http.url"
local browsers = require "skynet.internal.browsers"
local flamegraph = require "skynet.internal.flamegraph"
local printable = require "skynet.internal.printable"
local profilerun = require "skynet.internal.profilerun"

local MOST_SECONDS <const> = 30
local own_names = browsers.names(skynet.getenv "dashboard_host")

local function is_this_machine(address)
	local host = string.match(address, "^(.*):%d+$") or address
	host = string.gsub(string.gsub(host, "[%[%]]", ""), "^::ffff:", "")
	return host == "::1" or string.find(host, "^127%.%d+%.%d+%.%d+$") ~= nil
end

local function refuse(code, problem)
	return code, problem .. "\n", { ["content-type"] = "text/plain; charset=utf-8" }
end

local function refusal(request, dashboard)
	if dashboard and dashboard.has_password() then
		return dashboard.refusal(request)
	end
	local header = request.header
	local foreign = browsers.refusal({
		host = header.host,
		origin = header.origin,
		["sec-fetch-site"] = header["sec-fetch-site"],
	}, own_names)
	if foreign then
		return 403, foreign .. " (dashboard_host has further names of this machine)"
	elseif not is_this_machine(request.address) then
		return 403, "from another machine a profile needs the dashboard_password"
	end
end

local TITLES <const> = { node = "the node", script = "all services of %s", service = "service %s" }

local PARAMETERS <const> = { seconds = true, service = true, script = true, hz = true, format = true }

-- What is asked for: options of a profile, seconds, format, title; or nil and why not.
local function wishes(target)
	local _, text = urllib.parse(target)
	local ok, query = pcall(urllib.parse_query, text or "")
	if not ok then
		return nil, "the parameters cannot be read"
	end
	for key, value in pairs(query) do
		if type(value) ~= "string" then
			return nil, "a parameter comes twice"
		elseif not PARAMETERS[key] then
			return nil, "there is no parameter " .. printable(key) .. ": seconds, service or script, hz, format"
		end
	end
	if query.service and query.script then
		return nil, "a profile is of a service or of a script"
	end
	local seconds, hz = tonumber(query.seconds or "10"), math.tointeger(tonumber(query.hz or "100"))
	if not seconds or not (seconds >= 1 and seconds <= MOST_SECONDS) then
		return nil, string.format("seconds is 1 to %d", MOST_SECONDS)
	elseif not hz then
		return nil, "hz is a number"
	end
	local format = query.format or "svg"
	if format ~= "svg" and format ~= "folded" and format ~= "top" then
		return nil, "format is svg, folded or top"
	end
	local kind = query.service and "service" or query.script and "script" or "node"
	local options = { service = query.service, script = query.script, node = kind == "node", hz = hz }
	return options, seconds, format, string.format(TITLES[kind], query[kind] and printable(query[kind]))
end

local M = {}

--- Answers a request. Yields for as long as the profile takes.
---@param request { method: string, target: string, header: table, address: string }
---@param dashboard table? the dashboard, if there is one
---@return integer code
---@return string body
---@return table header
function M.answer(request, dashboard)
	if request.method ~= "GET" then
		local code, text, header = refuse(405, "Only GET")
		header.allow = "GET"
		return code, text, header
	end
	local code, problem = refusal(request, dashboard)
	if code then
		return refuse(code, problem)
	end
	local options, seconds, format, title = wishes(request.target)
	if not options then
		return refuse(400, seconds)
	end
	skynet.error(string.format("profile: %s asks for %g s of %s", request.address, seconds, title))
	local ok, stacks = pcall(profilerun.run, options, seconds)
	if not ok then
		stacks = string.gsub(tostring(stacks), "^.-profile_start: ", "")
		local busy = string.find(stacks, "runs already", 1, true)
		return refuse(busy and 409 or 400, stacks)
	end
	local header = {
		["content-type"] = "text/plain; charset=utf-8",
		["x-content-type-options"] = "nosniff",
		["cache-control"] = "no-store",
	}
	if format == "svg" then
		header["content-type"] = "image/svg+xml"
		-- Its own script, and nothing of this port.
		header["content-security-policy"] =
			"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts allow-modals"
		stacks = flamegraph(stacks, string.format("CPU time of %s, %g s", title, seconds))
	elseif format == "top" then
		stacks = profilerun.top(stacks, options.hz) .. "\n"
	end
	return 200, stacks, header
end

return M
