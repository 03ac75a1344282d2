--- Looks up host names without blocking a thread: first in the hosts file, then by asking a name
--- server over UDP. Answers are kept for as long as the server allows.

local skynet = require "skynet"
local socket = require "skynet.socket"
local message = require "skynet.dns.message"

local M = {}

--- Files to read; false: none.
M.DEFAULT_HOSTS = "/etc/hosts"
M.DEFAULT_RESOLV_CONF = "/etc/resolv.conf"

-- In 1/100 s: when to give up, when to ask again (datagrams get lost), and how long an idle socket stays.
local TIMEOUT <const>, ASK_AGAIN <const>, IDLE <const> = 3000, 500, 6000
local MAX_NAME <const>, MAX_LABEL <const>, MAX_CACHED <const> = 255, 63, 10000

local static         -- kind -> name -> list, from the hosts file
local cached         -- kind -> name -> { list =, best_before = in 1/100 s }
local cached_count
local pending = {}   -- id -> { name =, kind =, answers = }
local server = {}    -- address, port, id of the socket, time of the last use

--- Forgets all answers. Does not yield.
function M.flush()
	cached = { [message.A] = {}, [message.AAAA] = {} }
	cached_count = 0
end

M.flush()

---------------------------------------------------------------- names

local function kind_of(name)
	if string.find(name, ":", 1, true) then
		return message.AAAA
	elseif string.find(name, "^[%d.]+$") then
		return message.A
	end
end

local function is_valid(name)
	if #name > MAX_NAME or not string.find(name, "^[%w_.-]+$") then
		return false
	end
	for label in string.gmatch(name, "[^.]+") do
		if #label > MAX_LABEL then
			return false
		end
	end
	return true
end

local function lines_of(path)
	local file = path and io.open(path)
	if not file then
		return function() end
	end
	return file:lines()
end

-- hosts(5): an address and the names it has; # begins a comment.
local function read_hosts()
	local hosts = { [message.A] = {}, [message.AAAA] = {} }
	for line in lines_of(M.DEFAULT_HOSTS) do
		local address, names = string.match(line, "^%s*([%x.:]+)%s+([^#;]+)")
		local kind = address and kind_of(address)
		if kind then
			for name in string.gmatch(string.lower(names), "%S+") do
				local list = hosts[kind][name] or {}
				hosts[kind][name] = list
				list[#list + 1] = address
			end
		end
	end
	return hosts
end

-- resolv.conf(5)
local function configured_server()
	for line in lines_of(M.DEFAULT_RESOLV_CONF) do
		local address = string.match(line, "^%s*nameserver%s+([^#;%s]+)")
		if address then
			return address
		end
	end
	error "No name server is known: call dns.server first"
end

---------------------------------------------------------------- the server

local function remember(answer)
	for _, kind in ipairs { message.A, message.AAAA } do
		local list = answer[kind]
		if list then
			if cached_count >= MAX_CACHED then
				M.flush()
			end
			cached_count = cached_count + (cached[kind][answer.name] and 0 or 1)
			cached[kind][answer.name] = { list = list, best_before = skynet.now() + answer.ttl * 100 }
		end
	end
end

local function on_datagram(bytes)
	local ok, answer = pcall(message.answer, bytes)
	if not ok then
		skynet.error("Recv an invalid package when dns query")
		return
	end
	local query = pending[answer.id]
	if query == nil then -- too late
		return
	elseif query.name ~= answer.name then
		skynet.error("Recv an invalid name when dns query")
		return
	end
	remember(answer)
	query.answers = answer[query.kind]
	query.done = true
	skynet.wakeup(query)
end

local function close_when_idle()
	local id = server.id
	skynet.timeout(IDLE, function()
		if server.id ~= id then
			return
		elseif skynet.now() - server.used < IDLE or next(pending) then
			close_when_idle()
		else
			server.id = nil
			socket.close(id)
			skynet.error(string.format("Udp server close %s:%s (%d)", server.address, server.port, id))
		end
	end)
end

local function send(bytes)
	server.used = skynet.now()
	if not server.id then
		server.address = server.address or configured_server()
		server.port = server.port or 53
		local id = socket.udp(on_datagram)
		local ok, problem = pcall(socket.udp_connect, id, server.address, server.port)
		if not ok then
			socket.close(id)
			error(problem, 0)
		end
		server.id = id
		skynet.error(string.format("Udp server open %s:%s (%d)", server.address, server.port, id))
		close_when_idle()
	end
	socket.write(server.id, bytes)
end

-- Ids that cannot be guessed make forged answers harder.
local function unused_id()
	for _ = 1, 100 do
		local id = math.random(0, 0xffff)
		if not pending[id] then
			return id
		end
	end
	error "too many DNS queries at once"
end

local function ask(name, kind)
	local id = unused_id()
	local query = { name = name, kind = kind }
	local question = message.question(id, name, kind)
	pending[id] = query
	local give_up = skynet.now() + TIMEOUT
	repeat
		local ok, problem = pcall(send, question)
		if not ok then
			pending[id] = nil
			error(problem, 0)
		end
		skynet.sleep(ASK_AGAIN, query)
	until query.done or skynet.now() >= give_up
	pending[id] = nil
	if not query.done then
		skynet.error(string.format("DNS query %s timeout", name))
	end
	return query.answers
end

---------------------------------------------------------------- the module

--- Sets the name server. Without it, the first one of resolv.conf is asked. Does not yield.
---@param address string?
---@param port integer? default 53
function M.server(address, port)
	local former = server.id
	server = { address = address, port = port or 53 }
	if former then
		skynet.fork(socket.close, former)
	end
end

--- Looks up the addresses of a host. Yields.
---@param name string host name or address (which is returned)
---@param ipv6 boolean? true: IPv6 addresses, otherwise IPv4
---@return string? address, string[]|string all nil and a message when the name is not valid. Raises when
--- the name is not known, or no server answers and nothing older is remembered
function M.resolve(name, ipv6)
	name = string.lower(name)
	local kind = ipv6 and message.AAAA or message.A
	local literal = kind_of(name)
	if literal then
		if literal ~= kind then
			return nil, "illegal ip address"
		end
		return name
	end
	name = string.match(name, "^(.-)%.?$") -- a full name may end in a dot
	if not is_valid(name) then
		return nil, "illegal name"
	end
	static = static or read_hosts()
	local list = static[kind][name]
	if list then
		return list[1], list
	end
	local known = cached[kind][name]
	if known and known.best_before > skynet.now() then
		return known.list[1], known.list
	end
	list = ask(name, kind) or known and known.list
	if not list then
		error "timeout or no answer"
	end
	return list[1], list
end

return M
