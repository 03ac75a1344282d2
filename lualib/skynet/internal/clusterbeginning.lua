--- What a caller sends first, for clusterlistener: until that has come as a whole, and is what nodes send, a connection costs a
--- socket and no service of its own. So it is until the caller has proved that it knows the secret, unless that is encrypted.
---
---     local bytes, is_proved = beginning.read(fd) -- nil: it has to be closed, and why if that is the caller's fault

local skynet = require "skynet"
local socket = require "skynet.socket"
local core = require "skynet.cluster.core"
local clustersecret = require "skynet.internal.clustersecret"
local clustertls = require "skynet.internal.clustertls"

local TELLING <const> = 3 -- bytes that tell TLS from packets; a packet with its length has as many at least
local MAX_RECORD <const> = 16384 + 256 -- bytes of a record of TLS
local PACKET_HEAD <const>, RECORD_HEAD <const> = 2, 5 -- bytes

local M = {}

-- Bytes whose first ones have come: the rest of `size`. Yields.
local function complete(fd, begun, size)
	if size <= #begun then
		return begun
	end
	local rest = socket.read(fd, size - #begun)
	return rest and begun .. rest
end

-- A packet with its length, whose first bytes may have come; nil: the connection has ended. Yields.
local function read_packet(fd, begun)
	begun = begun or socket.read(fd, TELLING)
	if not begun then
		return nil
	end
	local size = string.unpack(">I2", begun)
	if size == 0 then -- the third byte is of another packet, but this one is none already
		return string.sub(begun, 1, PACKET_HEAD)
	end
	return complete(fd, begun, PACKET_HEAD + size)
end

-- The greeting of TLS. Yields.
local function read_record(fd, begun)
	begun = complete(fd, begun, RECORD_HEAD)
	local size = begun and string.unpack(">I2", begun, TELLING + 1)
	if size and (size == 0 or size > MAX_RECORD) then
		return nil, string.format("TLS with the caller has failed: a first record of %d bytes", size)
	end
	return begun and complete(fd, begun, RECORD_HEAD + size)
end

-- What a packet asks for, as clustersecret wants it; or nil, and why it makes no sense.
local function parse(packet)
	local ok, address, session, msg, sz, more, is_push = pcall(core.unpackrequest, string.sub(packet, PACKET_HEAD + 1))
	if not ok then
		return nil, "it sends what is no request: " .. tostring(address)
	elseif address == "" and session then
		if msg then
			skynet.trash(msg, sz)
		end
		return nil, "it sends what is no request: an empty name"
	end
	return { address = address, session = session, msg = msg, sz = sz, more = more, is_push = is_push }
end

-- Why the caller has to go, once it has been told, unless the guard lets it pass. Yields.
local function pass(fd, guard, packet)
	while true do
		local request, fault = parse(packet)
		if not request then
			return fault
		elseif request.session and guard:take(request) then -- a trace tag has none
			return nil
		elseif guard.fault then
			return guard.fault
		end
		packet = read_packet(fd)
		if not packet then
			return "it has ended before it has shown the cluster_secret"
		end
	end
end

-- Nil: the caller may ask what it likes. Raises when the settings make no sense.
local function new_guard(fd)
	local function answer(session, ok, msg, sz)
		socket.write(fd, (core.packresponse(session, ok, msg, sz)))
	end
	if clustertls.is_on() then
		return clustersecret.refusal(
			"the called node takes TLS only (cluster_tls_cert), and the caller speaks none",
			answer
		)
	end
	local secret = clustersecret.secret()
	return secret and clustersecret.guard(secret, answer)
end

local function read(fd)
	local begun = socket.read(fd, TELLING)
	if not begun then
		return nil
	elseif clustertls.is_hello(begun) then
		if not clustertls.is_on() then
			return nil, "the caller speaks TLS, and this node has no cluster_tls_cert"
		end
		return read_record(fd, begun)
	end
	local packet = read_packet(fd, begun)
	if not packet then
		return nil
	end
	local guard = new_guard(fd)
	if guard then
		local fault = pass(fd, guard, packet)
		if fault then
			return nil, fault
		end
		return "", true
	end
	local request, fault = parse(packet)
	if not request then
		return nil, fault
	elseif request.msg then
		skynet.trash(request.msg, request.sz)
	end
	return packet, false
end

--- Reads from a connection that this service has started what tells that a node has called. Yields.
---@param fd integer
---@return string? bytes what a clusteragent has to begin with; nil: it has to be closed
---@return boolean|string|nil is_proved whether it has shown the secret; or why it has to be closed
function M.read(fd)
	local ok, bytes, result = pcall(read, fd)
	if ok then
		return bytes, result
	end
	return nil, tostring(bytes)
end

return M
