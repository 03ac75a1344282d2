--- TLS for the socket channels of a clustersender: the side that connects. See skynet.internal.clustertls.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local clustertls = require "skynet.internal.clustertls"

local M = {}

local Caller = {}
Caller.__index = Caller

-- What the link of a socket channel sends: a method.
function Caller.write(link, packets)
	return driver.send(link[1], link.tls:write(packets))
end

local function end_handshake(link, problem)
	link.tls_problem = problem
	if link.tls_waiter then
		skynet.wakeup(link.tls_waiter)
		link.tls_waiter = nil
	end
end

local function decrypt(link, bytes)
	local session = link.tls
	local ok, plain, output = pcall(session.feed, session, bytes)
	if not ok then
		if session.alert then
			driver.send(link[1], session.alert)
		end
		local problem = "TLS with it has failed: " .. clustertls.reason(plain)
		end_handshake(link, problem)
		error(problem, 0)
	end
	if output and output ~= "" then
		driver.send(link[1], output)
	end
	if session.is_open and link.tls_waiter then
		end_handshake(link)
	end
	return plain
end

-- What it reads: the task that reads answers also takes what the handshake needs. Yields. Raises when the connection has ended.
function Caller.read(link)
	if link.tls == nil then -- its files are read
		link.tls_reader = {}
		skynet.wait(link.tls_reader)
	end
	while true do
		local bytes = link.tls and socket.read(link[1])
		if not bytes then
			if link.tls and not link.tls.is_open then
				end_handshake(
					link,
					"it has closed the connection during the handshake of TLS: it may have no cluster_tls_cert"
				)
			end
			error(link.tls_problem or socketchannel.error, 0)
		end
		local plain = decrypt(link, bytes)
		if plain ~= "" then
			return plain
		end
	end
end

--- The handshake of a link whose node has this name. Yields. Raises when it fails.
---@param link table
---@param node string
function Caller:shake_hands(link, node)
	local ok, session = pcall(clustertls.client, node)
	link.tls = ok and session
	if link.tls_reader then
		skynet.wakeup(link.tls_reader)
	end
	if not ok then
		error(session, 0)
	end
	local _, hello = session:feed ""
	driver.send(link[1], hello)
	if not session.is_open and not link.closed then
		link.tls_waiter = {}
		skynet.wait(link.tls_waiter)
	end
	if link.tls_problem or not session.is_open then
		error(link.tls_problem or "the connection was lost during the handshake of TLS", 0)
	end
end

--- For the channels to a node: `read` and `write` are methods for its links. Does not yield.
---@return { read: function, write: function, shake_hands: function }
function M.new()
	return setmetatable({}, Caller)
end

--- A caller's handshake ends before the other side has looked at its certificate: so something is asked. Yields. Raises when the
--- other side refuses it.
---@param ask fun(name: string): any
function M.confirm(ask)
	local ok, why = pcall(ask, "cluster_tls 1")
	if not ok and not string.find(tostring(why), "name not found", 1, true) then
		local reason = type(why) == "table" and why.reason or why
		error("it does not accept the certificate of this node, or has closed: " .. tostring(reason), 0)
	end
end

return M
