-- snax.wsgateserver: connections and messages of WebSockets, as gates of packets have them.
local skynet = require "skynet"
local socket = require "skynet.socket"
local gateserver = require "snax.wsgateserver"
local websocket = require "http.websocket"
local check = require "check"

local cases = {}

skynet.register_protocol {
	name = "client",
	id = skynet.PTYPE_CLIENT,
	unpack = skynet.tostring,
}

local told, messages = {}, {}

-- A gate that listens, and the start of its URLs.
local function open(conf)
	local gate = skynet.newservice "ws_gate"
	told, messages = {}, {}
	skynet.dispatch("lua", function(_, source, ...)
		if source == gate then
			told[#told + 1] = table.pack(...)
		end
	end)
	skynet.dispatch("client", function(fd, _, text)
		skynet.ignoreret()
		messages[#messages + 1] = { fd, text }
	end)
	conf.address, conf.port = "127.0.0.1", 0
	local address, port = skynet.call(gate, "lua", "open", conf)
	check.equal(address, "127.0.0.1")
	return gate, "ws://127.0.0.1:" .. port
end

-- The next thing that was told, which has to be of that kind; its values.
local function expect(kind)
	local event = check.next_of(told)
	check.equal(event[1], kind)
	return table.unpack(event, 2, event.n)
end

function cases.messages_go_to_the_agent_and_frames_come_back()
	local gate, url = open { nodelay = true }
	local id = websocket.connect(url .. "/path?a=1", { ["X-Name"] = "someone" })
	local fd, address, name, target = expect "connect"
	check.equal({ name, target }, { "someone", "/path?a=1" })
	assert(string.find(address, "^127%.0%.0%.1:%d+$"))
	websocket.write(id, "text")
	websocket.write(id, "\0\xff" .. ("x"):rep(70000), "binary")
	websocket.write(id, "", "binary")
	for _, sent in ipairs { { "text", "text" }, { "binary", "\0\xff" .. ("x"):rep(70000) }, { "binary", "" } } do
		check.equal({ expect "kind" }, { fd, sent[1] })
		check.equal(check.next_of(messages), { fd, sent[2] })
	end
	-- From any service, as an agent does.
	socket.write(fd, gateserver.pack("bytes\0" .. ("y"):rep(66000)))
	check.equal({ websocket.read(id) }, { "bytes\0" .. ("y"):rep(66000) })
	socket.write(fd, gateserver.pack("words", "text"))
	check.equal(websocket.read(id), "words")
	check.equal(skynet.call(gate, "lua", "send", fd, "by the gate"), true)
	check.equal(websocket.read(id), "by the gate")
	websocket.close(id)
	check.equal({ expect "disconnect" }, { fd })
	check.equal(skynet.call(gate, "lua", "send", fd, "too late"), false)
	skynet.kill(gate)
end

function cases.nothing_is_read_before_the_client_is_let_in()
	local gate, url = open {}
	local id = websocket.connect(url .. "/waits")
	local fd = expect "connect"
	websocket.write(id, "early")
	skynet.sleep(5)
	check.equal({ told, messages }, { {}, {} })
	skynet.call(gate, "lua", "openclient", fd)
	check.equal({ expect "kind" }, { fd, "text" })
	check.equal(check.next_of(messages), { fd, "early" })
	websocket.close(id)
	expect "disconnect"
	skynet.kill(gate)
end

function cases.client_that_is_never_let_in_is_closed()
	local gate, url = open { handshake = 1 }
	local id = websocket.connect(url .. "/waits")
	local fd = expect "connect"
	check.equal((websocket.read(id)), false)
	check.equal({ expect "disconnect" }, { fd })
	skynet.kill(gate)
end

function cases.gate_may_close_a_client_and_says_why()
	local gate, url = open {}
	for _, path in ipairs { "/", "/waits" } do
		local id = websocket.connect(url .. path)
		local fd = expect "connect"
		skynet.call(gate, "lua", "closeclient", fd, 4001)
		local message, reason = websocket.read(id)
		check.equal({ message, string.unpack(">I2", reason) }, { false, 4001, 3 })
		check.equal({ expect "disconnect" }, { fd })
		skynet.call(gate, "lua", "closeclient", fd) -- once more: nothing happens
	end
	skynet.sleep(2)
	check.equal(told, {})
	skynet.kill(gate)
end

function cases.client_that_vanishes_is_told_once()
	local gate, url = open {}
	local id = websocket.connect(url)
	local fd = expect "connect"
	socket.shutdown(id)
	local event = check.next_of(told)
	check.equal({ event[2], event[1] == "error" or event[1] == "disconnect" }, { fd, true })
	skynet.sleep(2)
	check.equal(told, {})
	skynet.kill(gate)
end

function cases.handler_that_fails_ends_its_client_alone()
	local gate, url = open {}
	local kept = websocket.connect(url)
	expect "connect"
	local id = websocket.connect(url .. "/fails")
	local fd = expect "connect"
	check.equal((websocket.read(id)), false)
	check.equal({ expect "disconnect" }, { fd })
	websocket.write(kept, "still here")
	check.equal(check.next_of(messages)[2], "still here")
	websocket.close(kept)
	skynet.kill(gate)
end

function cases.too_many_connections_are_turned_away()
	local gate, url = open { maxclient = 3 }
	local first, second = websocket.connect(url), websocket.connect(url)
	expect "connect"
	expect "connect"
	check.equal((pcall(websocket.connect, url)), false)
	websocket.close(first)
	websocket.close(second)
	skynet.kill(gate)
end

function cases.client_is_not_read_while_its_agent_is_behind()
	local gate, url = open {}
	local id = websocket.connect(url)
	expect "connect"
	skynet.call(gate, "lua", "behind", true)
	for i = 1, 200 do
		websocket.write(id, tostring(i))
	end
	repeat
		skynet.sleep(1)
	until skynet.call(gate, "lua", "behind", true) > 3
	check.equal(#messages, 64)
	skynet.call(gate, "lua", "behind", false)
	repeat
		skynet.sleep(1)
	until #messages == 200
	for i = 1, 200 do
		check.equal(messages[i][2], tostring(i))
	end
	websocket.close(id)
	skynet.kill(gate)
end

function cases.gate_can_stop_listening_and_begin_again()
	local gate, url = open {}
	check.raises("call failed", skynet.call, gate, "lua", "open", { address = "127.0.0.1", port = 0 })
	skynet.call(gate, "lua", "close")
	check.equal((pcall(websocket.connect, url)), false)
	local _, port = skynet.call(gate, "lua", "open", { address = "127.0.0.1", port = 0 })
	local id = websocket.connect("ws://127.0.0.1:" .. port)
	expect "connect"
	websocket.close(id)
	skynet.kill(gate)
end

check.run(cases)
