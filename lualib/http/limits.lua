--- What a peer may take of a node: each limit has a default that no honest peer meets, a config key, and a
--- field of the options of the function that it is for. Numbers of the config may end in k, m or g; times
--- are seconds there, and 1/100 s in options. 0: no limit.

local argument = require "http.argument"
local skynet = require "skynet"

local M = {}

local KB <const>, MB <const> = 1024, 1024 * 1024
local units = { k = KB, m = MB, g = 1024 * MB }

-- name of the option -> config key, default
local sizes = {
	http = {
		header = { "http_header_limit", 16 * KB },
		fields = { "http_fields_limit", 256 },
		body = { "http_body_limit", 64 * MB },
		memory = { "http_memory", 512 * MB },
		connections = { "http_connections", 0 },
		per_address = { "http_connections_per_address", 0 },
		requests = { "http_requests", 0 },
	},
	websocket = {
		header = { "http_header_limit", 16 * KB },
		fields = { "http_fields_limit", 256 },
		message = { "websocket_message_limit", 256 * KB },
		received = { "websocket_client_message_limit", 64 * MB },
		memory = { "websocket_memory", 512 * MB },
		connections = { "websocket_connections", 0 },
		per_address = { "websocket_connections_per_address", 0 },
	},
}
local times = {
	http = {
		idle_time = { "http_idle_time", 75 },
		header_time = { "http_header_time", 30 },
		body_time = { "http_body_time", 60 },
	},
	websocket = {
		handshake_time = { "websocket_handshake_time", 30 },
		message_time = { "websocket_message_time", 60 },
		idle_time = { "websocket_idle_time", 0 },
		close_time = { "websocket_close_time", 2 },
	},
}

local function configured(key, default)
	local text = skynet.getenv(key)
	if not text then
		return default
	end
	local digits, unit = string.match(text, "^%s*([%d.]+)%s*([kmgKMG]?)%s*$")
	local number = tonumber(digits)
	if not number then
		error(string.format("config: %s = %s is not a number, as 500, 64k or 5m", key, text))
	end
	return math.floor(number * (units[string.lower(unit)] or 1))
end

local function unlimited(size)
	return size == 0 and math.maxinteger or size
end

local defaults = {}

-- The limits of the config for "http" or "websocket".
local function of_config(kind)
	local values = defaults[kind]
	if not values then
		values = {}
		for name, entry in pairs(sizes[kind]) do
			values[name] = unlimited(configured(entry[1], entry[2]))
		end
		for name, entry in pairs(times[kind]) do
			values[name] = configured(entry[1], entry[2]) * 100
		end
		defaults[kind] = values
	end
	return values
end

--- The limits that hold where a program has given these options. Does not yield.
---@param kind "http"|"websocket"
---@param options table?
---@return table limits to be read only. No limit: a time of 0, a size of math.maxinteger
function M.of(kind, options)
	local values = of_config(kind)
	if not options then
		return values
	end
	argument.check(options, "table", "options", 2)
	local held = {}
	for name, value in pairs(values) do
		local given = options[name]
		if given ~= nil then
			if math.type(given) ~= "integer" or given < 0 then
				error(string.format("option %s has to be a number of at least 0, not %s", name, tostring(given)), 3)
			end
			value = sizes[kind][name] and unlimited(given) or given
		end
		held[name] = value
	end
	return held
end

return M
