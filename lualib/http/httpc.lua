--- A HTTP/1.1 client. Each request has a connection of its own, unless `keepalive` says otherwise.
---
---     local code, body = httpc.get("http://127.0.0.1:8001", "/path", received)
---
--- A host is written `name`, `name:port`, `http://name:port` or `https://...`; IPv6 as `[address]:port`.

local skynet = require "skynet"
local dns = require "skynet.dns"
local sockethelper = require "http.sockethelper"
local fields = require "http.fields"
local internal = require "http.internal"
local interfaces = require "http.interface"
local pool = require "http.pool"

---@class http.httpc
local M = {
	--- Time-out of connecting, and of the request and its response, each; 1/100 s; nil: none.
	timeout = nil,
	--- How long a connection is kept for the next request to the same server; 1/100 s; nil: not at all.
	keepalive = nil,
	--- The most bytes of a body that `request` takes; what is larger raises; nil: any.
	limit = nil,
	--- TLS context (see http.tlshelper) of the `https` connections of this service; nil: one that verifies nothing.
	tls = nil,
}

local default_ports = { http = 80, https = 443 }
local use_dns = false

--- Looks names up with skynet.dns from now on, and not with the C library. Does not yield.
---@param server string? nil: as configured on this machine
---@param port integer?
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

-- Connects. Returns the interface, with `id` and `authority`, the value of the Host field.
local function connect(url, timeout)
	local protocol, host, port, is_name, authority = split_url(url)
	local key = protocol .. "://" .. authority
	local interface = pool.take(key, close)
	if interface then
		interface.used = true
		limit_time(interface, timeout)
		return interface
	end
	local address = host
	if is_name and use_dns then
		local problem
		address, problem = dns.resolve(host)
		if not address then
			error(string.format("%s dns resolve failed msg:%s", host, problem))
		end
	end
	local id = sockethelper.connect(address, port, timeout)
	local name = (is_name or M.tls) and host or nil -- addresses are only verified
	local ok
	ok, interface = pcall(interfaces.client, id, protocol == "https", name, M.tls)
	if not ok then
		sockethelper.close(id)
		error(interface, 0)
	end
	interface.id, interface.authority, interface.key = id, authority, key
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
local function leave(interface, code, sent, received)
	local time = M.keepalive
	if time and persists(interface, code, sent, received) then
		interface.request = nil
		if pool.put(interface.key, interface, time, close) then
			return
		end
	end
	close(interface)
end

-- What to raise for a problem of a connection.
local function explain(interface, problem, timeout)
	if interface.expired and problem == sockethelper.socket_error then
		return problem(string.format("no answer from %s within %s s", interface.authority, timeout / 100))
	end
	return problem
end

-- Connects and calls `exchange`. Where the server has closed a connection that was used before, it is done again.
local function attempt(method, host, exchange)
	local timeout = M.timeout
	while true do
		local interface = connect(host, timeout)
		interface.answered = false
		local ok, first, second = pcall(exchange, interface)
		if ok then
			return interface, first, second
		end
		local again = interface.used
			and not interface.answered
			and not interface.expired
			and first == sockethelper.socket_error
			and idempotent[method]
		close(interface)
		if not again then
			error(explain(interface, first, timeout), 0)
		end
	end
end

--- Sends a request and reads the response. Yields.
---@param method string
---@param host string
---@param target string path and query
---@param received table? receives the header of the response
---@param header table<string, string>? more fields to send
---@param content string?
---@return integer code, string body. Raises, `sockethelper.socket_error` for a lost connection
function M.request(method, host, target, received, header, content)
	received = received or {}
	local interface, code, body = attempt(method, host, function(interface)
		interface.limit = M.limit
		local code, rest = internal.request(interface, method, interface.authority, target, received, header, content)
		return code, internal.response(interface, code, rest, received, method)
	end)
	leave(interface, code, header, received)
	return code, body
end

--- Asks for the header only. Yields.
---@param host string as for `request`
---@param target string path and query
---@param received table? receives the header of the response
---@param header table<string, string>? more fields to send
---@param content string?
---@return integer code
function M.head(host, target, received, header, content)
	return (M.request("HEAD", host, target, received, header, content))
end

--- `request` with the body as a stream (http.stream). `timeout` ends with the header. Yields.
---@param method string
---@param host string as for `request`
---@param target string path and query
---@param received table? receives the header of the response
---@param header table<string, string>? more fields to send
---@param content string?
---@return http.stream.Stream stream
function M.request_stream(method, host, target, received, header, content)
	received = received or {}
	local interface, code, stream = attempt(method, host, function(interface)
		local code, rest = internal.request(interface, method, interface.authority, target, received, header, content)
		return code, internal.response_stream(interface, code, rest, received, method)
	end)
	interface.request = nil
	stream._onclose = function(ended)
		interface.rest, interface.persists = ended._rest, ended.connected == nil
		leave(interface, code, header, received)
	end
	return stream
end

--- request("GET", ...). Yields.
---@param ... any host, target, received, header, content: as for `request`
---@return integer code, string body
function M.get(...)
	return M.request("GET", ...)
end

local function escape(text)
	return (string.gsub(text, "[^%w_]", function(char)
		return string.format("%%%02X", string.byte(char))
	end))
end

--- Sends a form. Yields.
---@param host string
---@param target string
---@param form table<string, any>
---@param received table?
---@return integer code, string body
function M.post(host, target, form, received)
	local fields = {}
	for name, value in pairs(form) do
		fields[#fields + 1] = escape(tostring(name)) .. "=" .. escape(tostring(value))
	end
	return M.request(
		"POST",
		host,
		target,
		received,
		{ ["content-type"] = "application/x-www-form-urlencoded" },
		table.concat(fields, "&")
	)
end

return M
