-- An echo server for the WebSocket tests: answers "port" with its port, "events" with what happened. Argument: how messages are
-- compressed, see below.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "http.websocket"

local compression = {
	plain = { deflate = true },
	kept = { deflate = { context_takeover = true, peer_context_takeover = true, threshold = 0 } },
	small = { deflate = { context_takeover = true, window_bits = 9 } },
}
local options = compression[...]

local events = {}
local handler = {}

local function note(...)
	events[#events + 1] = table.concat({ ... }, " ")
end

function handler.handshake(id, header, target)
	note("handshake", target, header["x-mine"] or "-", websocket.addrinfo(id) and "addr", websocket.real_ip(id))
end

function handler.message(id, message, kind)
	if message == "close" then
		websocket.close(id, 4000, "bye")
	else
		websocket.write(id, message, kind)
	end
end

function handler.ping()
	note "ping"
end

function handler.close(_, code, reason)
	note("close", code, reason)
end

function handler.error(_, problem)
	note("error", problem == sockethelper.socket_error and "socket" or nil)
end

skynet.start(function()
	local port, upgrade_port
	local listener, listener2, _
	listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, addr)
		local ok, problem = websocket.accept(id, handler, "ws", addr, options)
		if not ok then
			note("failed", string.match(tostring(problem), "[^\n]*"))
		end
	end)
	-- Reads the request as a web server, then makes it a WebSocket.
	listener2, _, upgrade_port = socket.listen("127.0.0.1", 0)
	socket.start(listener2, function(id, addr)
		socket.start(id)
		local code, url, method, header = httpd.read_request(sockethelper.readfunc(id))
		assert(code == 200)
		websocket.accept(id, handler, "ws", addr, { upgrade = { header = header, method = method, url = url } })
	end)
	skynet.dispatch("lua", function(_, _, what)
		if what == "port" then
			skynet.retpack(port, upgrade_port)
		else
			skynet.retpack(events)
			events = {}
		end
	end)
end)
