--- A HTTP/1.1 client. Each request has a connection of its own, unless `keepalive` says otherwise.
---
---     local code, body = httpc.get("http://127.0.0.1:8001", "/path", received)
---
--- A service that asks others much makes a client of its own, whose connections are counted and kept:
---
---     local api = httpc.new { timeout = 500, keepalive = 3000, per_host = 32 }
---     local code, body = api.get("https://example.com", "/path")
---
--- A host is written `name`, `name:port`, `http://name:port` or `https://...`; IPv6 as `[address]:port`.

local argument = require "http.argument"
local clients = require "http.client"

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

local default = clients.new(M)

local known <const> = { -- settings of a client
	timeout = true,
	keepalive = true,
	limit = true,
	tls = true,
	per_host = true,
	total = true,
	waiting = true,
	wait_time = true,
}

--- Looks names up with skynet.dns from now on, and not with the C library. Does not yield.
---@param server string? nil: as configured on this machine
---@param port integer?
function M.dns(server, port)
	clients.dns(server, port)
end

---------------------------------------------------------------- requests

--- Sends a request and reads the response. Yields.
---@param method string
---@param host string
---@param target string path and query
---@param received table? receives the header of the response
---@param header table<string, string>? more fields to send
---@param content string?
---@return integer code, string body. Raises, `sockethelper.socket_error` for a lost connection
function M.request(method, host, target, received, header, content)
	return clients.request(default, method, host, target, received, header, content)
end

--- Asks for the header only. Yields.
---@param host string as for `request`
---@param target string path and query
---@param received table? receives the header of the response
---@param header table<string, string>? more fields to send
---@param content string?
---@return integer code
function M.head(host, target, received, header, content)
	return (clients.request(default, "HEAD", host, target, received, header, content))
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
	return clients.request_stream(default, method, host, target, received, header, content)
end

--- request("GET", ...). Yields.
---@param ... any host, target, received, header, content: as for `request`
---@return integer code, string body
function M.get(...)
	return clients.request(default, "GET", ...)
end

--- Sends a form. Yields.
---@param host string
---@param target string
---@param form table<string, any>
---@param received table?
---@return integer code, string body
function M.post(host, target, form, received)
	local content, header = clients.form(form)
	return clients.request(default, "POST", host, target, received, header, content)
end

--- The events of a server (server-sent events), as an iterator that connects again when the connection is lost:
--- `for event in httpc.events(url) do print(event.data) end`. Does not yield; the iterator does.
---@param url string
---@param options table? see [http.eventsource](#httpeventsource)
---@return http.eventsource.EventSource source
function M.events(url, options)
	local source = require "http.eventsource".new(M, url, options) -- no tail call: who makes a mistake is told where
	return source
end

---------------------------------------------------------------- clients

--- What the connections of this service do, as numbers; of a client: its own. Does not yield.
---@return table stats active, idle: connections; waiting: callers that wait for one; created, reused: how often; retried: requests
--- that were sent once more, for the server had closed; expired: connections that were idle for too long, or closed by the server;
--- refused, timed_out: callers that did not get one; hosts: server -> { active, idle, waiting }
function M.stats()
	return default.pool:stats()
end

--- Makes a client: connections of its own, and settings of its own. It has the functions `request`, `head`, `get`, `post`,
--- `request_stream`, `events` and `stats` of httpc, and `close()`, which closes its idle connections and ends it. Does not yield.
---@param settings table? timeout, keepalive (3000 by default; false: none is kept), limit, tls: as those of httpc; per_host, total:
--- the most connections (0, the default: any); waiting: the most callers that wait for one (1000); wait_time: how long, in 1/100 s (by
--- default as timeout)
---@return table client
function M.new(settings)
	local own = { keepalive = 3000 }
	argument.check(settings or own, "table", "httpc.new: settings")
	for name, value in pairs(settings or {}) do
		if not known[name] then
			error(string.format("httpc.new: there is no setting %s", tostring(name)), 2)
		elseif name ~= "tls" and value and type(value) ~= "number" then
			error(string.format("httpc.new: %s is a number, not %s", name, tostring(value)), 2)
		end
		own[name] = value
	end
	local client = clients.new(own)
	local functions = {}
	function functions.request(...)
		return clients.request(client, ...)
	end
	function functions.head(...)
		return (clients.request(client, "HEAD", ...))
	end
	function functions.request_stream(...)
		return clients.request_stream(client, ...)
	end
	function functions.get(...)
		return clients.request(client, "GET", ...)
	end
	function functions.post(host, target, form, received)
		local content, header = clients.form(form)
		return clients.request(client, "POST", host, target, received, header, content)
	end
	function functions.events(url, options)
		local source = require "http.eventsource".new(functions, url, options) -- no tail call: who makes a mistake is told where
		return source
	end
	function functions.stats()
		return client.pool:stats()
	end
	function functions.close()
		client.pool:close()
	end
	return functions
end

return M
