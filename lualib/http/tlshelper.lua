--- TLS over a skynet socket: functions like those of http.sockethelper, with a TLS session between.

local socket = require "skynet.socket"
local sockethelper = require "http.sockethelper"
local tls = require "ltls.c"

---@class http.tlshelper
local M = {}

--- newctx() -> context: certificates and settings that sessions share.
---@return userdata
function M.newctx()
	return tls.newctx()
end

--- A session.
---@param role "client"|"server"
---@param context userdata
---@param hostname string? client: name of the server
---@return userdata
function M.newtls(role, context, hostname)
	return tls.newtls(role, context, hostname)
end

local function shake_hands(session, read, write, bytes)
	while not session:finished() do
		local answer = session:handshake(bytes)
		if answer then
			write(answer)
		end
		if session:finished() then
			break
		end
		bytes = read()
	end
end

--- A function that does the client's handshake; it yields and raises.
---@param id integer
---@param session table of a TLS context (ltls.c)
---@return fun(hostname: string?)
function M.init_requestfunc(id, session)
	local read, write = sockethelper.readfunc(id), sockethelper.writefunc(id)
	return function(hostname)
		if hostname then
			session:set_ext_host_name(hostname)
		end
		shake_hands(session, read, write)
	end
end

--- A function that does the server's handshake; it yields and raises.
---@param id integer
---@param session table of a TLS context (ltls.c)
---@return fun()
function M.init_responsefunc(id, session)
	local read, write = sockethelper.readfunc(id), sockethelper.writefunc(id)
	return function()
		shake_hands(session, read, write, read())
		local rest = session:write() -- what the handshake has left to send
		if rest then
			write(rest)
		end
	end
end

--- A function that frees the session.
---@param session table of a TLS context (ltls.c)
---@return fun()
function M.closefunc(session)
	return function()
		session:close()
	end
end

-- Whether the peer has said that nothing follows; its connection may stay open all the same. The
-- module in C of older trees cannot tell.
local function ended(session)
	return session.ended and session:ended()
end

--- A function that reads what the peer has sent: read(n) for n bytes, read() for some. It yields.
---@param id integer
---@param session table of a TLS context (ltls.c)
---@return fun(n: integer?): string
function M.readfunc(id, session)
	local read = sockethelper.readfunc(id)
	-- The handshake may have taken in data as well: the first turn asks only for that.
	local next_bytes = function()
		return ""
	end
	local function decrypted()
		if not ended(session) then
			local bytes = next_bytes()
			next_bytes = read
			local plain = session:read(bytes)
			if plain ~= "" or not ended(session) then
				return plain
			end
		end
		error(sockethelper.socket_error("TLS connection ended fd = " .. id))
	end
	local text = ""
	return sockethelper.register(function(n)
		if n == nil then
			local result = text
			text = ""
			return result ~= "" and result or decrypted()
		end
		if #text < n then
			local parts, size = { text }, #text
			while size < n do
				local part = decrypted()
				parts[#parts + 1] = part
				size = size + #part
			end
			text = table.concat(parts)
		end
		local result = string.sub(text, 1, n)
		text = string.sub(text, n + 1)
		return result
	end, id, M.writefunc(id, session))
end

--- A function that sends a string. It does not yield.
---@param id integer
---@param session table of a TLS context (ltls.c)
---@return fun(bytes: string)
function M.writefunc(id, session)
	local write = sockethelper.writefunc(id)
	return function(bytes)
		return write(session:write(bytes))
	end
end

--- A function that reads until the peer closes or says that nothing follows. It yields.
---@param id integer
---@param session table of a TLS context (ltls.c)
---@return fun(): string
function M.readallfunc(id, session)
	return function()
		local parts = { session:read "" }
		while not ended(session) do
			local bytes, _, problem = socket.read(id)
			if problem then
				error(sockethelper.socket_error(string.format("read failed fd = %s: %s", id, problem)))
			elseif not bytes then
				break
			end
			parts[#parts + 1] = session:read(bytes)
		end
		return table.concat(parts)
	end
end

return M
