-- Limits of listeners as the config sets them. The test runs this file twice: once with few connections of an address, once with
-- short times and small sizes.
local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "check"

-- The same script serves as web servers, which read their keys once.
local role = ...
if role == "http" or role == "websocket" then
	local server = require "http.server"
	local websocket = require "http.websocket"
	skynet.start(function()
		local listener, _, port = socket.listen("127.0.0.1", 0)
		socket.start(listener, function(fd, address)
			if role == "http" then
				server.serve(fd, function()
					return 200, "hello"
				end, { address = address })
			else
				websocket.accept(fd, { message = function() end }, "ws", address)
			end
		end)
		skynet.dispatch("lua", function()
			skynet.retpack(port)
		end)
	end)
	return
end

local last_port = 0

local function fresh_port()
	last_port = last_port + 1
	return check.port(last_port)
end

local function gate(kind)
	return function()
		return skynet.call(skynet.newservice "behind_agent", "lua", "open", kind, fresh_port())
	end
end

local function web(kind)
	return function()
		return skynet.call(skynet.newservice("listener_keys", kind), "lua")
	end
end

local function at_port(name)
	return function()
		local port = fresh_port()
		skynet.newservice(name, port)
		return port
	end
end

-- Each answers its port.
local listeners = {
	gate_in_lua = gate "lua",
	gate_in_c = gate "c",
	http = web "http",
	websocket = web "websocket",
	login = at_port "login_server",
	debug_console = at_port "debug_console",
	metrics = at_port "metrics",
	harbor_master = function() -- of this node
		return string.match(skynet.getenv "master", ":(%d+)$")
	end,
	harbor_node = function()
		return string.match(skynet.getenv "address", ":(%d+)$")
	end,
	msgserver = function()
		local server = skynet.newservice "message_server"
		local port = fresh_port()
		skynet.call(server, "lua", "open", { address = "127.0.0.1", port = port, maxclient = 10, servername = "keys" })
		return port
	end,
}

local function open(port, text)
	local fd = assert(socket.open("127.0.0.1", port))
	if text then
		socket.write(fd, text)
	end
	return fd
end

local function await_end(fd)
	local all = ""
	while true do
		local some, rest = socket.read(fd)
		if not some then
			socket.close(fd)
			return all .. (rest or "")
		end
		all = all .. some
	end
end

local cases = {}

if skynet.getenv "part" == "counts" then
	-- Two of an address, or two in all, beside our own.
	for name, listen in pairs(listeners) do
		cases["the_third_connection_is_one_too_many_for_" .. name] = function()
			local port = listen()
			local ended, fds = 0, {}
			for i = 1, 3 do
				fds[i] = open(port)
				skynet.fork(function()
					repeat
					until not socket.read(fds[i])
					ended = ended + 1
					skynet.wakeup(fds)
				end)
			end
			if ended == 0 then
				skynet.wait(fds)
			end
			check.equal(ended, 1)
			for _, fd in ipairs(fds) do
				socket.close(fd)
			end
		end
	end
	return check.run(cases)
end

for name, listen in pairs(listeners) do
	cases["who_says_nothing_is_closed_in_time_by_" .. name] = function()
		await_end(open(listen()))
	end
end

local UPGRADE <const> = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	.. "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"

-- What is sent, and what comes back before the end.
local sent = {
	gate_in_lua_idle = { gate "lua", string.pack(">s2", "a packet") },
	gate_in_c_idle = { gate "c", string.pack(">s2", "a packet") },
	gate_in_c_frame = { gate "c", string.pack(">s2", string.rep("x", 100)) },
	http_idle_time = { web "http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK" },
	http_header_time = { web "http", "GET / HTTP/1.1\r\nHost:" },
	http_body_time = { web "http", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx" },
	http_header_limit = {
		web "http",
		"GET / HTTP/1.1\r\nHost: x\r\nA: " .. string.rep("x", 1000) .. "\r\n\r\n",
		"413 ",
	},
	http_fields_limit = { web "http", "GET / HTTP/1.1\r\nHost: x\r\n" .. string.rep("A: x\r\n", 10) .. "\r\n", "413 " },
	http_body_limit = { web "http", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "413 " },
	websocket_handshake_time = { web "websocket", "GET / HTTP/1.1\r\n" },
	websocket_idle_time = { web "websocket", UPGRADE, "101 " },
	websocket_message_time = { web "websocket", UPGRADE .. "\x82\x85\0\0\0\0x", "101 " },
	websocket_message_limit = {
		web "websocket",
		UPGRADE .. "\x82\xfe" .. string.pack(">I2", 1000) .. "\0\0\0\0",
		"\x03\xf1",
	},
	debug_console_idle = { at_port "debug_console", "list\n", "<CMD OK>" },
}

for name, case in pairs(sent) do
	cases["the_limit_holds_" .. name] = function()
		local listen, bytes, answer = table.unpack(case)
		local got = await_end(open(listen(), bytes))
		assert(string.find(got, answer or "", 1, true), got)
	end
end

check.run(cases)
