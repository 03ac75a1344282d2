-- A web server with one page; the script on that page opens a WebSocket to /echo.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local websocket = require "http.websocket"

local PAGE <const> = [[<!doctype html><title>echo</title>
<input id="text" placeholder="say something"><ul id="heard"></ul>
<script>
const server = new WebSocket("ws://" + location.host + "/echo");
server.onmessage = event => {
	const item = document.createElement("li");
	item.textContent = event.data;
	heard.append(item);
};
text.onchange = () => { server.send(text.value); text.value = ""; };
</script>
]]

-- What happens on a WebSocket. All of these are optional, and each gets the id of the connection.
local handler = {}

function handler.handshake(id, _, path)
	skynet.error("websocket", id, "from", websocket.addrinfo(id), path)
end

function handler.message(id, message, kind) -- kind: "text" or "binary"
	if message == "bye" then
		websocket.close(id, 1000, "see you")
	else
		websocket.write(id, message, kind)
	end
end

function handler.close(id, code, reason)
	skynet.error("websocket", id, "closed:", code, reason)
end

function handler.error(id, problem)
	skynet.error("websocket", id, "lost:", problem)
end

-- A connection begins with an HTTP request; some of them become WebSockets.
local function serve(id, from)
	local code, target, method, header = httpd.read_request(sockethelper.readfunc(id), 1024)
	if code == 200 and target == "/echo" then
		-- Closes the socket at its end.
		return websocket.accept(id, handler, "ws", from, {
			upgrade = { header = header, method = method, url = target },
		})
	elseif code == 200 then
		httpd.write_response(sockethelper.writefunc(id), 200, PAGE, { ["content-type"] = "text/html" })
	elseif code then
		httpd.write_response(sockethelper.writefunc(id), code)
	end
	socket.close(id)
	return true
end

skynet.start(function()
	local listener, address, port = socket.listen("127.0.0.1", tonumber(skynet.getenv "websocket_port"))
	print(string.format("the echo server listens at http://%s:%d/", address, port))
	socket.start(listener, function(id, from) -- runs in a task for each connection
		if socket.start(id) then
			local ok, problem = serve(id, from)
			if not ok then
				skynet.error(problem)
			end
		end
	end)
end)
