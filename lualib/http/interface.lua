--- Connections as the table of functions that the HTTP modules work with, plain or with TLS:
---   read(n), write(bytes), readall()
---   ended()          when `read` has raised: whether the peer has just closed
---   init(hostname)   TLS: the handshake, yields; nil for plain connections
---   close()          TLS: frees the state, after the socket is closed; nil for plain connections

local skynet = require "skynet"
local socket = require "skynet.socket"
local sockethelper = require "http.sockethelper"

local M = {}
local client_context, server_context

-- Who sends faster than its input is handled is not read from meanwhile: after so many bytes at a time.
local BULK <const> = 16 * 1024

local function paced(id, read, write)
	return sockethelper.register(function(n)
		local bytes = read(n)
		if #bytes >= BULK then
			socket.hold(id)
		end
		return bytes
	end, id, write)
end

local function plain(id)
	local write = sockethelper.writefunc(id)
	return {
		read = paced(id, sockethelper.readfunc(id), write),
		write = write,
		readall = sockethelper.readallfunc(id),
		ended = function()
			return sockethelper.ended(id)
		end,
	}
end

local function secure(id, session, init)
	local tls = require "http.tlshelper"
	local write = tls.writefunc(id, session)
	return {
		init = init(id, session),
		close = tls.closefunc(session),
		read = paced(id, tls.readfunc(id, session), write),
		write = write,
		readall = tls.readallfunc(id, session),
		ended = function()
			return sockethelper.ended(id)
		end,
	}
end

--- For a connection to a server. Does not yield.
---@param id integer
---@param use_tls boolean
---@param hostname string? name that the server's certificate is for
---@param context userdata? of TLS; nil: one that verifies nothing
function M.client(id, use_tls, hostname, context)
	if not use_tls then
		return plain(id)
	end
	local tls = require "http.tlshelper"
	if not context then
		client_context = client_context or tls.newctx()
		context = client_context
	end
	return secure(id, tls.newtls("client", context, hostname), tls.init_requestfunc)
end

--- For a connection that was accepted. The certificate is named by the node's settings `certfile` and
--- `keyfile`. Does not yield.
---@param id integer
---@param use_tls boolean
function M.server(id, use_tls)
	if not use_tls then
		return plain(id)
	end
	local tls = require "http.tlshelper"
	if not server_context then
		local context = tls.newctx()
		context:set_cert(skynet.getenv "certfile" or "./server-cert.pem", skynet.getenv "keyfile" or "./server-key.pem")
		server_context = context
	end
	return secure(id, tls.newtls("server", server_context), tls.init_responsefunc)
end

return M
