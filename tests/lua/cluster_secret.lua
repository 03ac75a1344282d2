-- A cluster whose nodes share a secret: the setting cluster_secret.
local skynet = require "skynet"
local cluster = require "skynet.cluster"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local clustersecret = require "skynet.internal.clustersecret"
local publicaddress = require "skynet.internal.publicaddress"
local check = require "check"
local nodes = require "cluster_nodes"

local cases = {}
local SELF <const>, FAKE <const> = nodes.SELF, nodes.FAKE

local function query(session, name)
	return string.pack(">s2", string.pack("<BI4I4", 0, 0, session) .. skynet.packstring(name))
end

local function call(session, handle, ...)
	return string.pack(">s2", string.pack("<BI4I4", 0, handle, session) .. skynet.packstring(...))
end

local function answer(session, ok, text)
	return string.pack(">s2", string.pack("<I4B", session, ok and 1 or 0) .. text)
end

-- What this node answers: session, whether it went well, and the value or the text.
local function read_answer(fd)
	local packet = nodes.read_packet(fd)
	local session, ok = string.unpack("<I4B", packet)
	local rest = string.sub(packet, 6)
	return session, ok == 1, ok == 1 and skynet.unpack(rest) or rest
end

function cases.nodes_with_the_same_secret_call_each_other()
	nodes.open()
	check.equal(cluster.call("me", nodes.peer(), "echo", "hello"), "hello")
	local large = string.rep("x", 100000)
	check.equal(cluster.call("me", nodes.peer(), "echo", large), large)
end

-- What a stranger sends, and that his connection ends after at most one answer, which says why.
local function is_refused(bytes, text)
	local fd = assert(socket.open(SELF))
	socket.write(fd, bytes)
	local rest = socket.readall(fd)
	socket.close(fd)
	assert(string.find(rest, text, 1, true), rest)
end

function cases.who_does_not_show_the_secret_is_told_so_and_does_nothing()
	nodes.open()
	local peer = nodes.peer()
	is_refused(call(1, peer, "remember", "this"), "the caller has shown no cluster_secret")
	is_refused(query(1, "nosuch"), "the caller has shown no cluster_secret")
	is_refused(query(1, "cluster_secret 1 00"), "the caller has shown no cluster_secret")
	is_refused(query(1, "cluster_secret 2 " .. string.rep("0", 64)), "the caller has shown no cluster_secret")
	is_refused(string.pack(">s2", string.pack("<BI4I4I4", 1, peer, 1, 40000)), "the caller has shown no cluster_secret")
	-- After the first half.
	local hello = query(1, "cluster_secret 1 " .. string.rep("00", 16))
	is_refused(hello .. call(2, peer, "remember", "this"), "the caller has shown no cluster_secret")
	is_refused(hello .. hello, "the caller has shown no cluster_secret")
	is_refused(hello .. query(2, "cluster_secret 2 " .. string.rep("0", 64)), "the caller has another cluster_secret")
	check.equal(skynet.call(peer, "lua", "remembered"), nil)
end

function cases.who_has_not_shown_the_secret_costs_no_service()
	nodes.open()
	local before, fds = (nodes.agents()), {}
	for i = 1, 10 do
		fds[i] = assert(socket.open(SELF))
		socket.write(fds[i], query(1, "cluster_secret 1 " .. string.rep("00", 16)))
		check.equal(select(2, read_answer(fds[i])), true)
	end
	check.equal(select(2, nodes.agents(before)), 0)
	for _, fd in ipairs(fds) do
		socket.close(fd)
	end
end

function cases.a_proof_holds_for_one_connection()
	nodes.open()
	local secret = skynet.getenv "cluster_secret"
	local ours = string.rep("\0", 16)
	local hello = query(1, "cluster_secret 1 " .. crypt.hexencode(ours))
	local first = assert(socket.open(SELF))
	socket.write(first, hello)
	local _, ok, theirs = read_answer(first)
	check.equal(ok, true)
	local proof = clustersecret.hmac(secret, "skynet cluster caller\0" .. ours .. crypt.hexdecode(theirs))
	local shown = query(2, "cluster_secret 2 " .. crypt.hexencode(proof))
	is_refused(hello .. shown, "the caller has another cluster_secret") -- somebody who has listened
	socket.write(first, shown .. call(3, nodes.peer(), "echo", "x"))
	local _, proved, its_proof = read_answer(first)
	check.equal(proved, true)
	local expected = clustersecret.hmac(secret, "skynet cluster called\0" .. crypt.hexdecode(theirs) .. ours)
	check.equal(its_proof, crypt.hexencode(expected))
	check.equal({ read_answer(first) }, { 3, true, "x" })
	socket.close(first)
end

-- A node that is none of ours: `reply(session, name)` is what it answers. Returns what it was sent.
local function impostor(reply)
	local sent = {}
	local listener = socket.listen(FAKE)
	socket.start(listener, function(fd)
		socket.start(fd)
		while true do
			local head = socket.read(fd, 2)
			local packet = head and socket.read(fd, (string.unpack(">I2", head)))
			if not packet then
				return socket.close(fd)
			end
			local _, handle, session = string.unpack("<BI4I4", packet)
			local name = skynet.unpack(string.sub(packet, 10))
			table.insert(sent, { handle, name })
			socket.write(fd, reply(session, name))
		end
	end)
	nodes.open()
	nodes.fails(cluster.call, "fake", 5, "a word")
	socket.close(listener)
	for _, packet in ipairs(sent) do
		check.equal(packet[1], 0, "nothing is asked of it but names")
		check.equal(string.sub(packet[2], 1, 15), "cluster_secret ")
	end
	return #sent
end

function cases.a_node_without_the_secret_is_asked_nothing()
	assert(impostor(function(session)
		return answer(session, false, "name not found")
	end) > 0)
end

function cases.a_node_that_cannot_prove_the_secret_is_asked_nothing()
	assert(impostor(function(session)
		return answer(session, true, skynet.packstring(string.rep("0", 32)))
	end) > 0)
end

function cases.a_node_that_sends_back_what_it_was_sent_is_asked_nothing()
	assert(impostor(function(session, name)
		return answer(session, true, skynet.packstring(string.match(name, " (%x+)$")))
	end) > 0)
end

function cases.hmac_is_that_of_the_standard()
	-- RFC 4231, cases 2 and 6.
	local function hex(key, text)
		return crypt.hexencode(clustersecret.hmac(key, text))
	end
	check.equal(
		hex("Jefe", "what do ya want for nothing?"),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	)
	check.equal(
		hex(string.rep("\xaa", 131), "Test Using Larger Than Block-Size Key - Hash Key First"),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
	)
end

function cases.public_addresses_are_told_from_others()
	for _, host in ipairs {
		"127.0.0.1",
		"10.1.2.3",
		"172.31.0.1",
		"192.168.1.1",
		"169.254.0.1",
		"100.64.0.1",
		"0.0.0.0",
		"::",
		"::1",
		"fe80::1",
		"fd00::1",
		"name",
	} do
		check.equal(publicaddress(host), false, host)
	end
	for _, host in ipairs { "8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2001:db8::1" } do
		check.equal(publicaddress(host), true, host)
	end
end

check.run(cases)
