-- Requests to etcd (3.4 or later) by its JSON gateway: several endpoints, of which the first that answers is used until it fails;
-- TLS; a user with a password. One client for a service, as it sets up http.httpc.

local crypt = require "skynet.crypt"
local httpc = require "http.httpc"
local json = require "skynet.internal.json"
local answers = require "skynet.cluster.etcd.answer"
local printable = require "skynet.internal.printable"
local lines_of = require "skynet.cluster.etcd.lines"

local M = {}

local PATIENCE <const> = 200 -- 1/100 s for a connection, and for an answer
local KEEPALIVE <const> = 3000 -- 1/100 s that an unused connection is kept
local MAX_ANSWER <const> = 128 * 1024 * 1024 -- bytes
local SHOWN <const> = 200 -- bytes of an answer that makes no sense, in the log

-- Codes of gRPC.
local DEADLINE <const>, EXHAUSTED <const>, UNAVAILABLE <const>, UNAUTHENTICATED <const> = 4, 8, 14, 16
local INVALID <const> = 3
M.NOT_FOUND = 5

-- Another endpoint may do better.
local elsewhere <const> = { [DEADLINE] = true, [EXHAUSTED] = true, [UNAVAILABLE] = true }

---@class skynet.cluster.etcd.Client
local Client = {}
Client.__index = Client

local function tls_context(files)
	local ok, tls = pcall(require, "http.tlshelper")
	if not ok then
		error("cluster_discovery: etcds:// needs enablessl = true in the config", 0)
	end
	local context = tls.newctx()
	context:set_verify(files.ca or true)
	if files.cert then
		context:set_cert(files.cert, files.key or files.cert)
	end
	return context
end

