-- Gates: the gate service, servers of messages, of logins and of packages, with clients in the same node.
local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local sweep = require "sweep"
require "skynet.manager"

local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 300, func, ...)
end

-- Events of the gate, as the watchdog gets them.
local events = {}
local descriptor

local eventually <const> = sweep.eventually

local function take(count)
	eventually(function()
		return #events >= count
	end)
	local list = events
	events = {}
	return list
end

local function frame(text)
	return string.pack(">s2", text)
end

local function read_frame(id)
	local header = socket.read(id, 2)
	return header and socket.read(id, (string.unpack(">I2", header)))
end

local function watch()
	skynet.register_protocol {
		name = "client",
		id = skynet.PTYPE_CLIENT,
		unpack = skynet.tostring,
		dispatch = function(_, _, text)
			skynet.ignoreret()
			events[#events + 1] = "client " .. text
		end,
	}
	skynet.dispatch("lua", function(session, _, kind, event, fd, what)
		if kind == "socket" then
			if event == "open" then
				descriptor = fd
				what = string.gsub(what, ":%d+$", ":PORT")
			end
			events[#events + 1] = { event, math.type(fd), what }
		end
		if session ~= 0 then
			skynet.ret()
		end
	end)
end

local function packets_of_a_gate(ask, client)
	case("gate", "accept", function()
		local results = select("#", ask("accept", descriptor))
		socket.write(client, frame "hello" .. frame "" .. frame "world")
		return results, take(3)
	end)
	case("gate", "message in pieces", function()
		local text = frame(string.rep("x", 300)) .. frame "y"
		for i = 1, #text, 50 do
			socket.write(client, string.sub(text, i, i + 49))
			skynet.sleep(0)
		end
		return take(2)
	end)
	case("gate", "accept again", ask, "accept", descriptor)
	case("gate", "forward", function()
		local results = select("#", ask("forward", descriptor))
		socket.write(client, frame "forwarded")
		return results, take(1)
	end)
	case("gate", "forward to an address", function()
		ask("forward", descriptor, 0, skynet.self())
		socket.write(client, frame "again")
		return take(1)
	end)
	case("gate", "forward unknown", ask, "forward", 0x7ffffff)
	case("gate", "forward nothing", ask, "forward")
	case("gate", "accept unknown", ask, "accept", 0x7ffffff)
	case("gate", "kick unknown", ask, "kick", 0x7ffffff)
end

local function gateservers_alone()
	sweep.apart("snax.gateserver.start", "nothing", function()
		require "snax.gateserver".start()
	end)
	sweep.apart("snax.gateserver.start", "no handlers", function()
		require "snax.gateserver".start {}
	end)
	sweep.apart("snax.gateserver.start", "no connect", function()
		require "snax.gateserver".start { message = print }
	end)
	sweep.apart("snax.gateserver", "unknown descriptors", function()
		local gateserver = require "snax.gateserver"
		return select("#", gateserver.openclient(5)), select("#", gateserver.closeclient(5))
	end)
	sweep.quiet()
end

local function gates()
	watch()
	local gate = skynet.newservice "gate"
	local function ask(...)
		return skynet.call(gate, "lua", ...)
	end
	local port
	case("gate", "unknown command", ask, "no such")
	case("gate", "no command", ask)
	case("gate", "open nothing", ask, "open")
	case("gate", "close before open", ask, "close")
	case("gate", "open", function()
		local results = table.pack(ask("open", { address = "127.0.0.1", port = 0, maxclient = 4, nodelay = true }))
		port = results[2]
		return results.n, results[1], math.type(port)
	end)
	case("gate", "open again", ask, "open", { address = "127.0.0.1", port = 0 })
	local client
	local function connect()
		client = socket.open("127.0.0.1", port)
		return client
	end
	case("gate", "connection", function()
		connect()
		return take(1)
	end)
	packets_of_a_gate(ask, client)
	case("gate", "the client leaves", function()
		socket.close(client)
		return take(1)
	end)
	case("gate", "forward a connection that has ended", ask, "forward", descriptor)
	case("gate", "kick", function()
		connect()
		local opened = take(1)
		ask("accept", descriptor)
		local results = select("#", ask("kick", descriptor))
		return opened, results, socket.read(client, 1), take(1)
	end)
	socket.close(client)
	case("gate", "one too many", function()
		local list = {}
		for i = 1, 3 do
			list[i] = connect()
			take(1)
		end
		local one = connect()
		local text = socket.read(one, 1)
		socket.close(one)
		for _, id in ipairs(list) do
			socket.close(id)
		end
		eventually(function()
			return #events > 0
		end, 30) -- of the one that was turned away
		return text, take(0)
	end)
	case("gate", "close", ask, "close")
	case("gate", "after the close", function()
		return eventually(function()
			local id = socket.open("127.0.0.1", port)
			return not id
		end)
	end)
	skynet.kill(gate)
	sweep.quiet()
	gateservers_alone()
end

---------------------------------------------------------------- messages

-- Long because it is one conversation, of which each step needs those before.
local function messages()
	local server = skynet.newservice "differential_msgserver"
	local function ask(...)
		return skynet.call(server, "lua", ...)
	end
	local function heard()
		return ask("kick", "events")
	end
	local port = math.tointeger(string.match(skynet.getenv "ports", "%d+"))
	local secret = "12345678"
	case("snax.msgserver", "unknown command", ask, "no such")
	case("snax.msgserver", "open without a name", function()
		local other = skynet.newservice "differential_msgserver"
		return skynet.call(other, "lua", "open", { address = "127.0.0.1", port = 0 })
	end)
	case("snax.msgserver", "open", function()
		return select("#", ask("open", { address = "127.0.0.1", port = port, servername = "server" })), heard()
	end)
	local name
	case("snax.msgserver.login", "right", function()
		name = ask("login", "me", secret)
		return name, heard()
	end)
	case("snax.msgserver.login", "again", ask, "login", "me", secret)
	case("snax.msgserver.username", "right", ask, "kick", "username", "me", 7, "server")
	case("snax.msgserver.username", "nothing", ask, "kick", "username")
	case("snax.msgserver.userid", "right", ask, "kick", "userid", name)
	case("snax.msgserver.userid", "no user", ask, "kick", "userid", "nonsense")
	case("snax.msgserver.userid", "nothing", ask, "kick", "userid")
	case("snax.msgserver.ip", "nobody", ask, "kick", "ip", "nobody")
	case("snax.msgserver.ip", "not connected", ask, "kick", "ip", name)
	case("snax.msgserver.logout", "nobody", ask, "kick", "logout", "nobody")
	local function handshake(index, key, who)
		local id = socket.open("127.0.0.1", port)
		local text = string.format("%s:%s", who or name, index)
		socket.write(id, frame(text .. ":" .. crypt.base64encode(crypt.hmac_hash(key, text))))
		return id, read_frame(id)
	end
	local function refused(...)
		local id, answer = handshake(...)
		local rest = socket.read(id, 1)
		socket.close(id)
		return answer, rest
	end
	case("snax.msgserver handshake", "unknown user", refused, 1, secret, "bm9ib2R5@c2VydmVy#Nw==")
	case("snax.msgserver handshake", "wrong secret", refused, 1, "87654321")
	case("snax.msgserver handshake", "index no number", refused, "x", secret)
	case("snax.msgserver handshake", "index zero", refused, 0, secret)
	case("snax.msgserver handshake", "nonsense", function()
		local id = socket.open("127.0.0.1", port)
		socket.write(id, frame "nonsense")
		local answer, rest = read_frame(id), socket.read(id, 1)
		socket.close(id)
		return answer, rest
	end)
	local id
	case("snax.msgserver handshake", "right", function()
		local answer
		id, answer = handshake(1, secret)
		return answer
	end)
	local function request(text, session)
		socket.write(id, frame(text .. string.pack(">I4", session)))
		return read_frame(id)
	end
	heard()
	for i, text in ipairs { "hello", "", "fail", "nothing", "ip" } do
		case("snax.msgserver request", text, request, text, i)
	end
	case("snax.msgserver request", "heard", heard)
	case("snax.msgserver request", "session again", request, "other", 1)
	case("snax.msgserver request", "several at once", function()
		socket.write(id, frame("slow" .. string.pack(">I4", 20)) .. frame("quick" .. string.pack(">I4", 21)))
		return read_frame(id), read_frame(id)
	end)
	heard()
	case("snax.msgserver", "the client leaves", function()
		socket.close(id)
		local list = {}
		eventually(function()
			list = heard()
			return #list > 0
		end)
		return list
	end)
	case("snax.msgserver handshake", "index used", refused, 1, secret)
	case("snax.msgserver handshake", "again", function()
		local answer
		id, answer = handshake(2, secret)
		return answer
	end)
	case("snax.msgserver request", "an answer of before", request, "not looked at", 2)
	case("snax.msgserver request", "without a session", function()
		socket.write(id, frame "x")
		return socket.read(id, 1)
	end)
	socket.close(id)
	eventually(function()
		return #heard() > 0
	end)
	case("snax.msgserver.logout", "while connected", function()
		local answer
		id, answer = handshake(3, secret)
		return answer, select("#", ask("logout", name)), socket.read(id, 1)
	end)
	socket.close(id)
	heard()
	case("snax.msgserver.login", "after a logout", function()
		local again = ask("login", "me", secret)
		local answer
		id, answer = handshake(1, secret)
		return again == name, answer, request("hello", 1)
	end)
	socket.close(id)
	sweep.quiet()
	sweep.apart("snax.msgserver.start", "nothing", function()
		require "snax.msgserver".start()
	end)
	sweep.apart("snax.msgserver.start", "no handlers", function()
		require "snax.msgserver".start {}
	end)
	skynet.kill(server)
	sweep.quiet()
end

---------------------------------------------------------------- logins

local function logins()
	local server = skynet.newservice "differential_login"
	local port = math.tointeger(string.match(skynet.getenv "ports", "^%d+ (%d+)"))
	case("snax.loginserver", "command", skynet.call, server, "lua", "command", 1, nil)
	case("snax.loginserver", "no command", skynet.call, server, "lua")
	local function dialogue(token, spoil)
		local id = socket.open("127.0.0.1", port)
		local challenge = crypt.base64decode(socket.readline(id))
		local key = crypt.randomkey()
		socket.write(id, crypt.base64encode(spoil == "key" and "short" or crypt.dhexchange(key)) .. "\n")
		local answer = socket.readline(id)
		if spoil ~= "key" then
			local secret = crypt.dhsecret(crypt.base64decode(answer), key)
			local proof = spoil == "proof" and "12345678" or crypt.hmac64(challenge, secret)
			socket.write(id, crypt.base64encode(proof) .. "\n")
			socket.write(id, crypt.base64encode(crypt.desencode(secret, token)) .. "\n")
			answer = socket.readline(id)
		end
		return answer, id
	end
	local function log_in(...)
		local answer, id = dialogue(...)
		socket.close(id)
		local code, text = string.match(answer or "", "^(200) (.*)$")
		return code and { code, crypt.base64decode(text) } or answer
	end
	case("snax.loginserver", "right", log_in, "me:server:right")
	case("snax.loginserver", "again", log_in, "me:server:right")
	case("snax.loginserver", "no text as answer", log_in, "no answer:server:right")
	case("snax.loginserver", "wrong word", log_in, "me:server:wrong")
	case("snax.loginserver", "no token", log_in, "")
	case("snax.loginserver", "refused", log_in, "refused:server:right")
	case("snax.loginserver", "bad key", log_in, "me:server:right", "key")
	case("snax.loginserver", "bad proof", log_in, "me:server:right", "proof")
	case("snax.loginserver", "already at it", function()
		local first
		skynet.fork(function()
			first = table.pack(log_in "slow:server:right")
		end)
		skynet.sleep(10)
		local second = table.pack(log_in "slow:server:right")
		eventually(function()
			return first
		end)
		return first, second
	end)
	case("snax.loginserver", "the client leaves", function()
		local id = socket.open("127.0.0.1", port)
		local challenge = #crypt.base64decode(socket.readline(id))
		socket.close(id)
		return challenge
	end)
	sweep.unlogged("snax.loginserver", "what comes after the answer", 20, function()
		local _, id = dialogue "me:server:right"
		return socket.read(id, 1)
	end)
	case("snax.loginserver", "goes on", log_in, "me:server:right")
	sweep.forget()
	sweep.apart("snax.loginserver", "nothing", function()
		require "snax.loginserver"()
	end)
	sweep.quiet()
end

---------------------------------------------------------------- the blocking client

local function clients()
	local client = require "client.socket"
	local listener, _, port = socket.listen("127.0.0.1", 0)
	local served
	socket.start(listener, function(id)
		socket.start(id)
		served = id
	end)
	local fd
	case("client.socket.connect", "right", function()
		fd = client.connect("127.0.0.1", port)
		return math.type(fd)
	end)
	case("client.socket.connect", "refused", client.connect, "127.0.0.1", 1)
	case("client.socket.connect", "no port", client.connect, "127.0.0.1")
	case("client.socket.connect", "nothing", client.connect)
	case("client.socket.recv", "nothing there", client.recv, fd)
	case("client.socket.send", "right", function()
		local results = select("#", client.send(fd, "hello"))
		eventually(function()
			return served
		end)
		return results, socket.read(served, 5)
	end)
	case("client.socket.recv", "right", function()
		socket.write(served, "answer")
		local text
		eventually(function()
			text = client.recv(fd)
			return text
		end)
		return text
	end)
	case("client.socket.send", "no text", client.send, fd)
	case("client.socket.send", "nothing", client.send)
	case("client.socket.recv", "nothing", client.recv)
	case("client.socket.shutdown", "bad mode", client.shutdown, fd, "x")
	case("client.socket.shutdown", "no mode", client.shutdown, fd)
	case("client.socket.shutdown", "empty mode", client.shutdown, fd, "")
	case("client.socket.shutdown", "right", function()
		return select("#", client.shutdown(fd, "w")), socket.read(served, 1)
	end)
	case("client.socket.recv", "at the end", function()
		socket.close(served)
		local text
		eventually(function()
			text = client.recv(fd)
			return text
		end)
		return text
	end)
	case("client.socket.close", "right", function()
		return select("#", client.close(fd))
	end)
	case("client.socket.close", "nothing", client.close)
	case("client.socket.usleep", "right", function()
		return select("#", client.usleep(1))
	end)
	case("client.socket.usleep", "nothing", client.usleep)
	case("client.socket.readstdin", "nothing there", client.readstdin)
	socket.close(listener)
end

sweep.run(function()
	gates()
	messages()
	logins()
	clients()
end)
