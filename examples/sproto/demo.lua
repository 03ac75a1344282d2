-- Starts the server and is its client.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local socket = require "skynet.socket"

local connection
local waiting = {} -- session -> what waits for the answer
local last_session = 0

-- Asks, and waits for the answer. Other tasks may ask meanwhile: answers are told apart by their session.
local function call(name, value)
	last_session = last_session + 1
	local call = {}
	waiting[last_session] = call
	connection.ask(name, value, last_session)
	skynet.wait(call)
	return call.answer
end

local function read_all()
	for kind, name_or_session, value in connection.read do
		if kind == "REQUEST" then
			print("news:", name_or_session, value.name, value.left .. " left")
		else
			local call = waiting[name_or_session]
			waiting[name_or_session] = nil
			call.answer = value
			skynet.wakeup(call)
		end
	end
	print "the server has closed"
	skynet.abort()
end

skynet.start(function()
	skynet.newservice "schema"
	skynet.newservice "server"
	local id = assert(socket.open("127.0.0.1", tonumber(skynet.getenv "sproto_port")))
	connection = require "protocol".client(id) -- needs the schema
	skynet.fork(read_all)

	local items = call("find", { tag = "sharp" }).items
	for _, number in ipairs { 1, 3 } do
		local item = items[number]
		print(item.id, item.name, item.price, table.concat(item.tags, " "))
	end
	local answer = call("buy", { id = 1, count = 2 })
	print("bought for", answer.total)
	print("a third sword:", call("buy", { id = 1 }).ok)
	connection.ask "quit"
	print "sproto is done"
end)
