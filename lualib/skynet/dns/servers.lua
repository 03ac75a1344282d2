--- Asks name servers: by UDP, one after the other and again when none answers; by TCP what does not fit a datagram.

local skynet = require "skynet"
local socket = require "skynet.socket"
local message = require "skynet.dns.message"
local defer = require "skynet.internal.defer"
local recurring = require "skynet.internal.recurring"
local ratelimit = require "skynet.internal.ratelimit"

local M = {}

local IDLE <const> = 6000 -- 1/100 s that an unused socket stays

-- Codes with which a server says nothing about the name: the next one may know.
local SERVER_FAILED <const>, NOT_IMPLEMENTED <const>, REFUSED <const> = 2, 4, 5
local is_no_answer <const> = { [SERVER_FAILED] = true, [NOT_IMPLEMENTED] = true, [REFUSED] = true }

local pending = {} -- id -> { id =, name =, kind =, server =, answer = }
local opened = {} -- "address:port" -> { id = of the socket, used = time }
local turn = 0 -- of `rotate`

---------------------------------------------------------------- answers

local limit = ratelimit(10, 100)

-- Says in the log what came. Who sends under the address of a server may send much.
local function complain(text)
	local more = limit()
	if more then
		skynet.error(text .. more)
	end
end

local function is_from(from, server)
	if not string.find(server.address, "^%d+%.%d+%.%d+%.%d+$") then
		return true -- one address has many spellings
	end
	local address, port = socket.udp_address(from)
	return address == server.address and port == server.port
end

-- The query that bytes answer, and the answer.
local function query_of(bytes)
	local id = message.id(bytes)
	if id and not pending[id] then -- too late, or a guess
		return
	end
	local query = id and pending[id]
	local ok, answer = pcall(message.answer, bytes, function(name, kind)
		return query.name == name and query.kind == kind
	end)
	if not ok then
		complain "Recv an invalid package when dns query"
		return
	end
	if query.name ~= answer.name or query.kind ~= answer.kind then
		complain "Recv an invalid name when dns query"
		return
	end
	return query, answer
end

local function on_datagram(bytes, from, server)
	if not is_from(from, server) then
		return
	end
	local query, answer = query_of(bytes)
	if query == nil or query.answer then
		return
	elseif query.server ~= server and is_no_answer[answer.code] then
		return -- of the one before
	end
	query.answer, query.server = answer, server
	skynet.wakeup(query)
end

---------------------------------------------------------------- UDP

local function close_when_idle(key, entry, name)
	local watch = recurring(function()
		if opened[key] ~= entry then
			return nil
		elseif skynet.now() - entry.used < IDLE or next(pending) then
			return IDLE
		end
		opened[key] = nil
		socket.close(entry.id)
		skynet.error(string.format("Udp server close %s (%d)", name, entry.id))
	end)
	watch(IDLE)
end

local function dial(server)
	local function callback(bytes, from)
		on_datagram(bytes, from, server)
	end
	if string.find(server.address, ":", 1, true) then
		return socket.udp_dial(server.address, server.port, callback)
	end
	local id = socket.udp(callback)
	local ok, problem = pcall(socket.udp_connect, id, server.address, server.port)
	if not ok then
		socket.close(id)
		error(problem, 0)
	end
	return id
end

local function send(server, bytes)
	local name = server.address .. ":" .. server.port
	local entry = opened[name]
	if entry == nil then
		entry = { id = dial(server) }
		opened[name] = entry
		skynet.error(string.format("Udp server open %s (%d)", name, entry.id))
		close_when_idle(name, entry, name)
	end
	entry.used = skynet.now()
	if not socket.write(entry.id, bytes) then
		opened[name] = nil
	end
end

--- Closes all sockets. Does not yield.
function M.close()
	for _, entry in pairs(opened) do
		skynet.fork(socket.close, entry.id)
	end
	opened = {}
end

---------------------------------------------------------------- TCP

-- RFC 7766: a length before each message. Returns the answer, or nil.
local function ask_by_tcp(query, server, bytes, ticks)
	local id = socket.open(server.address, server.port, ticks)
	if not id then
		return
	end
	local open = true
	local function close()
		if open then
			open = false
			socket.close(id)
		end
	end
	local guard <close> = defer(close)
	skynet.timeout(ticks, close)
	socket.write(id, string.pack(">s2", bytes))
	local head = socket.read(id, 2)
	local body = head and socket.read(id, (string.unpack(">H", head)))
	guard.dismissed = true
	close()
	if body then
		local found, answer = query_of(body)
		return found == query and not answer.truncated and answer or nil
	end
end

---------------------------------------------------------------- queries

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

local Query = {
	__close = function(query)
		pending[query.id] = nil
	end,
}

-- Asks one server and waits; returns its answer, or nil.
local function ask_one(query, server, bytes, ticks, by_tcp)
	query.server = server
	if not by_tcp then
		send(server, bytes)
		skynet.sleep(ticks, query)
		if not query.answer then
			return
		elseif not query.answer.truncated then
			return query.answer
		end
		server = query.server
	end
	return ask_by_tcp(query, server, bytes, ticks)
end

-- How long one server has in a round, in 1/100 s: as in the C library, longer in each round, but then for all of them.
local function patience(settings, round)
	local seconds = settings.timeout << round
	if round > 0 then
		seconds = math.max(seconds // #settings.servers, 1)
	end
	return seconds * 100
end

--- Asks for the records of a name. Yields.
---@param name string
---@param kind integer
---@param settings table as of skynet.dns.settings; with `steady`, each round is as long as the first one
---@return table? answer of skynet.dns.message, also one of servers that all cannot tell; nil when none has answered in
--- time. Raises when none could be asked
function M.ask(name, kind, settings)
	local servers = settings.servers
	local query <close> = setmetatable({ id = unused_id(), name = name, kind = kind }, Query)
	pending[query.id] = query
	local bytes = message.question(query.id, name, kind)
	local first = 0
	if settings.rotate then
		first, turn = turn, turn + 1
	end
	local asked, problem
	for round = 0, settings.attempts - 1 do
		local useless, refusals = nil, 0
		for i = 1, #servers do
			local server = servers[(first + i - 1) % #servers + 1]
			local ticks = patience(settings, settings.steady and 0 or round)
			local ok, answer = pcall(ask_one, query, server, bytes, ticks, settings.by_tcp)
			if not ok then
				problem = answer
			else
				asked = true
				if answer and not is_no_answer[answer.code] then
					return answer
				end
				useless = answer or useless
				refusals = refusals + (answer and 1 or 0)
				query.answer = nil
			end
		end
		if refusals == #servers then
			return useless
		end
	end
	if not asked then
		error(problem, 0)
	end
end

return M
