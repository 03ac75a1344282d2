-- A TCP echo server in one Lua service: a task for each connection, which reads what there is and writes it back.
-- Prints "BENCH ready 1" once it listens on the port of the config's bench_pairs; the client ends the process.
local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local function serve(id)
	socket.start(id)
	driver.nodelay(id)
	while true do
		local bytes = socket.read(id)
		if not bytes then
			break
		end
		socket.write(id, bytes)
	end
	socket.close(id)
end

skynet.start(function()
	local listener = socket.listen("127.0.0.1", tonumber(skynet.getenv "bench_pairs"), 4096)
	socket.start(listener, serve)
	io.stdout:write("\nBENCH ready 1\n")
	io.stdout:flush()
end)
