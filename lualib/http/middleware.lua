--- Middleware for http.router that comes with it.
---
---     local middleware = require "http.middleware"
---     app:use(middleware.access_log(), middleware.json_errors())
---     local api = app:group("/api", middleware.cors { origins = { "https://example.com" } })

local skynet = require "skynet"
local answers = require "http.answers"
local clients = require "http.clients"
local fields = require "http.fields"
local optionlists = require "http.options"
local phrases = require "http.phrases"

---@class http.middleware
local M = {}

---------------------------------------------------------------- the log

local function size_of(request, body, header)
	local length = header and answers.field(header, "content-length")
	if length then
		return length
	elseif type(body) == "string" and request.method ~= "HEAD" then
		return #body
	end
	return "-"
end

--- A line for each request, when its answer is made: address, request line, code, bytes of the body ("-": not known yet), seconds
--- that the handler took.
---
---     127.0.0.1:50612 "GET /users/7 HTTP/1.1" 200 31 0.004
---
--- What raises is logged as 500. Does not yield.
---@param options table? write: fun(line: string, facts: table) for each; nil: skynet.error. The facts are address, method, target,
--- version, route, code, bytes, seconds
---@return fun(request: table, next: fun())
function M.access_log(options)
	options = optionlists.check("access_log", options, { "write" })
	local write = options.write or function(line)
		skynet.error(line)
	end
	local function log(request, began, code, body, header)
		local facts = {
			address = request.address,
			method = request.method,
			target = request.target,
			version = request.version,
			route = request.route,
			code = code,
			bytes = size_of(request, body, header),
			seconds = (skynet.hpc() - began) / 1e9,
		}
		local text = string.format(
			'%s "%s %s HTTP/%s" %s %s %.3f',
			facts.address or "-",
			facts.method,
			string.gsub(clients.shown(facts.target), '"', "\\x22"),
			facts.version or "-",
			code or "-",
			facts.bytes,
			facts.seconds
		)
		write(text, facts)
	end
	return function(request, next)
		local began = skynet.hpc()
		local ok, code, body, header = pcall(next)
		log(request, began, not ok and 500 or code, ok and body or nil, ok and header or nil)
		if not ok then
			error(code, 0)
		end
		return code, body, header
	end
end

---------------------------------------------------------------- other origins

local function origin_check(origins)
	if origins == nil or origins == "*" then
		return nil
	elseif type(origins) == "function" then
		return origins
	elseif type(origins) == "string" then
		origins = { origins }
	elseif type(origins) ~= "table" then
		error("cors: origins is '*', a list as { 'https://example.com' } or a function", 3)
	end
	local known = {}
	for _, origin in ipairs(origins) do
		if type(origin) ~= "string" or not string.find(origin, "^%a[%w+.-]*://[^/]+$") then
			error(
				string.format(
					"cors: '%s' is no origin, which is as 'https://example.com', without a path",
					tostring(origin)
				),
				3
			)
		end
		known[string.lower(origin)] = true
	end
	return function(origin)
		return known[string.lower(origin)]
	end
end

local function list(value)
	return type(value) == "table" and table.concat(value, ", ") or value
end

local function vary(header, name)
	local former = answers.field(header, "vary")
	former = list(former)
	answers.set(header, "vary", former and former ~= "" and former .. ", " .. name or name)
end

--- Lets pages of other origins use what is behind it (CORS). It answers the browser's question before a request (OPTIONS with
--- `Access-Control-Request-Method`) itself. Does not yield.
---@param options table? origins: "*" (the default), a list, or fun(origin: string, request: table): boolean; methods, headers: lists
--- that are allowed (by default whatever is asked for); expose: fields that a page may read; credentials: whether cookies are sent,
--- not with "*"; max_age: seconds for which the browser does not ask again
---@return fun(request: table, next: fun())
function M.cors(options)
	options =
		optionlists.check("cors", options, { "origins", "methods", "headers", "expose", "credentials", "max_age" })
	local is_allowed = origin_check(options.origins)
	if options.credentials and not is_allowed then
		error("cors: credentials need a list of origins: any page could act for its visitor otherwise", 2)
	end
	local methods, headers, expose = list(options.methods), list(options.headers), list(options.expose)

	local function allow(request, header)
		local origin = request:get "origin"
		if is_allowed then
			vary(header, "Origin")
		end
		if not origin or (is_allowed and not is_allowed(origin, request)) then
			return false
		end
		answers.set(header, "access-control-allow-origin", is_allowed and origin or "*")
		if options.credentials then
			answers.set(header, "access-control-allow-credentials", "true")
		end
		return true
	end

	local function preflight(request, wanted)
		local header = {}
		if allow(request, header) then
			header["access-control-allow-methods"] = methods or wanted
			header["access-control-allow-headers"] = headers or request:get "access-control-request-headers"
			header["access-control-max-age"] = options.max_age
		end
		vary(header, "Access-Control-Request-Method, Access-Control-Request-Headers")
		return 204, nil, header
	end

	return function(request, next)
		local wanted = request.method == "OPTIONS" and request:get "access-control-request-method"
		if wanted and request:get "origin" then
			return preflight(request, wanted)
		end
		local code, body, header = next()
		if code and allow(request, header) and expose then
			answers.set(header, "access-control-expose-headers", expose)
		end
		return code, body, header
	end
end

---------------------------------------------------------------- errors, limits

--- Makes `{ "error": "...", "status": 404 }` of answers from 400 on that are text, such as those of the router itself. Does not yield.
---@return fun(request: table, next: fun())
function M.json_errors()
	return function(_, next)
		local code, body, header = next()
		if not code or code < 400 or not (body == nil or type(body) == "string") then
			return code, body, header
		end
		local kind = answers.field(header, "content-type")
		if kind ~= nil and not string.find(tostring(kind), "^text/plain") then
			return code, body, header
		end
		local text = string.match(body or "", "^.*%S") or ""
		if text == "" then
			text = phrases[code] or tostring(code)
		elseif not fields.utf8(text) then
			text = clients.shown(text)
		end
		answers.set(header, "content-type", nil)
		answers.set(header, "content-length", nil)
		return code, { error = text, status = code }, header
	end
end

--- Answers larger bodies with 413, where less is enough than the server takes. Does not yield.
---@param most integer bytes
---@return fun(request: table, next: fun())
function M.body_limit(most)
	if math.type(most) ~= "integer" or most < 0 then
		error("body_limit: a number of bytes is expected, not " .. tostring(most), 2)
	end
	return function(request, next)
		request:limit(most)
		return next()
	end
end

return M
