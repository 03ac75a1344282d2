-- Answers the requests of the connections it is given. Each connection has a task of its own.
local json = require "cjson"
local events = require "http.events"
local middleware = require "http.middleware"
local router = require "http.router"
local server = require "http.server"
local skynet = require "skynet"

local guestbook = tonumber((...))

local BODY_LIMIT <const> = 8192 -- larger requests are answered with 413
local MOST_NAME <const> = 100 -- bytes

-- While a page waits for the guestbook, the worker serves others.
local function ask(...)
	return skynet.call(guestbook, "lua", ...)
end

local function sign(request, name)
	if type(name) ~= "string" or name == "" or #name > MOST_NAME or not utf8.len(name) then
		request:abort(422, string.format("name has to be a text of 1 to %d bytes\n", MOST_NAME))
	end
	return ask("sign", name) or request:abort(507, "the book is full\n")
end

local app = router.new()

---------------------------------------------------------------- pages

app:static("/", "./examples/web/public") -- index.html and what it needs

app:get("/hello", function(request)
	return string.format("Hello, %s!\n", request.query.name or "stranger")
end)

app:post("/sign", function(request)
	sign(request, request:form().name)
	return request:redirect "/guests"
end)

-- A body that is made piece by piece; it is sent in chunks.
app:get("/guests", function()
	local guests = ask "list"
	local i = 0
	return function()
		i = i + 1
		return guests[i] and guests[i].name .. "\n"
	end
end)

app:not_found(function()
	return 404, "there is no such page\n"
end)

---------------------------------------------------------------- the same as JSON

local api = app:group("/api", middleware.json_errors())

api:get("/guests", function()
	local guests = ask "list"
	return { guests = #guests > 0 and guests or json.empty_array }
end)

api:post("/guests", function(request)
	local value = request:json()
	return 201, sign(request, type(value) == "table" and value.name)
end)

api:get("/guests/:id", function(request)
	return ask("get", tonumber(request.params.id)) or request:abort(404, "there is no such guest")
end)

---------------------------------------------------------------- what happens, as it happens

local watching = {} -- set of functions that send to a browser

local function event_of(guest)
	return events.encode { event = "signed", id = guest.id, data = guest }
end

-- A browser that connects again says which guest it has heard of last.
app:get("/events", function(request)
	return request:events(function(send)
		local last = math.tointeger(tonumber(send.last_id)) or 0
		local guests = ask "list" -- those who sign later are told by the command below
		watching[send] = true
		for id = last + 1, #guests do
			send(event_of(guests[id]))
		end
		send:wait() -- until the browser has gone
		watching[send] = nil
	end)
end)

---------------------------------------------------------------- connections

local command = {}

function command.serve(id, from)
	server.serve(id, app, { address = from, body = BODY_LIMIT })
end

function command.signed(guest)
	local event = event_of(guest) -- made once for all
	for send in pairs(watching) do
		send(event)
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name] or error("a worker knows no command " .. tostring(name))
		run(...) -- a send: nobody waits
	end)
end)
