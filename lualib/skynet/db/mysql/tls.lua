--- TLS on the connection of a MySQL client, which begins in the middle of the log-in.

local socket = require "skynet.socket"

local M = {}
M.__index = M

--- Does not yield.
---@param context userdata|true of http.tlshelper.newctx; true: a new one, which verifies nothing
---@param host string name of the server
---@return table
function M.new(context, host)
	local helper = require "http.tlshelper" -- few need it
	return setmetatable({
		helper = helper,
		context = context == true and helper.newctx() or context,
		host = host,
	}, M)
end

--- The handshake on a connection; what is read and sealed from now on belongs to it. Yields, raises.
---@param fd integer
function M:begin(fd)
	self.session = self.helper.newtls("client", self.context, self.host)
	self.helper.init_requestfunc(fd, self.session)()
	self.fd, self.reader = fd, self.helper.readfunc(fd, self.session)
	local rest = self.session:write "" -- what the handshake has left to send
	if rest ~= "" then
		socket.write(fd, rest)
	end
end

--- Reads n bytes. Yields.
---@return string? nil when the connection ends
function M:read(fd, n)
	if fd ~= self.fd then -- not yet
		return socket.read(fd, n)
	end
	local ok, bytes = pcall(self.reader, n)
	return ok and bytes or nil
end

--- Encrypts once the handshake is done; the result has to be sent before the next one. Does not yield.
---@param bytes string
---@return string
function M:seal(bytes)
	return self.session and self.session:write(bytes) or bytes
end

--- A new connection begins without TLS. Does not yield.
function M:forget()
	self.fd, self.session, self.reader = nil, nil, nil
end

return M
