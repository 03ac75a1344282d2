-- Answers the requests of the connections it is given. Each connection has a task of its own.
--
--     GET    /notes       all notes
--     POST   /notes       adds one: { "text": "..." }
--     GET    /notes/ID    one note
--     DELETE /notes/ID    removes it
local skynet = require "skynet"
local json = require "cjson.safe" -- nil and why, instead of an error
local server = require "http.server"

local notes = tonumber((...))

local MOST_TEXT <const> = 1000 -- bytes
local BODY_LIMIT <const> = 8192 -- larger requests are answered with 413

local function answer(code, value)
	return code, json.encode(value) .. "\n", { ["content-type"] = "application/json" }
end

local function problem(code, text)
	return answer(code, { error = text })
end

---------------------------------------------------------------- "METHOD pattern" -> code, body, header

local routes = {}

routes["GET ^/notes$"] = function()
	local list = skynet.call(notes, "lua", "list") -- the worker serves others meanwhile
	return answer(200, { notes = #list > 0 and list or json.empty_array })
end

routes["POST ^/notes$"] = function(request)
	if not utf8.len(request.body) then
		return problem(400, "the body is not UTF-8") -- JSON is, and so are our answers
	end
	local value, why = json.decode(request.body)
	if type(value) ~= "table" then
		return problem(400, why or "an object is expected")
	end
	local text = value.text
	if type(text) ~= "string" or text == "" or #text > MOST_TEXT then
		return problem(422, "text has to be a string of 1 to " .. MOST_TEXT .. " bytes")
	elseif not utf8.len(text) then -- escapes can make what is none
		return problem(400, "text is not UTF-8")
	end
	local note, full = skynet.call(notes, "lua", "add", text)
	if not note then
		return problem(507, full)
	end
	return answer(201, note)
end

routes["GET ^/notes/(%d+)$"] = function(_, id)
	local note = skynet.call(notes, "lua", "get", tonumber(id))
	if not note then
		return problem(404, "there is no such note")
	end
	return answer(200, note)
end

routes["DELETE ^/notes/(%d+)$"] = function(_, id)
	if not skynet.call(notes, "lua", "remove", tonumber(id)) then
		return problem(404, "there is no such note")
	end
	return 204, ""
end

local function handle(request)
	local path = string.match(request.target, "^[^?]*")
	local wanted = request.method
	if wanted == "HEAD" then
		wanted = "GET" -- the server sends the header only
	end
	local allowed = {}
	for route, run in pairs(routes) do
		local method, pattern = string.match(route, "^(%u+) (.*)$")
		local id = string.match(path, pattern)
		if id then
			if method == wanted then
				return run(request, id)
			end
			allowed[#allowed + 1] = method == "GET" and "GET, HEAD" or method
		end
	end
	if #allowed > 0 then
		table.sort(allowed)
		local code, body, header = problem(405, "not with this method")
		header.allow = table.concat(allowed, ", ")
		return code, body, header
	end
	return problem(404, "there is nothing here")
end

local command = {}

function command.serve(id, from)
	server.serve(id, handle, { address = from, body = BODY_LIMIT })
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		local run = command[name] or error("a worker knows no command " .. tostring(name))
		run(...) -- a send: nobody waits
	end)
end)
