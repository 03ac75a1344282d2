-- `.cslave` of a node in a network of harbors: joins the network through the master, makes the connections to the other
-- nodes, which the service `harbor` then works with, and knows global names.
--
-- Config: harbor (this node's id), address (where others connect to), master (its address). The packets are described in
-- cmaster.lua, the messages of the harbor service in its source. What is lost comes back: a connection to another node is
-- made again by the side that knows the other's address, the one to the master by this node; names of this node are then
-- registered anew.

local skynet = require "skynet"
local socket = require "skynet.socket"
local socketdriver = require "skynet.socketdriver"
local backoff = require "skynet.internal.backoff"
local limitedlog = require "skynet.internal.limitedlog"
local packet = require "skynet.internal.harborpacket"
local printable = require "skynet.internal.printable"
local ratelimit = require "skynet.internal.ratelimit"
local admission = require "skynet.internal.admission"
local setting = require "skynet.internal.setting"
local harborlosses = require "skynet.internal.harborlosses"
local watch_name = require "skynet.internal.harborunknown"
local defer = require "skynet.internal.defer"
local respawn = require "skynet.internal.respawn"
require "skynet.manager"

local HANDSHAKE <const> = 30 -- seconds that a connection has to say which node it is
local STRANGERS <const> = 256 -- connections that have not said so yet
local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 50, 1000 -- 1/100 s between attempts
local PEER_ATTEMPTS <const> = 14 -- a node that the master has not given up, and that does not listen
local GATHERING_TIME <const> = 1000 -- 1/100 s that the start waits for the other nodes

local master_address = skynet.getenv "master"
local own_id = math.tointeger(tonumber(skynet.getenv "harbor"))
local own_address = skynet.getenv "address"

local log = limitedlog()

local names = {} -- global name -> handle
local harbor_service
local master_fd -- nil while the master cannot be reached
local ready = false -- until then, connections are only accepted

local function text_protocol(name, id, handler)
	skynet.register_protocol {
		id = id,
		name = name,
		pack = function(text)
			return text
		end,
		unpack = skynet.tostring,
		dispatch = handler,
	}
end

local function answer_all(responses, ...)
	for _, respond in ipairs(responses) do
		respond(true, ...)
	end
end

---------------------------------------------------------------- other nodes

-- id -> { state, fd, address = if this node is to connect to it, on_up, on_down = responses }
-- state: "down"; "up", the harbor service has the connection; "closing", it has not lost it yet;
-- "connecting".
local peers = {}
local losses = harborlosses.new(function()
	return names
end)
local gathering -- { missing = count, token } while the start waits for the others

local function peer_of(id)
	local peer = peers[id]
	if not peer then
		peer = { id = id, state = "down", on_up = {}, on_down = {} }
		peers[id] = peer
	end
	return peer
end

local function one_less_to_wait_for()
	if gathering then
		gathering.missing = gathering.missing - 1
		if gathering.missing <= 0 then
			skynet.wakeup(gathering)
		end
	end
end

-- Hands a connection over to the harbor service. `kind` is "S", made by this node, or "A", accepted.
local function hand_over(peer, kind, fd)
	peer.state, peer.fd = "up", fd
	socket.abandon(fd)
	skynet.send(harbor_service, "harbor", string.format("%s %d %d", kind, fd, peer.id))
	local responses = peer.on_up
	peer.on_up = {}
	answer_all(responses)
end

local function try_to_connect(peer)
	peer.state = "connecting"
	local called, fd, problem
	local guard <close> = defer(function()
		if fd then
			socket.close(fd)
		end
		if peer.state == "connecting" then
			peer.state = "down"
		end
	end)
	called, fd, problem = pcall(socket.open, peer.address)
	if not called then -- it is no address
		fd, problem = nil, fd
	end
	losses.wait(peer.id) -- requests to the node that is back must not fail like those to the one that was lost
	guard.dismissed = true
	if peer.state ~= "connecting" then -- it has connected to this node meanwhile
		if fd then
			socket.close(fd)
		end
		return true
	elseif not fd then
		peer.state = "down"
		return false, problem
	end
	socketdriver.nodelay(fd)
	log(string.format("Connect to harbor %d (fd=%d), %s", peer.id, fd, printable(peer.address)))
	hand_over(peer, "S", fd)
	return true
end

local function connect(peer)
	if peer.state ~= "down" or not peer.address then
		return
	end
	local address = peer.address
	if try_to_connect(peer) then
		return
	end
	log("Can't connect to " .. printable(address))
	local pause = backoff(FIRST_PAUSE, LONGEST_PAUSE)
	for _ = 2, PEER_ATTEMPTS do
		skynet.sleep(pause())
		if peer.state ~= "down" or peer.address ~= address or try_to_connect(peer) then
			return
		end
	end
	skynet.error(string.format("Harbor %d does not listen at %s any more", peer.id, printable(address)))
end

-- The harbor service has lost the connection.
local function lost(peer)
	peer.state, peer.fd = "down", nil
	losses.tell(peer.id)
	local responses = peer.on_down
	peer.on_down = {}
	answer_all(responses)
	if ready and peer.address then
		-- The master may be about to say that the node is gone.
		skynet.timeout(FIRST_PAUSE, function()
			respawn(connect, peer)
		end)
	end
end

local function accept(fd)
	socket.start(fd)
	local greeting = socket.read(fd, 1)
	if not greeting then
		socket.close(fd)
		return log(string.format("Connection (fd =%d) closed", fd))
	end
	local id = string.byte(greeting)
	if id == 0 or id == own_id then
		socket.close(fd)
		return log(string.format("Invalid slave id %d (fd =%d)", id, fd))
	end
	local peer = peer_of(id)
	losses.wait(id)
	if peer.state == "up" or peer.state == "closing" then
		log(string.format("Slave %d exist (fd =%d)", peer.id, fd))
		socket.close(fd)
		return
	end
	log(string.format("Harbor %d connected (fd = %d)", peer.id, fd))
	hand_over(peer, "A", fd)
	one_less_to_wait_for()
end

---------------------------------------------------------------- names

local own_names = {} -- names of this node
local wanted = {} -- names that the master has been asked for
local queries = {} -- name -> responses that wait for it

local function tell_master(...)
	if master_fd then
		socket.write(master_fd, packet.make(...))
	end
end

-- The harbor service knows names of 1 to 15 bytes. The others come from any node of the network, as many as it likes.
local LONGEST_NAME <const> = 15
local limit = ratelimit(20, 1000)

local function complain_of_name(name)
	local more = limit()
	if more then
		skynet.error(string.format("Invalid global name %s%s", printable(name), more))
	end
end

local function tell_harbor(name)
	local size = #tostring(name)
	if size == 0 or size > LONGEST_NAME then
		return complain_of_name(name)
	end
	skynet.redirect(harbor_service, names[name], "harbor", 0, "N " .. name)
end

-- The harbor service is told first: who gets the answer may send to the name, and then to the handle, at once.
local function learn(name, handle)
	names[name] = handle
	wanted[name] = nil
	tell_harbor(name)
	local responses = queries[name] or {}
	queries[name] = nil
	answer_all(responses, handle)
end

local function ask_for(name)
	wanted[name] = true
	tell_master("Q", name)
end

---------------------------------------------------------------- master

local on_master_down = {} -- responses
local from_master = {}

function from_master.C(id, address)
	local peer = peer_of(id)
	peer.address = address
	if ready then
		respawn(connect, peer)
	end
end

function from_master.N(name, handle)
	learn(name, handle)
end

function from_master.D(id)
	local peer = peer_of(id)
	peer.address = nil
	if peer.state == "up" then
		peer.state = "closing" -- the harbor service will say when it is closed
		socket.close_fd(peer.fd)
	else
		one_less_to_wait_for()
	end
end

local function handle_packet(fd)
	local kind, subject, value = packet.read(fd)
	local run = from_master[kind]
	if run then
		run(subject, value)
	else
		skynet.error("Invalid master message type " .. tostring(kind))
	end
end

local function open_master()
	return assert(socket.open(master_address), "Can't connect to master")
end

-- Joins over a new connection to the master. Returns the number of nodes that will connect to this one.
local function join(fd)
	local guard <close> = defer(socket.close, fd)
	socket.write(fd, packet.make("H", own_id, own_address))
	local ok, kind, count = pcall(packet.read, fd)
	if not (ok and kind == "W" and math.type(count) == "integer") then
		error "slave shakehand failed"
	end
	guard.dismissed = true
	return count
end

local rejoin_pause, master_served = backoff(FIRST_PAUSE, LONGEST_PAUSE)

-- Joins again when the master is back.
local function rejoin()
	while true do
		skynet.sleep(rejoin_pause())
		local connected, fd = pcall(open_master)
		if connected and pcall(join, fd) then
			master_fd = fd
			break
		end
	end
	log("Master is back")
	for name, handle in pairs(own_names) do
		tell_master("R", name, handle)
	end
	for name in pairs(wanted) do
		tell_master("Q", name)
	end
end

local function lose_master(fd)
	log "Master disconnect"
	master_fd = nil
	socket.close(fd)
	local responses = on_master_down
	on_master_down = {}
	answer_all(responses)
end

local function follow_master()
	while true do
		if master_fd then -- not after a task that was killed before it had joined again
			local started = skynet.now()
			local _ <close> = defer(lose_master, master_fd)
			repeat
				local ok = pcall(handle_packet, master_fd) -- fails at the end of the connection
			until not ok
			master_served(started)
		end
		rejoin()
	end
end

---------------------------------------------------------------- messages of services

local command = {}

function command.REGISTER(name, handle)
	assert(type(name) == "string", "a global name must be a string")
	assert(names[name] == nil, "global name is taken")
	learn(name, handle)
	own_names[name] = handle
	tell_master("R", name, handle)
end

--- QUERYNAME name -> handle
function command.QUERYNAME(name)
	assert(type(name) == "string", "a global name must be a string")
	if string.sub(name, 1, 1) == "." then
		return skynet.retpack(skynet.localname(name))
	elseif names[name] then
		return skynet.retpack(names[name])
	elseif not queries[name] then
		queries[name] = {}
		ask_for(name)
	end
	table.insert(queries[name], skynet.response())
end

--- Answered when the connection to a node is lost; at once when there is none.
function command.LINK(id)
	local peer = peer_of(id)
	if peer.state == "up" then
		table.insert(peer.on_down, skynet.response())
	else
		skynet.ret()
	end
end

--- Answered when a node is connected.
function command.CONNECT(id)
	local peer = peer_of(id)
	if peer.state == "up" then
		skynet.ret()
	else
		table.insert(peer.on_up, skynet.response())
	end
end

--- Answered when the connection to the master is lost.
function command.LINKMASTER()
	if master_fd then
		table.insert(on_master_down, skynet.response())
	else
		skynet.ret()
	end
end

local from_harbor = {}

--- A service sends to a name that the harbor service does not know.
function from_harbor.Q(name)
	if names[name] then
		tell_harbor(name)
	else
		ask_for(name)
		watch_name(name, names)
	end
end

function from_harbor.D(id)
	lost(peer_of(math.tointeger(tonumber(id))))
end

text_protocol("harbor", skynet.PTYPE_HARBOR)
text_protocol("text", skynet.PTYPE_TEXT, function(_, _, text)
	local run = from_harbor[string.sub(text, 1, 1)]
	if run then
		run(string.sub(text, 3))
	else
		skynet.error("Unknown command ", text)
	end
end)

---------------------------------------------------------------- start

-- Waits until the nodes that were there before have connected.
local function gather(count)
	gathering = { missing = count }
	skynet.sleep(GATHERING_TIME, gathering)
	if gathering.missing > 0 then
		skynet.error(string.format("%d of %d harbors have not connected yet", gathering.missing, count))
	end
	gathering = nil
end

local function become_ready()
	ready = true
	for _, peer in pairs(peers) do
		respawn(connect, peer)
	end
end

skynet.start(function()
	local listener = socket.listen((assert(own_address, "address is missing in the config")))
	skynet.error("slave connect to master " .. tostring(master_address))
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name]
		if not run then
			error("unknown command " .. tostring(name))
		end
		run(...)
	end)
	master_fd = open_master()
	harbor_service = assert(skynet.launch("harbor", own_id, skynet.self()))
	local count = join(master_fd)
	skynet.error(string.format("Waiting for %d harbors", count))
	respawn(follow_master)
	local limiter = admission.new {
		name = "harbor",
		most = setting("harbor_strangers", STRANGERS),
		most_address = setting "harbor_peraddress",
		handshake = setting("harbor_handshake", HANDSHAKE),
		close = socket.shutdown,
	}
	local function leave(fd)
		limiter:leave(fd)
		socket.close(fd) -- last: it may yield
	end
	socket.start(listener, function(fd, peer)
		if not limiter:enter(fd, peer) then
			return socket.close_fd(fd)
		end
		log(string.format("New connection (fd = %d, %s)", fd, peer))
		socketdriver.nodelay(fd)
		local guard <close> = defer(leave, fd)
		local ok, problem = pcall(accept, fd)
		guard.dismissed = true
		limiter:leave(fd) -- the harbor service has it, or it is closed
		if not ok then
			skynet.error(problem)
		end
	end)
	socket.accept_error(listener, function()
		limiter:starved()
	end)
	if count > 0 then
		gather(count)
	end
	skynet.error "Shakehand ready"
	skynet.fork(become_ready)
end)
