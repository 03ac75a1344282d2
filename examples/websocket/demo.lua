-- Starts the server, and talks to it as a client.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local httpc = require "http.httpc"
local websocket = require "http.websocket"

skynet.start(function()
	skynet.newservice "echo"
	local host = "127.0.0.1:" .. skynet.getenv "websocket_port"

	local code, page = httpc.get(host, "/")
	print(string.format("the page: %d, %d bytes", code, #page))

	local id = websocket.connect("ws://" .. host .. "/echo", { ["x-user"] = "demo" })
	for _, text in ipairs { "hello", "你好", string.rep("long ", 20000) } do
		websocket.write(id, text)
		local echo = websocket.read(id)
		assert(echo == text)
		print(string.format("echo of %d bytes: %s", #echo, #echo < 20 and echo or "..."))
	end

	websocket.write(id, "bye")
	local message = websocket.read(id)
	assert(message == false) -- the server has closed; this end is closed too
	print("closed:", websocket.is_close(id))
	print "websocket is done"
	skynet.abort()
end)
