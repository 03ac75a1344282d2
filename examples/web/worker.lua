-- Answers the requests of the connections it is given. Each connection has a task of its own.
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local urllib = require "http.url"
local skynet = require "skynet"
local socket = require "skynet.socket"

local guestbook = tonumber((...))

local BODY_LIMIT <const> = 8192 -- larger requests are answered with 413

local function html(text)
	return 200, text, { ["content-type"] = "text/html; charset=utf-8" }
end

---------------------------------------------------------------- pages: "METHOD path" -> code, body, header

local pages = {}

pages["GET /"] = function()
	return html [[<h1>Guestbook</h1>
<form method="post" action="/sign"><input name="name"> <button>I was here</button></form>
<a href="/guests">guests</a>]]
end

pages["GET /hello"] = function(request)
	return 200, string.format("Hello, %s!\n", request.query.name or "stranger")
end

pages["POST /sign"] = function(request)
	local name = urllib.parse_query(request.body).name
	if not name or name == "" then
		return 400, "name is missing\n"
	end
	skynet.call(guestbook, "lua", "sign", name) -- the worker serves others meanwhile
	return 303, "", { location = "/guests" }
end

-- A body that is made piece by piece; it is sent in chunks.
pages["GET /guests"] = function()
	local names = skynet.call(guestbook, "lua", "list")
	local i = 0
	return 200, function()
		i = i + 1
		return names[i] and names[i] .. "\n"
	end
end

---------------------------------------------------------------- connections

local function answer(request)
	local page = pages[request.method .. " " .. request.path]
	if not page then
		return 404, "there is no such page\n"
	end
	local ok, code, body, header = pcall(page, request)
	if ok then
		return code, body, header
	end
	skynet.error(request.path, code) -- here the code is the problem
	return 500, "sorry\n"
end

local function serve(id)
	local code, target, method, _, body = httpd.read_request(sockethelper.readfunc(id), BODY_LIMIT)
	if not code then
		return -- the connection has ended
	end
	local write = sockethelper.writefunc(id)
	if code ~= 200 then
		return httpd.write_response(write, code)
	end
	local path, query = urllib.parse(target)
	return httpd.write_response(
		write,
		answer {
			method = method,
			path = path,
			query = urllib.parse_query(query),
			body = body,
		}
	)
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, id)
		if socket.start(id) then
			serve(id)
			socket.close(id)
		end
	end)
end)
