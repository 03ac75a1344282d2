-- An HTTP server of httpd: answers what was asked.
local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local sweep = require "sweep"

local function answer(id)
	socket.start(id)
	local code, url, method, header, body = httpd.read_request(sockethelper.readfunc(id), 1000)
	if code == 200 then
		local status = tonumber(string.match(url, "status=(%d+)")) or 200
		httpd.write_response(
			sockethelper.writefunc(id),
			status,
			table.concat({ method, url, sweep.render(header["x-test"]), body }, "|"),
			{ ["X-Answer"] = "yes" }
		)
	elseif code then
		httpd.write_response(sockethelper.writefunc(id), code)
	end
	socket.close(id)
end

skynet.start(function()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, answer)
	skynet.dispatch("lua", function()
		skynet.retpack(port)
	end)
end)
