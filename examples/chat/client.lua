-- A client for the terminal: sends what you type, prints what comes.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local socket = require "skynet.socket"
local packet = require "packet"

local function print_all(server)
	for text in packet.read, server do
		print(text)
	end
	print "the connection is closed"
	skynet.abort()
end

skynet.start(function()
	local server, problem = socket.open("127.0.0.1", tonumber(skynet.getenv "chat_port"))
	if not server then
		print("no chat server: " .. problem)
		return skynet.abort()
	end
	skynet.fork(print_all, server)
	print "join NAME, say TEXT, or quit"
	local terminal = assert(socket.stdin())
	local line = socket.readline(terminal)
	while line do -- false at the end of the input
		socket.write(server, packet.pack(line))
		line = socket.readline(terminal)
	end
	socket.write(server, packet.pack "quit")
end)
