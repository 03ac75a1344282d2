-- A web server and a WebSocket echo over TLS: answers with their ports. The certificate: settings certfile, keyfile.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local interfaces = require "http.interface"
local websocket = require "http.websocket"

local LARGE <const> = string.rep("0123456789abcdef", 16 * 1024)

local function listen(serve)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, serve)
	return port
end

local function serve_web(id)
	socket.start(id)
	local interface = interfaces.server(id, true)
	local ok, problem = pcall(interface.init)
	if ok then
		local code, target, method, _, body = httpd.read_request(interface.read)
		httpd.write_response(
			interface.write,
			code,
			target == "/large" and LARGE or method .. " " .. target .. " " .. body
		)
	else
		print(problem)
	end
	socket.close(id)
	interface.close()
end

skynet.start(function()
	local web_port = listen(serve_web)
	local ws_port = listen(function(id, addr)
		local ok, problem = websocket.accept(id, { message = websocket.write }, "wss", addr)
		if not ok then
			print(problem)
		end
	end)
	skynet.dispatch("lua", function()
		skynet.retpack(web_port, ws_port)
	end)
end)