--- Makes a client; connects later. Does not yield.
---@param description table of skynet.cluster.url
---@param files { ca: string?, cert: string?, key: string? } for TLS
---@return skynet.cluster.etcd.Client
function M.new(description, files)
	httpc.timeout, httpc.keepalive, httpc.limit = PATIENCE, KEEPALIVE, MAX_ANSWER
	if description.tls then
		httpc.tls = tls_context(files)
	end
	local endpoints = {}
	for i, endpoint in ipairs(description.endpoints) do
		local host = string.find(endpoint.host, ":", 1, true) and "[" .. endpoint.host .. "]" or endpoint.host
		endpoints[i] = string.format("%s://%s:%d", description.tls and "https" or "http", host, endpoint.port)
	end
	return setmetatable({
		endpoints = endpoints,
		current = math.random(#endpoints), -- many nodes spread over them
		user = description.user,
		password = description.password,
		-- token: of the log-in
	}, Client)
end

-- Bytes as the gateway has them.
M.bytes = crypt.base64encode

local function reason_of(problem)
	return type(problem) == "string" and problem or tostring(problem)
end

-- The next request goes to another endpoint than this one.
local function leave(self, endpoint)
	if self.current == endpoint then
		self.current = endpoint % #self.endpoints + 1
	end
end

local function exchange(self, endpoint, path, body)
	local code, answer = httpc.request("POST", self.endpoints[endpoint], path, nil, {
		["content-type"] = "application/json",
		authorization = self.token,
	}, body)
	local ok, message = pcall(json.decode, answer)
	if not ok or type(message) ~= "table" then
		error(string.format("HTTP %d and no JSON: is that etcd's client port?", code), 0)
	end
	if code == 200 then
		return answers.from(message, self.endpoints[endpoint], "its answer to " .. path)
	end
	local text = message.message or message.error
	return nil,
		{
			code = message.code or message.grpc_code,
			message = type(text) == "string" and text or string.format("HTTP %d: %s", code, printable(answer, SHOWN)),
		}
end

local function is_old_token(fault)
	return fault.code == UNAUTHENTICATED or (fault.code == INVALID and string.find(fault.message, "auth store is old"))
end

-- A password that is wrong is so at every endpoint.
local function log_in(self, endpoint)
	local body = json.encode { name = self.user, password = self.password }
	self.token = nil
	local answer, fault = exchange(self, endpoint, "/v3/auth/authenticate", body)
	if not answer then
		error(string.format("user %s cannot log in: %s", self.user, fault.message), 0)
	end
	self.token = answers.text(answer, "token")
end

local function exchange_as_user(self, endpoint, path, body)
	if self.user and not self.token then
		log_in(self, endpoint)
	end
	local answer, fault = exchange(self, endpoint, path, body)
	if not answer and self.user and is_old_token(fault) then
		log_in(self, endpoint)
		answer, fault = exchange(self, endpoint, path, body)
	end
	return answer, fault
end

--- Sends a request, to each endpoint until one answers. Yields.
---@param path string
---@param request table
---@return table? answer nil when etcd refuses it
---@return { code: integer, message: string }? fault. Raises when no endpoint answers
function Client:ask(path, request)
	local body, problem, tried = json.encode(request), nil, nil
	for _ = 1, #self.endpoints do
		local endpoint = self.current
		local ok, answer, fault = pcall(exchange_as_user, self, endpoint, path, body)
		if ok and (answer or not elsewhere[fault.code]) then
			return answer, fault
		end
		problem, tried = ok and fault.message or answer, self.endpoints[endpoint]
		leave(self, endpoint)
	end
	error(string.format("etcd at %s: %s", tried, reason_of(problem)), 0)
end

--- `ask` for what etcd has no reason to refuse: raises also then. Yields.
---@param path string
---@param request table
---@return table answer
function Client:need(path, request)
	local answer, fault = self:ask(path, request)
	if not answer then
		error(string.format("etcd refuses %s: %s", path, fault.message), 0)
	end
	return answer
end

---------------------------------------------------------------- watches

local Watch = {}
Watch.__index = Watch

local function from_watch(self, message)
	return answers.from(message, self.endpoint, "a message of its watch")
end

--- The next message of etcd. Yields. Raises when the connection ends.
---@return table result { header =, events =, created =, canceled =, compact_revision = }
function Watch:next()
	local line = self.lines:next()
	if not line then
		error(string.format("etcd at %s has ended the watch", self.endpoint), 0)
	end
	local ok, message = pcall(json.decode, line)
	if not ok or type(message) ~= "table" then
		local shown = printable(line, SHOWN)
		error(string.format("etcd at %s: a message of its watch is no object of JSON: %s", self.endpoint, shown), 0)
	elseif message.error then
		local fault = message.error
		local reason = type(fault) == "table" and fault.message or fault
		reason = printable(type(reason) == "string" and reason or line, SHOWN)
		error(string.format("etcd at %s: %s", self.endpoint, reason), 0)
	end
	local result = message.result == nil and {} or answers.object(from_watch(self, message), "result")
	return from_watch(self, result)
end

--- Ends it from another task: `next` raises. Does not yield.
function Watch:shutdown()
	self.stream:shutdown()
end

--- Yields.
function Watch:close()
	self.stream:close()
end

Watch.__close = Watch.close

--- Opens a watch at the present endpoint. Yields. Raises when that does not answer: the next one goes to another.
---@param request table create_request
---@return table watch
function Client:watch(request)
	local endpoint = self.current
	local where = self.endpoints[endpoint]
	local ok, stream = pcall(function()
		if self.user and not self.token then
			log_in(self, endpoint)
		end
		return httpc.request_stream("POST", where, "/v3/watch", nil, {
			["content-type"] = "application/json",
			authorization = self.token,
		}, json.encode { create_request = request })
	end)
	if not ok then
		leave(self, endpoint)
		error(string.format("etcd at %s: %s", where, reason_of(stream)), 0)
	elseif stream.status ~= 200 then
		stream:close()
		self.token = nil
		leave(self, endpoint)
		error(string.format("etcd at %s: HTTP %d for a watch", where, stream.status), 0)
	end
	local lines = lines_of(function()
		local piece = stream:padding()
		return (piece ~= "" or stream.connected) and piece or nil
	end)
	return setmetatable({ stream = stream, endpoint = where, lines = lines }, Watch)
end

--- The present endpoint has let a watch down: the next request goes to another one. Does not yield.
function Client:move_on()
	leave(self, self.current)
end

--- For logs. Does not yield.
---@return string
function Client:where()
	return self.endpoints[self.current]
end

-- The first key behind all that begin with `prefix`.
function M.behind(prefix)
	return string.sub(prefix, 1, -2) .. string.char(string.byte(prefix, -1) + 1)
end

return M
