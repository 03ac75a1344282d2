-- Starts the server and lets two clients talk, over TCP as clients on other machines would.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local socket = require "skynet.socket"
local packet = require "packet"

local function connect(name)
	local id = assert(socket.open("127.0.0.1", tonumber(skynet.getenv "chat_port")))
	local client = {}

	function client.send(text)
		socket.write(id, packet.pack(text))
	end

	-- Reads one packet, and shows it.
	function client.hear()
		local text = packet.read(id)
		print(string.format("%-5s hears  %s", name, text or "(end of the connection)"))
		return text
	end

	function client.join()
		client.send("join " .. name)
		client.hear()
	end

	function client.close()
		socket.close(id)
	end

	return client
end

skynet.start(function()
	skynet.newservice "server"
	local alice, bob = connect "Alice", connect "Bob"
	alice.join()
	bob.join()
	alice.hear() -- Bob comes in
	bob.send "say Hello, Alice!"
	alice.hear()
	alice.send "say Hi Bob."
	bob.hear()
	bob.send "dance"
	bob.hear()
	bob.send "quit"
	bob.hear()
	assert(bob.hear() == nil)
	bob.close()
	alice.hear() -- Bob has left
	alice.close()
	print "chat is done"
	skynet.abort()
end)
