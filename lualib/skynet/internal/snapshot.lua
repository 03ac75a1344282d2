--- One look at the whole node, as a line of JSON: what `snapshot` of the debug console answers. Nothing is asked of services but,
--- if it is wanted, of clusterd: so a look costs little, and a service that is stuck is shown like any other.

local skynet = require "skynet"
local core = require "skynet.core"
local json = require "skynet.internal.json"

local PATIENCE <const> = 100 -- 1/100 s

local function results(ok, first, ...)
	if ok and type(first) == "table" then
		return first, ...
	end
end

local function ask(service, ...)
	return results(pcall(skynet.call_timeout, PATIENCE, service, "lua", ...))
end

-- What is known of the other nodes, as text; nil when there is no cluster, or it does not answer.
local function cluster_text()
	local service = skynet.localname ".service"
	local services = service and ask(service, "LIST")
	local clusterd = services and services.clusterd
	if type(clusterd) ~= "string" then
		return
	end
	local nodes, discovery, addresses, callers, own = ask(clusterd, "overview")
	local incoming = {}
	for fd, from in pairs(callers or {}) do
		incoming[tostring(fd)] = from
	end
	return nodes
		and json.encode {
			nodes = nodes,
			discovery = discovery,
			addresses = addresses,
			incoming = incoming,
			own = json.list(own or {}),
		}
end

---@param ... string "sockets": with a list of all of them; "cluster": with what is known of other nodes
---@return string
return function(...)
	local parts = {}
	for _, part in ipairs { ... } do
		parts[part] = true
	end
	local text = core.command("SNAPSHOT", parts.sockets and "sockets" or "") or error("this core has no snapshots", 0)
	local cluster = parts.cluster and cluster_text()
	return cluster and string.format('%s,"cluster":%s}', string.sub(text, 1, -2), cluster) or text
end
