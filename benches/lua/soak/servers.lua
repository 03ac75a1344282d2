-- Listeners of the soak: lines that come back, and a web server that answers with the path.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"

local echo_port, http_port = ...

local function echo(fd)
	socket.start(fd)
	while true do
		local line = socket.readline(fd)
		if not line then
			break
		end
		socket.write(fd, line .. "\n")
	end
	socket.close(fd)
end

local function answer(fd)
	socket.start(fd)
	local code, path = httpd.read_request(sockethelper.readfunc(fd), 8192)
	if code then
		httpd.write_response(sockethelper.writefunc(fd), code, code == 200 and path or "")
	end
	socket.close(fd)
end

local function listen(port, serve)
	local listener = socket.listen("127.0.0.1", math.tointeger(tonumber(port)))
	socket.start(listener, function(fd)
		skynet.fork(serve, fd)
	end)
end

skynet.start(function()
	listen(echo_port, echo)
	listen(http_port, answer)
end)
