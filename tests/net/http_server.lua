-- A web server for the tests of HTTP: answers "port" with its port. What it does depends on the path.
local skynet = require "skynet"
local httpd = require "http.httpd"
local urllib = require "http.url"
local sockethelper = require "http.sockethelper"
local socket = require "skynet.socket"

local BODY_LIMIT <const> = 64 * 1024
local routes = {}

routes["/echo"] = function(respond, request)
	respond(200, string.format("%s %s\n%s", request.method, request.target, request.body))
end

routes["/header"] = function(respond, request)
	respond(200, tostring(request.header[request.query.name]), { ["x-list"] = { "one", "two" }, ["x-single"] = 1 })
end

routes["/form"] = function(respond, request)
	local fields = urllib.parse_query(request.body)
	respond(200, string.format("%s|%s", fields.a, fields["b c"]))
end

routes["/chunked"] = function(respond)
	local left = 3
	respond(200, function()
		left = left - 1
		return left >= 0 and string.rep("chunk ", 1000) or nil
	end)
end

routes["/large"] = function(respond)
	respond(200, string.rep("0123456789abcdef", 64 * 1024))
end

routes["/none"] = function(respond)
	respond(204)
end

routes["/unframed"] = function(_, request)
	request.write "HTTP/1.1 200 OK\r\n\r\nuntil the "
	skynet.sleep(1)
	request.write "end"
end

routes["/continue"] = function(_, request)
	request.write "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"
end

routes["/silent"] = function()
	skynet.sleep(300)
end

routes["/broken"] = function(_, request)
	request.write "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"
end

routes["/split"] = function(respond)
	respond(200, "x", { ["x-header"] = "a\r\nset-cookie: b" })
end

local function serve(id)
	socket.start(id)
	local write = sockethelper.writefunc(id)
	local code, target, method, header, body = httpd.read_request(sockethelper.readfunc(id), BODY_LIMIT)
	local function respond(...)
		local ok, problem = httpd.write_response(write, ...)
		if not ok then
			httpd.write_response(write, 500, tostring(problem))
		end
	end
	if code == 200 then
		local path, query = urllib.parse(target)
		local handler = routes[path]
		if handler then
			handler(respond, {
				method = method,
				target = target,
				header = header,
				body = body,
				query = urllib.parse_query(query),
				write = write,
			})
		else
			respond(404)
		end
	elseif code then
		respond(code)
	end
	socket.close(id)
end

skynet.start(function()
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id)
		serve(id)
	end)
	skynet.dispatch("lua", function()
		skynet.retpack(port)
	end)
end)
