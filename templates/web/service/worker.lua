-- Answers the requests of the connections it is given. Each connection has a task of its own.
--
--     GET    /notes       all notes
--     POST   /notes       adds one: { "text": "..." }
--     GET    /notes/ID    one note
--     DELETE /notes/ID    removes it
--     GET    /events      what is added and removed, as it happens (server-sent events)
local skynet = require "skynet"
local json = require "cjson"
local middleware = require "http.middleware"
local router = require "http.router"
local server = require "http.server"

local notes = tonumber((...))

local MOST_TEXT <const> = 1000 -- bytes
local BODY_LIMIT <const> = 8192 -- larger requests are answered with 413

local app = router.new()
app:use(middleware.json_errors()) -- { "error": "..." }

-- The worker serves others while it waits for the answer.
local function ask(...)
	return skynet.call(notes, "lua", ...)
end

app:get("/notes", function()
	local list = ask "list"
	return { notes = #list > 0 and list or json.empty_array }
end)

app:post("/notes", function(request)
	local value = request:json() -- what is none is answered with 400
	local text = type(value) == "table" and value.text
	if type(text) ~= "string" or text == "" or #text > MOST_TEXT or not utf8.len(text) then
		return 422, string.format("text has to be a string of 1 to %d bytes", MOST_TEXT)
	end
	local note, full = ask("add", text)
	if not note then
		return 507, full
	end
	return 201, note
end)

local function number(request)
	return math.tointeger(tonumber(request.params.id)) or request:abort(404, "there is no such note")
end

app:get("/notes/:id", function(request)
	return ask("get", number(request)) or request:abort(404, "there is no such note")
end)

app:delete("/notes/:id", function(request)
	if not ask("remove", number(request)) then
		return 404, "there is no such note"
	end
	return 204
end)

---------------------------------------------------------------- events

local watching = {} -- set of functions that send to a client

app:get("/events", function(request)
	return request:events(function(send)
		watching[send] = true
		send:wait() -- until the client has gone
		watching[send] = nil
	end)
end)

---------------------------------------------------------------- commands

local command = {}

function command.serve(id, from)
	server.serve(id, app, { address = from, body = BODY_LIMIT })
end

-- The notes say what has changed.
function command.changed(what, note)
	for send in pairs(watching) do
		send { event = what, data = note }
	end
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name] or error("a worker knows no command " .. tostring(name))
		run(...) -- a send: nobody waits
	end)
end)
