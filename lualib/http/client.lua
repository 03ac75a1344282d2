--- What httpc and its clients do: connecting, and requests over connections that may be kept.

local skynet = require "skynet"
local dns = require "skynet.dns"
local sockethelper = require "http.sockethelper"
local fields = require "http.fields"
local internal = require "http.internal"
local interfaces = require "http.interface"
local pools = require "http.pool"
local urls = require "http.url"

local M = {}

-- The most unused connections to one server, where nothing else is said.
local MOST_IDLE <const> = 16

local default_ports = { http = 80, https = 443 }
local use_dns = false

--- See httpc.dns.
function M.dns(server, port)
	use_dns = true
	dns.server(server, port)
end

---------------------------------------------------------------- connecting

local function is_ipv4(host)
	return string.find(host, "^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- Splits "host[:port]". Returns host, port, and whether the host is a name.
local function split_host(text)
	local address, port = string.match(text, "^%[(.-)%]:?(%d*)$")
	if address then
		return address, tonumber(port), false
	end
	local _, colons = string.gsub(text, ":", ":")
	if colons > 1 then
		error(string.format("Invalid host: bare IPv6 address '%s', use '[%s]' instead", text, text))
	end
	local name
	name, port = string.match(text, "^(.-):(%d+)$")
	name = name or text
	return name, tonumber(port), not is_ipv4(name)
end

-- Other clients take a whole URL: here it would be looked up as a name. Raises in the name of who has called the caller.
local function check_host(host)
	if type(host) ~= "string" and type(host) ~= "number" then
		error(string.format("httpc: the host is a string, as 'http://127.0.0.1:8001', not %s", tostring(host)), 3)
	elseif string.find(string.match(host, "^%a[%w+.-]*://(.*)$") or host, "[/?#]") then
		local text =
			"httpc: '%s' is more than a host; its path is an argument of its own: get('http://127.0.0.1:8001', '/path')"
		error(string.format(text, host), 3)
	end
end

local function split_url(url)
	local protocol, rest = string.match(url, "^(%a+)://(.*)$")
	protocol = protocol and string.lower(protocol) or "http"
	local authority = rest or url
	local default = default_ports[protocol] or error("Invalid protocol: " .. protocol)
	local host, port, is_name = split_host(authority)
	return protocol, host, port or default, is_name, authority
end

local function close(interface)
	interface.request = nil
	sockethelper.close(interface.id)
	if interface.close then
		interface.close()
		interface.close = nil
	end
end

-- Shuts the connection down when the request is not done by then: who reads gets an error, and closes.
local function limit_time(interface, timeout)
	local request = {}
	interface.request = request
	if timeout then
		skynet.timeout(timeout, function()
			if interface.request == request then
				interface.expired = true
				sockethelper.shutdown(interface.id)
			end
		end)
	end
end

local function resolve(host, is_name)
	if not (is_name and use_dns) then
		return host
	end
	local address, problem = dns.resolve(host)
	return address or error(string.format("%s dns resolve failed msg:%s", host, problem))
end

-- What a request has of the pool: a connection, or the right to make one. It goes back also when the task is killed.
local function give_up(lease)
	local key, interface = lease.key, lease.interface
	if key then
		lease.key, lease.interface = nil, nil
		if interface then
			skynet.fork(close, interface)
		end
		lease.pool:gone(key)
	end
end

local Lease <const>, OfStream <const> = { __close = give_up }, { __gc = give_up }

local function new_lease(client)
	return setmetatable({ pool = client.pool }, Lease)
end

-- Closes the connection of a lease.
local function drop(lease)
	close(lease.interface)
	local key = lease.key
	lease.key, lease.interface = nil, nil
	lease.pool:gone(key)
end

-- Makes a connection. Returns the interface.
local function open(lease, settings, protocol, host, port, is_name)
	local timeout = settings.timeout
	local id = sockethelper.connect(resolve(host, is_name), port, timeout)
	lease.interface = { id = id }
	local name = (is_name or settings.tls) and host or nil -- addresses are only verified
	local ok, interface = pcall(interfaces.client, id, protocol == "https", name, settings.tls)
	if not ok then
		sockethelper.close(id)
		error(interface, 0)
	end
	interface.id = id
	lease.interface = interface
	limit_time(interface, timeout)
	if interface.init then
		local problem
		ok, problem = pcall(interface.init, name)
		if not ok then
			close(interface)
			error(problem, 0)
		end
	end
	return interface
end

-- Takes a kept connection, or makes one. Returns the interface, with `id` and `authority`, the value of the Host field.
local function connect(client, lease, url, fresh)
	local settings, pool = client.settings, client.pool
	local protocol, host, port, is_name, authority = split_url(url)
	local key = protocol .. "://" .. authority
	local interface = pool:acquire(key, settings.wait_time or settings.timeout, fresh)
	lease.key, lease.interface = key, interface
	if interface then
		interface.used = true
		limit_time(interface, settings.timeout)
		return interface
	end
	local ok
	ok, interface = pcall(open, lease, settings, protocol, host, port, is_name)
	if not ok then
		lease.key, lease.interface = nil, nil
		pool:gone(key)
		error(interface, 0)
	end
	interface.authority = authority
	return interface
end

---------------------------------------------------------------- requests

-- Whether a request may be sent again when it is not known whether it has arrived (RFC 9110 §9.2.2).
local idempotent = { GET = true, HEAD = true, OPTIONS = true, TRACE = true, PUT = true, DELETE = true }

local function persists(interface, code, sent, received)
	if not interface.persists or interface.rest ~= "" or interface.withheld or code == 101 then
		return false
	end
	for name, value in pairs(sent or {}) do
		if string.lower(name) == "connection" and fields.has_item(value, "close") then
			return false
		end
	end
	if interface.version == "1.0" then
		return fields.has_item(received.connection, "keep-alive")
	end
	return not fields.has_item(received.connection, "close")
end

-- The end of an exchange: the connection is kept for the next one if it can be.
local function leave(client, lease, code, sent, received)
	local time, interface = client.settings.keepalive, lease.interface
	if time and persists(interface, code, sent, received) then
		interface.request = nil
		if lease.pool:give_back(lease.key, interface, time) then
			lease.key, lease.interface = nil, nil
			return
		end
	end
	drop(lease)
end

-- What to raise for a problem of a connection.
local function explain(interface, problem, timeout)
	if interface.expired and problem == sockethelper.socket_error then
		return problem(string.format("no answer from %s within %s s", interface.authority, timeout / 100))
	end
	return problem
end

-- Connects and calls `exchange`. Where the server has closed a connection that was used before, it is done once more, over a new one.
local function attempt(client, lease, method, host, exchange)
	local fresh = false
	while true do
		local interface = connect(client, lease, host, fresh)
		interface.answered = false
		local ok, first, second = pcall(exchange, interface)
		if ok then
			return first, second
		end
		local again = interface.used
			and not fresh
			and not interface.answered
			and not interface.expired
			and first == sockethelper.socket_error
			and idempotent[method]
		drop(lease)
		if not again then
			error(explain(interface, first, client.settings.timeout), 0)
		end
		fresh = true
		client.pool.counts.retried = client.pool.counts.retried + 1
	end
end

--- See httpc.request.
function M.request(client, method, host, target, received, header, content)
	check_host(host)
	received = received or {}
	local lease <close> = new_lease(client)
	local code, body = attempt(client, lease, method, host, function(interface)
		interface.limit = client.settings.limit
		local code, rest = internal.request(interface, method, interface.authority, target, received, header, content)
		return code, internal.response(interface, code, rest, received, method)
	end)
	leave(client, lease, code, header, received)
	return code, body
end

--- See httpc.request_stream.
function M.request_stream(client, method, host, target, received, header, content)
	check_host(host)
	received = received or {}
	local lease <close> = new_lease(client)
	local code, stream = attempt(client, lease, method, host, function(interface)
		local code, rest = internal.request(interface, method, interface.authority, target, received, header, content)
		return code, internal.response_stream(interface, code, rest, received, method)
	end)
	-- The stream has it from now on, and one that nobody has any more gives it back.
	local kept = setmetatable({ pool = lease.pool, key = lease.key, interface = lease.interface }, OfStream)
	lease.key, lease.interface = nil, nil
	kept.interface.request = nil
	stream._onclose = function(ended)
		kept.interface.rest, kept.interface.persists = ended._rest, ended.connected == nil
		leave(client, kept, code, header, received)
	end
	return stream
end

--- A form as content. Does not yield.
---@param form table<string, any>
---@return string content, table<string, string> header
function M.form(form)
	if type(form) ~= "table" then
		error(string.format("httpc: a form is a table of fields, not %s", tostring(form)), 3)
	end
	return urls.query(form), { ["content-type"] = "application/x-www-form-urlencoded" }
end

local function most(value, default)
	return (value == nil or value == 0) and default or value
end

--- Makes a client. Does not yield.
---@param settings table timeout, keepalive, limit, tls, wait_time: looked at with each request; per_host, total, waiting
---@return table client { settings, pool }
function M.new(settings)
	return {
		settings = settings,
		pool = pools.new({
			per_host = most(settings.per_host, math.huge),
			total = most(settings.total, math.huge),
			waiting = settings.waiting or 1000,
			idle = settings.per_host or MOST_IDLE,
		}, close),
	}
end

return M
