--- A web server's connections: requests one after the other, each answered by a function.
---
---     socket.start(listener, function(id, address)
---         server.serve(id, function(request)
---             return 200, "hello\n", { ["content-type"] = "text/plain" }
---         end, { address = address, body = 8192 })
---     end)
---
--- Options, all optional. The limits have config keys too, see [operations](operations.md#limits-of-listeners):
---   address                       of the client: for the limit of connections, the log and the handler
---   protocol                      "http" (default) or "https": with the config keys certfile and keyfile
---   header, fields, body          the most bytes of a header, of its fields, the most bytes of a body
---   idle_time, header_time, body_time    1/100 s: for the next request, for its header, between pieces of its body
---   requests                      the most requests of a connection
---   connections, per_address      the most connections of this service, and of one address
---   stream                        true: handlers are called before a body has come, and read it (`request:read`); a number: also
---                                 the most bytes of a body that is read so, 0 for any (true: as `body`)
---
--- A request has these fields, those of the second part when they are asked for:
---   method, target, version       "GET", path and query as they came, "1.1" or "1.0"
---   header, body, trailers        field names in small letters; a string; the fields behind the body, if there are any
---   address                       of the client
---   path, query, cookies          the path as it came; the fields of the query, and cookies, decoded
---   params, route                 with a http.router: parameters of the path, decoded; the route's pattern
---   id, unread                    for who takes the connection over: its socket; what came behind the request

local argument = require "http.argument"
local skynet = require "skynet"
local socket = require "skynet.socket"
local aborts = require "http.abort"
local answers = require "http.answers"
local backlogs = require "http.backlog"
local bodyreaders = require "http.bodyreader"
local budgets = require "http.budget"
local clients = require "http.clients"
local deadlines = require "http.deadline"
local fields = require "http.fields"
local httpd = require "http.httpd"
local interfaces = require "http.interface"
local limitedlog = require "skynet.internal.limitedlog"
local requestobject = require "http.requestobject"
local requests = require "http.request"
local settings_of = require "http.serveroptions"
local sockethelper = require "http.sockethelper"
local sources = require "http.source"

---@class http.server
local M = {}

local connected = clients.new "http"
local log = limitedlog()
local serving = {} -- set of connections
local draining = false

-- A client that sends requests and does not read the answers is not served while so much waits, in KiB.
local MOST_BACKLOG <const> = 1024
-- After so many requests that are there already others get their turn.
local TURN <const> = 8
-- What a refused client goes on to send is read, or the answer would be lost with it: for so long, in 1/100 s,
-- and so many bytes.
local LINGER_TIME <const>, LINGER_BYTES <const> = 100, 1024 * 1024

---------------------------------------------------------------- answers

local function wants_to_persist(request)
	local connection = request.header.connection
	if request.version == "1.1" then
		return not fields.has_item(connection, "close")
	end
	return fields.has_item(connection, "keep-alive")
end

-- The header to send, and whether the connection goes on.
local function complete_header(request, header, persists)
	local complete, said = {}, nil
	for name, value in pairs(header or {}) do
		complete[name] = value
		if type(name) == "string" and string.lower(name) == "connection" then
			said = value
		end
	end
	if said then
		persists = persists and not fields.has_item(said, "close")
	elseif not persists then
		complete.connection = "close"
	elseif request.version == "1.0" then
		complete.connection = "keep-alive"
	end
	return complete, persists
end

-- Sends the header that a GET would be answered with.
local function respond_to_head(connection, code, body, header)
	local _, _, framed = fields.write_fields(header, ": ")
	if type(body) == "string" and not framed and code >= 200 and code ~= 204 and code ~= 304 then
		header["content-length"] = #body
	end
	return httpd.write_response(connection.write, code, nil, header)
end

-- Sends the pieces as they are, up to the end of the connection: HTTP/1.0 knows no chunks.
local function respond_unframed(connection, code, body, header)
	local ok, problem = httpd.write_response(connection.write, code, nil, header)
	if not ok then
		return ok, problem
	end
	return pcall(function()
		for piece in body do
			connection.write(piece)
		end
	end)
end

-- The pieces of a body, each asked for when the client has taken those before.
local function paced(connection, produce, held)
	return function()
		connection.backlog:wait(MOST_BACKLOG, connection.deadline, held.body_time)
		local piece = produce()
		if piece ~= nil and type(piece) ~= "string" then
			error("a piece of a body has to be a string, not " .. type(piece), 0)
		end
		return piece
	end
end

-- What a handler says of its answer has to be so, or the client takes one answer's end for the next one's beginning.
local function mistaken(code, body, header)
	if code == 204 or code == 205 or code == 304 or type(body) ~= "string" then
		return nil -- no body is sent; a length is that of another answer
	end
	for name, value in pairs(header or {}) do
		local field = type(name) == "string" and string.lower(name)
		if field == "content-length" and tonumber(value) ~= #body then
			return string.format(
				"the handler says content-length %s, and the body has %d bytes",
				tostring(value),
				#body
			)
		elseif field == "transfer-encoding" then
			return "the handler says transfer-encoding, and the body is a string"
		end
	end
end

-- What can be called for the pieces of a body, such as a http.stream: it may be closed when no more of them are asked for.
local function closing(body)
	local meta = type(body) == "table" and getmetatable(body)
	return meta and meta.__call and meta.__close and body or nil
end

local function report(request, problem)
	log(string.format("error: http: %s %s: %s", request.method, clients.shown(request.target), problem))
end

-- Sends an answer. Returns whether the connection goes on.
local function respond(connection, request, persists, held, code, body, header)
	local _ <close> = closing(body)
	local pieces = type(body) == "function" or (type(body) == "table" and getmetatable(body) ~= nil)
	local unframed = pieces and request.version == "1.0"
	header, persists = complete_header(request, header, persists and not unframed)
	if pieces then
		body = paced(connection, body, held)
	end
	local ok, problem = true, mistaken(code, body, header)
	if problem then
		ok = false
	elseif request.method == "HEAD" then
		ok, problem = respond_to_head(connection, code, body or "", header)
	elseif unframed then
		ok, problem = respond_unframed(connection, code, body, header)
	else
		ok, problem = httpd.write_response(connection.write, code, body or "", header)
	end
	if not ok and problem ~= sockethelper.socket_error then
		report(request, problem)
		if connection.sent == 0 then
			httpd.write_response(connection.write, 500, "", { connection = "close" })
		end
	end
	return ok and persists
end

---------------------------------------------------------------- connections

-- Reads what still comes, for a time, so that the answer is not lost with it.
local function linger(connection)
	connection.refused = true
	connection.deadline:set(LINGER_TIME)
	local read = 0
	while read < LINGER_BYTES do
		local ok, bytes = pcall(connection.read)
		if not ok then
			break
		end
		read = read + #bytes
	end
end

local function refuse(connection, code, reason, unread)
	clients.complain("http", connection.id, connection.address, reason)
	httpd.write_response(connection.write, code, "", { connection = "close" })
	connection.refused = true
	if unread then
		linger(connection)
	end
end

-- What a handler takes the connection over with. A request has these fields when they are asked for, so it is known of one that
-- returns nothing by mistake.
local function offer(connection, source)
	return {
		connection = connection,
		__index = function(request, field)
			if field == "id" then
				connection.offered = true
				return connection.id
			elseif field == "unread" then
				return source:rest()
			end
			return requestobject.index(request, field)
		end,
	}
end

-- With its traceback, unless it is an answer that was raised, or the connection that was lost.
local function traced(problem)
	if aborts.is(problem) or problem == sockethelper.socket_error then
		return problem
	end
	return debug.traceback(problem)
end

-- A handler has raised. Returns whether the connection goes on.
local function respond_to_error(connection, request, persists, held, problem)
	if problem == sockethelper.socket_error and socket.disconnected(connection.id) ~= false then
		error(problem, 0) -- it was this connection: there is nobody to answer
	elseif aborts.is(problem) then
		local ok, code, body, header = pcall(answers.of_abort, problem)
		if ok then
			return respond(connection, request, persists, held, code, body, header)
		end
		problem = code
	end
	report(request, problem)
	return respond(connection, request, false, held, 500)
end

-- Answers a request. Returns whether the connection goes on; nil: the handler has taken it over.
local function answer(connection, request, handler, persists, held)
	connection.offered = false
	local ok, code, body, header = xpcall(handler, traced, request)
	connection.sent = 0
	local reader = rawget(request, "reader")
	persists = persists and not (reader and not reader:may_persist()) and not draining
	local mistake = ok and answers.mistake(connection, code, header)
	if mistake then
		ok, code = false, mistake
	elseif ok and code == nil then
		return nil
	end
	local problem = rawget(request, "problem")
	if problem then -- of which a http.router has made an answer
		report(request, problem)
		persists = false
	end
	if ok then
		persists = respond(connection, request, persists, held, code, body, header)
	else
		persists = respond_to_error(connection, request, persists, held, code)
	end
	if reader then
		persists = persists and reader:drain()
		if not persists and not reader.done then
			linger(connection)
		end
		reader:close()
	end
	return persists
end

-- Reads a request; with the option `stream` up to its body, for which it has a reader then.
local function next_request(connection, source, held)
	local deadline = connection.deadline
	if not held.stream then
		return requests.read(source, held, held.body, deadline, connection.write)
	end
	source:credit(false)
	local request, code, reason = requests.read_header(source, held, deadline)
	deadline:clear()
	if not request then
		return nil, code, reason
	end
	request.reader, code, reason = bodyreaders.new(request, source, held, held.stream, deadline, connection.write)
	if not request.reader then
		return nil, code, reason, true
	end
	return request
end

-- Serves requests until the connection ends. Returns false when it has been taken over.
local function converse(connection, client, handler, held)
	local deadline = connection.deadline
	local source = sources.new(connection.read, nil, deadline)
	source.account = connection.account
	local offered = offer(connection, source)
	local count = 0
	while true do
		local request, code, reason, unread = next_request(connection, source, held)
		if not request then
			return refuse(connection, code, reason, unread)
		elseif request.version == "1.1" and not request.header.host then
			return refuse(connection, 400, "no field Host")
		end
		connected:heard(client)
		count = count + 1
		request.address = connection.address
		setmetatable(request, offered)
		local persists = answer(connection, request, handler, count < held.requests and wants_to_persist(request), held)
		if persists == nil then
			return false
		elseif not persists then
			return
		end
		connection.backlog:wait(MOST_BACKLOG, deadline, held.body_time)
		if count % TURN == 0 and source:pending() then
			skynet.yield()
		end
	end
end

local function open(id, options, held)
	local interface = interfaces.server(id, options.protocol == "https")
	local connection = {
		id = id,
		address = options.address,
		read = interface.read,
		close = interface.close,
		deadline = deadlines.new(id),
		backlog = backlogs.watch(id),
		account = budgets.of("http"):open(id, options.address),
		sent = 0,
	}
	function connection.write(bytes)
		interface.write(bytes)
		connection.account:wrote(#bytes)
		connection.backlog:wrote(#bytes)
		connection.sent = connection.sent + #bytes
	end
	if interface.init then
		connection.deadline:set(held.header_time)
		local ok, problem = pcall(interface.init)
		connection.deadline:clear()
		if not ok then
			interface.close()
			return nil, problem
		end
	end
	return connection
end

local function finish(connection, held)
	connection.deadline:set(held.body_time, true) -- for what is still to be sent
	socket.close(connection.id)
	connection.deadline:clear()
	if connection.close then
		connection.close()
	end
end

-- A connection whose task is killed ends with it: nobody else would answer the client.
local Task = {
	__close = function(task)
		if task.over then
			return
		end
		connected:remove(task.client)
		local connection = task.connection
		if not connection then
			return socket.close(task.id)
		end
		serving[connection] = nil
		connection.account:close()
		skynet.fork(finish, connection, task.held) -- what waits to be sent has its time limit
	end,
}

local function serve(task, handler, options, held)
	local id = task.id
	local ok, problem = socket.start(id)
	if not ok then
		return false, problem
	end
	local connection
	connection, problem = open(id, options, held)
	if not connection then
		socket.close(id)
		return false, problem
	end
	serving[connection], task.connection = true, connection
	ok, problem = pcall(converse, connection, task.client, handler, held)
	serving[connection] = nil
	local deadline = connection.deadline
	if deadline.expired and not deadline.idle and not connection.refused then
		clients.complain("http", id, options.address, "too slow")
	end
	if ok and problem == false then
		deadline:clear() -- taken over
	else
		finish(connection, held)
	end
	connection.account:close()
	if ok or problem == sockethelper.socket_error then
		return true
	end
	return false, problem
end

--- Serves a connection that was accepted until it ends. Yields.
---
--- The handler gets a request, with the fields above and the methods below, and returns code, body and header as for
--- httpd.write_response; the body may also be an object that can be called, such as a http.stream, which is closed at the end. When
--- it raises, the client gets 500 and the connection ends. When it returns nil after it has asked for `request.id`, the connection
--- is its own: `websocket.accept(request.id, ..., { upgrade = request })`; `unread` is what has come behind the request, and is to
--- be asked for once.
---@param id integer socket, started here
---@param handler fun(request: table): integer?, (string|fun(): string?)?, table? or a http.router
---@param options table? see above
---@return boolean ok, any problem
function M.serve(id, handler, options)
	local ok, held, given = pcall(settings_of, handler, options)
	if not ok then
		pcall(socket.close_fd, id) -- or the client would wait; one that is started already is its owner's
		error(held, 2)
	end
	options = given
	local client, problem = connected:add(id, options.address, held)
	if not client then
		socket.close_fd(id)
		return false, problem
	end
	local task <close> = setmetatable({ id = id, client = client, held = held }, Task)
	local called
	called, ok, problem = pcall(serve, task, handler, options, held)
	connected:remove(client)
	task.over = true
	if not called then
		pcall(socket.close, id) -- such as without a certificate: no other task knows of it
		return false, ok
	end
	return ok, problem
end

--- Ends what this service serves, in order: idle connections at once, others with the answer they wait for, events between two of
--- them. Connections that come later end with their first answer. For `skynet.on_shutdown` and `cluster.on_drain`. Yields.
---@param time integer? 1/100 s, after which it returns although connections are left; nil: 500
---@return integer left connections
function M.drain(time)
	argument.check(time or 0, "integer", "server.drain: the time")
	draining = true
	local events = package.loaded["http.events"]
	if events then
		events.close_all()
	end
	local limit = skynet.now() + (time or 500)
	while true do
		local left = 0
		for connection in pairs(serving) do
			left = left + 1
			if connection.deadline.idle then
				socket.shutdown(connection.id)
			end
		end
		if left == 0 or skynet.now() >= limit then
			return left
		end
		skynet.sleep(5)
	end
end

return M
