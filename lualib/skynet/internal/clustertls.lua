--- TLS between the nodes of a cluster: both sides show a certificate of the same authority. Config keys `cluster_tls_cert`,
--- `cluster_tls_key` and `cluster_tls_ca` (PEM files), and `cluster_tls_names`: the called node's certificate has to have its name.
---
--- The files are read for each handshake: those that are renewed hold from the next connection on.
---
---     local session = clustertls.client("db")          -- or clustertls.server()
---     local plain, output, finished = session:feed(bytes)

local skynet = require "skynet"

local TRIES <const>, PAUSE <const> = 5, 20 -- files that are being renewed may not belong together for a moment; 1/100 s

local M = {}

-- Certificate, key and authorities; nil: there is no TLS.
local function files()
	local cert, key = skynet.getenv "cluster_tls_cert", skynet.getenv "cluster_tls_key"
	local ca = skynet.getenv "cluster_tls_ca"
	if (cert or key or ca) and not (cert and key and ca) then
		error("cluster: TLS needs all of cluster_tls_cert, cluster_tls_key and cluster_tls_ca in the config", 0)
	end
	return cert, key, ca
end

--- Whether the connections of this node are encrypted. Raises when the config has a part of it only. Does not yield.
---@return boolean
function M.is_on()
	return files() ~= nil
end

local function checks_names()
	local value = skynet.getenv "cluster_tls_names"
	return value ~= nil and value ~= "false" and value ~= "0"
end

local function new_context()
	local cert, key, ca = files()
	local ok, tls = pcall(require, "ltls.c")
	if not ok then
		error("cluster_tls_cert needs enablessl = true in the config", 0)
	end
	local context = tls.newctx()
	context:set_cert(cert, key)
	context:set_verify(ca, not checks_names())
	return context, tls
end

-- Yields while the files do not fit together. Raises when they do not at last.
local function load_context()
	for try = 1, TRIES do
		local ok, context, tls = pcall(new_context)
		if ok then
			return context, tls
		elseif try == TRIES then
			error("cluster: TLS: " .. tostring(context), 0)
		end
		skynet.sleep(PAUSE)
	end
end

--- The text of an error of TLS, without the place in this code. Does not yield.
---@param problem any
---@return string
function M.reason(problem)
	return (string.gsub(tostring(problem), "^%S+:%d+: ", ""))
end

---@class skynet.internal.clustertls.Session
local Session = {}
Session.__index = Session

--- Takes what the other side has sent. Raises when it cannot be TLS that this side accepts; `output` may then have to be sent. Does not
--- yield.
---@param bytes string "" at first: a client begins
---@return string plain, string? output to be sent
function Session:feed(bytes)
	local session = self.session
	if self.is_open then
		return session:read(bytes), nil
	end
	local ok, output = pcall(session.handshake, session, bytes)
	if not ok then
		local sent, alert = pcall(session.write, session)
		self.alert = sent and alert or nil
		error(output, 0)
	end
	if session:finished() then
		self.is_open = true
		output = (output or "") .. session:write()
		return session:read "", output
	end
	return "", output
end

--- Encrypts. Does not yield.
---@param packets string|string[]
---@return string
function Session:write(packets)
	return self.session:write(type(packets) == "table" and table.concat(packets) or packets)
end

--- For a connection that this node makes. May yield. Raises when the files cannot be used.
---@param node string its name
---@return skynet.internal.clustertls.Session
function M.client(node)
	local context, tls = load_context()
	return setmetatable({ session = tls.newtls("client", context, checks_names() and node or nil) }, Session)
end

--- For a connection to this node. May yield. Raises when the files cannot be used.
---@return skynet.internal.clustertls.Session
function M.server()
	local context, tls = load_context()
	return setmetatable({ session = tls.newtls("server", context) }, Session)
end

--- Whether the first bytes of a connection begin a handshake of TLS, and no packet. Packets whose length looks the same (5,635 bytes)
--- are of no kind that can come first when the next byte is 1 to 3, as it is in all versions of TLS; kind 0 is a request, and 4 a trace
--- tag. Does not yield.
---@param bytes string the first three at least
---@return boolean
function M.is_hello(bytes)
	return string.find(bytes, "^\x16\x03[\x01-\x03]") ~= nil
end

return M
