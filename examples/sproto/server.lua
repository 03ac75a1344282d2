-- A shop: answers requests of clients, and tells all of them what was sold.
local skynet = require "skynet"
local socket = require "skynet.socket"
local protocol = require "protocol"

local stock = {
	[1] = { id = 1, name = "sword", price = 12.50, tags = { "iron", "sharp" } },
	[2] = { id = 2, name = "apple", price = 0.25, tags = { "food" } },
	[3] = { id = 3, name = "knife", price = 3, tags = { "iron", "sharp", "small" } },
}
local left = { 2, 100, 5 } -- how many of each
local connections = {} -- id -> connection

local on = {} -- requests of client.sproto

function on.find(request)
	local found = {}
	for id, item in pairs(stock) do
		for _, tag in ipairs(item.tags) do
			if tag == request.tag then
				found[id] = item
			end
		end
	end
	return { items = found }
end

function on.buy(request)
	local item = stock[request.id]
	local count = request.count or 1 -- a field that was not sent is nil
	if not item or left[item.id] < count then
		return { ok = false }
	end
	left[item.id] = left[item.id] - count
	for _, connection in pairs(connections) do
		connection.ask("sold", { name = item.name, left = left[item.id] })
	end
	return { ok = true, total = item.price * count }
end

local function serve(connection)
	for _, name, request, respond in connection.read do
		if name == "quit" then
			return
		end
		local answer = on[name](request)
		if respond then -- the client expects an answer
			connection.write(respond(answer))
		end
	end
end

skynet.start(function()
	local listener = socket.listen("127.0.0.1", tonumber(skynet.getenv "sproto_port"))
	socket.start(listener, function(id)
		if not socket.start(id) then
			return
		end
		connections[id] = protocol.server(id)
		local ok, problem = pcall(serve, connections[id])
		if not ok then
			skynet.error("client", id, problem) -- bytes that are no message, for one
		end
		connections[id] = nil
		socket.close(id)
	end)
end)
