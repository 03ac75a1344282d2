--- A client of MySQL and MariaDB. Tasks may share a connection: each query is answered before the next
--- one begins. It connects again by itself after it was lost; prepared statements and other state of the
--- session are gone then, but for what `on_connect` does. Transactions need a connection of their own:
--- see `pool`.
---
---     local db = mysql.connect { host = "127.0.0.1", user = "me", password = "...", database = "game" }
---     for _, row in ipairs(db:query "select id, name from players") do print(row.id, row.name) end
---
--- Results are what skynet.db.mysql.result says. An error of the server is a result with `badresult`,
--- `err`, `errno` and `sqlstate`; a lost connection raises `socketchannel.error`.

local socketchannel = require "skynet.socketchannel"
local arguments = require "skynet.db.mysql.arguments"
local charsets = require "skynet.db.mysql.charset"
local log_in = require "skynet.db.mysql.login"
local packet = require "skynet.db.mysql.packet"
local result = require "skynet.db.mysql.result"
local secure = require "skynet.db.mysql.tls"

-- The module has the methods of connections as well. Programs look at the version of the API.
---@class skynet.db.mysql
---@field private sockchannel skynet.socketchannel.Channel
---@field private version string
---@field private text_response function
---@field private statement_response function
---@field private binary_response function
local M = { _VERSION = "0.14" }
local connection = { __index = M }

-- Commands
local QUERY <const>, PING <const> = "\x03", "\x0e"
local PREPARE <const>, EXECUTE <const>, CLOSE <const>, RESET <const> = "\x16", "\x17", "\x19", "\x1a"

local DEFAULT_MAX_PACKET <const> = 1024 * 1024

local function request(self, payload, response)
	local bytes = packet.encode(payload, 0)
	if self.tls then
		self.sockchannel:connect(true) -- a new connection has other keys
		bytes = self.tls:seal(bytes)
	end
	return self.sockchannel:request(bytes, response)
end

--- Connects. Yields.
---
--- Fields of `options`: host, port (3306), user, password, database, charset (such as "utf8mb4"; default:
--- the server's), max_packet_size (what the server is told, 1 MiB; packets of up to 64 MiB are taken from it, or up to this if it
--- is more), max_result_size (bytes of the answer to a query, each row with 64 more, each value with 16: 1 GiB), compact_arrays (rows as lists),
--- on_connect(db) (run after each log-in); overload, connect_timeout, request_timeout (see skynet.socketchannel); tls (true, or a context of
--- http.tlshelper.newctx with settings; the server has to have it); for accounts with caching_sha2_password without
--- tls: server_public_key (PEM; default: the server is asked for it), get_server_public_key (false: it is not).
---@param options table
---@return skynet.db.mysql connection. Raises when it fails
function M.connect(options)
	local charset = options.charset and charsets[options.charset] or 0
	if options.charset and charset == 0 then
		error("mysql: unknown charset " .. tostring(options.charset), 2)
	end
	local self = setmetatable({ compact = options.compact_arrays }, connection)
	local login = {
		user = options.user or "",
		password = options.password or "",
		database = options.database or "",
		charset = charset,
		max_packet_size = options.max_packet_size or DEFAULT_MAX_PACKET,
		server_public_key = options.server_public_key,
		get_server_public_key = options.get_server_public_key,
	}
	local tls = options.tls and secure.new(options.tls, options.host)
	self.tls = tls
	local limits = result.limits(options)
	self.text_response = function(sock)
		return result.read(sock, result.text_row, self.compact, limits)
	end
	self.statement_response = function(sock)
		return result.read_statement(sock, limits)
	end
	self.binary_response = function(sock)
		local ok, value = result.read(sock, result.binary_row, self.compact, limits)
		value.mulitresultset = value.multiresultset -- the name it has had for `execute`
		return ok, value
	end
	self.sockchannel = socketchannel.channel {
		host = options.host,
		port = options.port or 3306,
		overload = options.overload,
		connect_timeout = options.connect_timeout,
		request_timeout = options.request_timeout,
		nodelay = true,
		answers_only = not tls, -- that sends some of its own
		socket_read = tls and function(sock, n)
			return tls:read(sock[1], n) or error(socketchannel.error)
		end,
		auth = function(channel)
			if tls then
				tls:forget()
			end
			self.version = log_in(channel, login, tls)
			if options.on_connect then
				options.on_connect(self)
			end
		end,
	}
	self.sockchannel:connect(true)
	return self
end

--- A pool of connections: see skynet.db.pool. Does not yield.
---@param options table as for `connect`, and `size`, `timeout` of the pool
---@return skynet.db.pool.Pool pool
function M.pool(options)
	return require "skynet.db.pool".new {
		size = options.size,
		timeout = options.timeout,
		open = function()
			return M.connect(options)
		end,
		close = function(connection)
			connection:disconnect()
		end,
	}
end

--- Closes the connection; the object cannot be used any more. Yields.
function M:disconnect()
	self.sockchannel:close()
	setmetatable(self, nil)
end

--- Runs one or several statements. Yields.
---@param sql string
---@return table result
function M:query(sql)
	return request(self, QUERY .. sql, self.text_response)
end

--- Asks whether the server is there. Yields.
---@return table result
function M:ping()
	return request(self, PING, self.text_response)
end

--- Prepares a statement, with ? for its arguments. It belongs to this connection. Yields.
---@param sql string
---@return table statement for `execute`, or an error
function M:prepare(sql)
	return request(self, PREPARE .. sql, self.statement_response)
end

--- Runs a prepared statement. Yields.
---@param statement table
---@param ... nil|boolean|number|string
---@return table result. Raises when the number or a type of the arguments is wrong
function M:execute(statement, ...)
	local values = table.pack(...)
	if values.n ~= statement.param_count then
		error("require stmt.param_count " .. tostring(statement.param_count) .. " get arg_num " .. values.n)
	end
	local payload = EXECUTE .. string.pack("<I4BI4", statement.prepare_id, 0, 1)
	if values.n > 0 then
		payload = payload .. arguments(values)
	end
	return request(self, payload, self.binary_response)
end

--- Forgets what was sent in parts for a prepared statement. Yields.
---@param statement table of `prepare`
---@return table result
function M:stmt_reset(statement)
	return request(self, RESET .. string.pack("<I4", statement.prepare_id), self.text_response)
end

--- Frees a prepared statement. Does not wait for the server.
---@param statement table of `prepare`
function M:stmt_close(statement)
	request(self, CLOSE .. string.pack("<I4", statement.prepare_id))
end

--- The version of the server.
---@return string
function M:server_ver()
	return self.version
end

--- Whether rows are lists (true), or tables by the names of their columns.
---@param compact boolean
function M:set_compact_arrays(compact)
	self.compact = compact
end

local escapes = {
	["\0"] = "\\0",
	["\b"] = "\\b",
	["\n"] = "\\n",
	["\r"] = "\\r",
	["\t"] = "\\t",
	["\26"] = "\\Z",
	["\\"] = "\\\\",
	["'"] = "\\'",
	['"'] = '\\"',
}

--- A string as a literal of SQL. Does not yield.
---@param text string
---@return string
function M.quote_sql_str(text)
	return "'" .. string.gsub(text, "[\0\b\n\r\t\26\\'\"]", escapes) .. "'"
end

return M
