-- A web server with one page, whose script opens a WebSocket to /play.
--
--     from the page   "move left|right|up|down"
--     to the page     "at NAME X Y", "gone NAME"
local skynet = require "skynet"
local socket = require "skynet.socket"
local server = require "http.server"
local websocket = require "http.websocket"
local page = require "page"

local board = tonumber((...))
local names = {} -- connection -> player

-- What happens on a WebSocket; each function gets the id of the connection.
local play = {}

function play.handshake(id)
	names[id] = skynet.call(board, "lua", "join", id)
end

function play.message(id, text)
	local direction = string.match(text, "^move (%l+)$")
	if direction and names[id] then
		skynet.send(board, "lua", "move", names[id], direction)
	end
end

function play.close(id)
	if names[id] then
		skynet.send(board, "lua", "leave", names[id])
		names[id] = nil
	end
end

play.error = play.close -- the connection was lost

local function handle(request)
	if request.method ~= "GET" then
		return 405, "only GET\n"
	elseif request.target == "/" then
		return 200, page, { ["content-type"] = "text/html; charset=utf-8" }
	elseif request.target == "/play" then
		-- The connection becomes a WebSocket.
		websocket.accept(request.id, play, "ws", request.address, { upgrade = request })
		return nil
	end
	return 404, "there is no such page\n"
end

local command = {}

function command.listen(address, port)
	local listener, bound, number = socket.listen(address, port)
	socket.start(listener, function(id, from) -- runs in a task for each connection
		server.serve(id, handle, { address = from })
	end)
	return bound, number
end

-- The board has news for one of our connections; it may have gone meanwhile.
function command.tell(id, text)
	if not websocket.is_close(id) then
		websocket.write(id, text)
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(session, _, name, ...)
		local run = command[name] or error("the server knows no command " .. tostring(name))
		if session == 0 then
			run(...)
		else
			skynet.retpack(run(...))
		end
	end)
end)
