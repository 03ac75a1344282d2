-- The master of a network of harbors: introduces the nodes to each other and keeps the global names.
-- Config key `standalone`: the address it listens on.
--
-- Each node's cslave has a connection to it, with packets of 1 byte of size and packed values:
--
--     H id address     from a slave: it joins, others reach it at that address
--     R name handle    from a slave: a global name
--     Q name           from a slave: who has that name? (answered by N, as soon as a service has it)
--     W n              to the slave that joins: n others will connect to it
--     C id address     to the others: connect to it
--     N name handle    to all: a global name
--     D id             to all: that slave is gone
--
-- A slave that is gone may join again. Its names stay: those who know them wait for it. So each has so many and no more (config
-- key `harbor_names`), and all together four times as many.

local skynet = require "skynet"
local socket = require "skynet.socket"
local limitedlog = require "skynet.internal.limitedlog"
local packet = require "skynet.internal.harborpacket"
local admission = require "skynet.internal.admission"
local defer = require "skynet.internal.defer"
local setting = require "skynet.internal.setting"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"

local CLIENTS <const>, HANDSHAKE <const> = 512, 30 -- connections, and the seconds until they have to join
-- Bytes that wait for a slave which does not read: what one of them tells, all the others are told.
local OUTPUT <const> = 16 * 1024 * 1024

local slaves = {} -- id -> { fd = nil while it is gone, address }
local names = {} -- name -> handle
local MOST_NAMES <const> = 65536
local most_names = math.tointeger(tonumber(skynet.getenv "harbor_names")) or MOST_NAMES
local owner_of = {} -- name -> id of the slave that has registered it
local name_count = 0

local limit = ratelimit(20, 1000)
local log = limitedlog()

local function tell_all(bytes, except)
	for _, slave in pairs(slaves) do
		if slave.fd and slave ~= except then
			socket.write(slave.fd, bytes)
		end
	end
end

local function count_present()
	local count = 0
	for _, slave in pairs(slaves) do
		count = count + (slave.fd and 1 or 0)
	end
	return count
end

-- Takes a slave in. Raises when it does not say the right things.
local function welcome(fd)
	local kind, id, address = packet.read(fd)
	assert(kind == "H", "Invalid handshake type " .. tostring(kind))
	assert(math.type(id) == "integer" and id >= 1 and id <= 255, "Invalid slave id " .. tostring(id))
	assert(type(address) == "string" and not string.find(address, "%c"), "Invalid slave address")
	local known = slaves[id]
	if known and known.fd then
		error(string.format("Slave %d already register on %s", id, known.address), 0)
	end
	local others = count_present()
	tell_all(packet.make("C", id, address))
	socket.write(fd, packet.make("W", others))
	slaves[id] = { id = id, fd = fd, address = address, names = known and known.names or 0 }
	return id
end

local on = {}

-- Whether a slave may have the name.
local function own(slave, name)
	local owner = owner_of[name]
	if owner == slave.id then
		return true
	elseif slave.names >= most_names or not owner and name_count >= 4 * most_names then
		local more = limit()
		if more then
			local text =
				"master: harbor %d has registered %d global names, and all %d: the name %s is refused (config key harbor_names)%s"
			skynet.error(string.format(text, slave.id, slave.names, name_count, printable(name), more))
		end
		return false
	elseif owner then
		slaves[owner].names = slaves[owner].names - 1
	else
		name_count = name_count + 1
	end
	owner_of[name], slave.names = slave.id, slave.names + 1
	return true
end

function on.R(slave, name, handle)
	assert(math.type(handle) == "integer" and (type(name) == "string" or type(name) == "number"), "Invalid request")
	if not own(slave, name) then
		return
	end
	names[name] = handle
	tell_all(packet.make("N", name, handle))
end

function on.Q(slave, name)
	if names[name] then
		socket.write(slave.fd, packet.make("N", name, names[name]))
	end
end

local function handle_packet(slave)
	local kind, name, handle = packet.read(slave.fd)
	if on[kind] then
		on[kind](slave, name, handle)
	else
		error "Invalid slave message type"
	end
end

local function lose(id)
	log("slave " .. id .. " is down")
	slaves[id].fd = nil
	tell_all(packet.make("D", id))
end

local function serve(id)
	local slave = slaves[id]
	local _ <close> = defer(lose, id)
	log(string.format("Harbor %d (fd=%d) report %s", id, slave.fd, printable(slave.address)))
	repeat
		local ok = pcall(handle_packet, slave) -- fails at the end of the connection
	until not ok
end

skynet.start(function()
	local address = skynet.getenv "standalone"
	skynet.error("master listen socket " .. tostring(address))
	local limiter = admission.new {
		name = "master",
		most = setting("harbor_master_clients", CLIENTS),
		most_address = setting "harbor_peraddress",
		handshake = setting("harbor_handshake", HANDSHAKE),
		close = socket.shutdown,
	}
	local function leave(fd)
		limiter:leave(fd)
		socket.close(fd) -- last: it may yield
	end
	local listener = socket.listen(address)
	socket.start(listener, function(fd, peer)
		if not limiter:enter(fd, peer) then
			return socket.close_fd(fd)
		end
		log("connect from " .. peer .. " " .. fd)
		local _ <close> = defer(leave, fd)
		socket.start(fd)
		socket.write_limit(fd, OUTPUT)
		local ok, result = pcall(welcome, fd)
		if ok then
			limiter:heard(fd)
			serve(result)
		else
			log(string.format("disconnect fd = %d, error = %s", fd, printable(result)))
		end
	end)
	socket.accept_error(listener, function()
		limiter:starved()
	end)
end)
