--- Routes of a web server: which function answers a path and a method, and what runs around it.
---
---     local router = require "http.router"
---     local app = router.new()
---
---     app:use(require "http.middleware".access_log())
---     app:get("/users/:id", function(request)
---         return users[request.params.id] or request:abort(404, "there is no such user")
---     end)
---
---     socket.start(listener, function(id, address)
---         server.serve(id, app, { address = address })
---     end)
---
--- Paths: `:name` is one part of a path, decoded (`%2F` in it is a slash of the value), never an empty one; `*name`, at the end, is
--- all the rest, and may be empty. A fixed part goes before a parameter, a parameter before a rest, whatever the order of the
--- routes. A slash at the end makes no difference, unless there are routes for both, or the option `strict` is set. What is no
--- percent-encoding is answered with 400, a path that leads nowhere with 404, a method without a route with 405 and `Allow`. `HEAD`
--- is answered by the route of `GET`, and `OPTIONS` by itself, where there is no route for it.
---
--- Handlers get the request ([http.server](#httpserver)) with `params` and `route`, and return code, body and header. A table as
--- body is sent as JSON, a string as text unless the header has a content-type; without a code it is 200: `return { id = 7 }`.
---
--- Middleware is a function around handlers: `function(request, next) return next() end`. `next()` gives code, body and header as
--- they will be sent; the header is a table of this answer alone, which may be changed. The code is nil where a handler has taken
--- the connection over. What raises is 500 for the middleware around it, so that it has what middleware adds; `request.problem` is
--- what was raised, the server logs it, and the connection ends. It runs in this order: that of the router (for all requests, answered or not), of the group, of the groups
--- in it, of the route; each in the order of `use`. Whether a route was registered before or after a `use` makes no difference.

local argument = require "http.argument"
local aborts = require "http.abort"
local answers = require "http.answers"
local optionlists = require "http.options"
local requestobject = require "http.requestobject"
local socket = require "skynet.socket"
local sockethelper = require "http.sockethelper"
local trees = require "http.routetree"

local byte, find = string.byte, string.find

---@class http.router
local M = {}

---@class http.router.Group
local Group = {}
Group.__index = Group

---@class http.router.Router: http.router.Group
local Router = setmetatable({}, { __index = Group })
Router.__index = Router

---------------------------------------------------------------- registering

-- Where in the user's code a function of this file was called.
local function caller()
	for level = 3, 20 do
		local info = debug.getinfo(level, "Sl")
		if not info then
			break
		elseif info.source ~= debug.getinfo(1, "S").source and info.currentline > 0 then
			return string.format("%s:%d", info.short_src, info.currentline), level
		end
	end
	return "?", 1
end

local function mistake(text)
	local where = caller()
	error(string.format("%s: http.router: %s", where, text), 0)
end

local function check_functions(what, list)
	for index = 1, list.n do
		if not answers.is_callable(list[index]) then
			mistake(
				string.format(
					"%s: function %d of %d is %s; a handler or middleware is a function, or an object that can be called",
					what,
					index,
					list.n,
					list[index] == nil and "nil (is its name written well, and the module loaded?)"
						or "a " .. type(list[index])
				)
			)
		end
	end
end

local function join(prefix, path)
	if type(path) ~= "string" or string.byte(path) ~= 47 then
		mistake(string.format("a path begins with a slash, as '/users/:id', and %s does not", trees.shown(path)))
	end
	return (path == "/" and prefix ~= "") and prefix or prefix .. path
end

local function add(group, method, path, functions)
	local router = group.router
	path = join(group.prefix, path)
	local what = string.format("%s '%s'", method, path)
	if functions.n == 0 then
		mistake(what .. ": there is no handler")
	end
	check_functions(what, functions)
	local where = caller()
	local ok, problem = pcall(router.tree.add, router.tree, method, path, {
		pattern = path,
		where = where,
		group = group,
		functions = functions,
	})
	if not ok then
		mistake(problem)
	end
	router.methods[method] = true
end

--- Adds a route for any method, or several. Raises for a route that is there already. Does not yield.
---@param methods string|string[] such as "GET", { "GET", "POST" }; "ANY": all that have no route of their own
---@param path string
---@param ... fun(request: table, next: fun()): any middleware of this route, and its handler as the last
function Group:route(methods, path, ...)
	for _, method in ipairs(type(methods) == "table" and methods or { methods }) do
		if type(method) ~= "string" or not string.find(method, "^%u[%u%d_-]*$") then
			mistake(string.format("%s is no method; it is one as 'GET'", trees.shown(method)))
		end
		add(self, method, path, table.pack(...))
	end
end

local function adder(method)
	return function(self, path, ...)
		add(self, method, path, table.pack(...))
	end
end

--- get(path, ..., handler): a route for GET, and HEAD. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.get = adder "GET"
--- post(path, ..., handler): a route for POST. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.post = adder "POST"
--- put(path, ..., handler): a route for PUT. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.put = adder "PUT"
--- patch(path, ..., handler): a route for PATCH. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.patch = adder "PATCH"
--- delete(path, ..., handler): a route for DELETE. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.delete = adder "DELETE"
--- any(path, ..., handler): for the methods that have no route of their own. Does not yield.
---@type fun(self, path: string, ...: fun(request: table, next: fun()): any)
Group.any = adder "ANY"

--- Has middleware run around the handlers of a group, of a router around all requests. Does not yield.
---@param ... fun(request: table, next: fun()): any
function Group:use(...)
	local functions = table.pack(...)
	check_functions("use", functions)
	for index = 1, functions.n do
		self.middleware[#self.middleware + 1] = functions[index]
	end
	self.router.chains = setmetatable({}, { __mode = "k" })
end

--- Makes a group: routes with a common prefix and middleware. Does not yield.
---@param prefix string "" or a path, which may have parameters
---@param ... fun(request: table, next: fun()): any middleware
---@return http.router.Group group
function Group:group(prefix, ...)
	if prefix ~= "" then
		prefix = string.gsub(join("", prefix), "/$", "")
	end
	local group = setmetatable({
		router = self.router,
		parent = self,
		prefix = self.prefix .. prefix,
		middleware = {},
	}, Group)
	group:use(...)
	return group
end

--- Serves the files of a folder: `app:static("/assets", "./public")`. Does not yield, reads nothing yet.
---@param prefix string
---@param folder string
---@param options table? see http.static
function Group:static(prefix, folder, options)
	argument.check(prefix, "text", "static: the prefix")
	local ok, handler = pcall(require "http.static".new, folder, options)
	if not ok then
		mistake(handler)
	end
	self:get((prefix == "/" and "" or string.gsub(prefix, "/$", "")) .. "/*path", handler)
end

--- Makes a router. Does not yield.
---@param options table? strict: a slash at the end of a path makes another path
---@return http.router.Router router to be given to server.serve as the handler
function M.new(options)
	options = optionlists.check("http.router", options, { "strict" })
	local router = setmetatable({
		tree = trees.new(options.strict),
		prefix = "",
		middleware = {},
		methods = {}, -- those that there is a route for
		chains = setmetatable({}, { __mode = "k" }), -- route -> functions to run
	}, Router)
	router.router = router
	return router
end

---------------------------------------------------------------- running

-- What was raised, with its traceback. What was caught before goes on as it is.
local Raised = {
	__name = "http.error",
	__tostring = function(self)
		return self.text
	end,
}

local function caught(problem)
	if aborts.is(problem) or getmetatable(problem) == Raised or problem == sockethelper.socket_error then
		return problem
	end
	return setmetatable({ text = tostring(debug.traceback(problem)) }, Raised)
end

local function copied(code, body, header)
	local copy = {}
	for name, value in pairs(header or {}) do
		copy[name] = value
	end
	return code, body, copy
end

-- The connection of a request; nil: it is one of `dispatch`.
local function connection_of(request)
	local meta = getmetatable(request)
	return meta and meta.connection
end

-- What was raised is an answer for the middleware around it, which adds what it adds to all: the client sees that it has failed.
-- http.server logs `problem`.
local function fail(request, problem)
	local connection = connection_of(request)
	if aborts.is(problem) then
		local ok, code, body, header = pcall(answers.of_abort, problem)
		if ok then
			return code, body, header
		end
		problem = code
	elseif connection and problem == sockethelper.socket_error and socket.disconnected(connection.id) ~= false then
		error(problem, 0) -- it was the client's own connection: there is nobody to answer
	end
	local former = rawget(request, "problem")
	rawset(request, "problem", former and string.format("%s\n%s", former, problem) or problem)
	return answers.complete(500)
end

-- What a handler has returned. A 404 that says no more is told as those of the router.
local function complete(chain, request, code, body, header)
	local missing = chain.router.missing
	if code == 404 and body == nil and header == nil and missing then
		code, body, header = missing(request)
	end
	return answers.complete(code, body, header)
end

local function finish_handler(chain, request, ok, ...)
	if not ok then
		return fail(request, (...))
	end
	local connection = connection_of(request)
	local completed, code, body, header = pcall(complete, chain, request, ...)
	local problem = completed and connection and answers.mistake(connection, code, header) or not completed and code
	if problem then
		return fail(request, problem)
	end
	return code, body, header
end

local function finish(request, ok, ...)
	if not ok then
		return fail(request, (...))
	end
	local completed, code, body, header = pcall(answers.complete, ...)
	if not completed then
		return fail(request, code)
	end
	return code, body, header
end

-- Where a function stands, for programmers.
local function place_of(func)
	if type(func) ~= "function" then
		return tostring(func)
	end
	local info = debug.getinfo(func, "S")
	return string.format("%s:%d", info.short_src, info.linedefined)
end

-- Runs the functions of a chain from `at` on, each around those behind it.
local function run(chain, at, request)
	local func = chain[at]
	if at == #chain then
		return finish_handler(chain, request, xpcall(func, caught, request))
	end
	local called = false
	return finish(
		request,
		xpcall(func, caught, request, function()
			if called then
				error(string.format("the middleware of %s called next twice", place_of(func)), 2)
			end
			called = true
			return copied(run(chain, at + 1, request))
		end)
	)
end

-- The functions of a group and those it is in, then these.
local function make_chain(group, functions)
	local groups, chain = {}, { router = group.router }
	while group do
		table.insert(groups, 1, group)
		group = group.parent
	end
	for _, one in ipairs(groups) do
		table.move(one.middleware, 1, #one.middleware, #chain + 1, chain)
	end
	return table.move(functions, 1, functions.n, #chain + 1, chain)
end

local function chain_of(router, key, group, functions)
	local chain = router.chains[key]
	if not chain then
		chain = make_chain(group, functions)
		router.chains[key] = chain
	end
	return chain
end

local function not_found()
	return 404
end

local function malformed()
	return 400, "the path is no valid percent-encoding\n"
end

--- Sets the handler for paths that lead nowhere, and for handlers that return 404 and no more, as those of `static`. Does not yield.
---@param handler fun(request: table): any
function Router:not_found(handler)
	check_functions("not_found", table.pack(handler))
	self.missing = handler
end

local function allowed(list)
	local names, listed = { "OPTIONS" }, { OPTIONS = true }
	for _, methods in ipairs(list) do
		for method in pairs(methods) do
			if not listed[method] then
				listed[method] = true
				names[#names + 1] = method
			end
		end
	end
	if listed.GET and not listed.HEAD then
		names[#names + 1] = "HEAD"
	end
	table.sort(names)
	return table.concat(names, ", ")
end

-- The name that comes first.
local function least(methods)
	local first
	for name in pairs(methods) do
		if not first or name < first then
			first = name
		end
	end
	return first
end

local function no_method(request)
	local code = request.method == "OPTIONS" and 204 or 405
	return code, nil, { allow = request.allowed }
end

local NOT_FOUND <const> = { n = 1, not_found }
local MALFORMED <const> = { n = 1, malformed }
local NO_METHOD <const> = { n = 1, no_method }

-- The chain for a path without a route, or without one for the method: then the middleware of the path's group runs around the
-- answer, which may be that of CORS to OPTIONS.
local function chain_without_route(router, request, passed)
	request.params = {}
	local methods = passed[1]
	if methods then
		request.allowed = allowed(passed)
		return make_chain(methods[least(methods)].group, NO_METHOD)
	elseif request.path == "*" and request.method == "OPTIONS" then
		request.allowed = allowed { router.methods }
		return chain_of(router, NO_METHOD, router, NO_METHOD)
	elseif request.path == "*" then
		return chain_of(router, MALFORMED, router, MALFORMED)
	end
	return chain_of(router, NOT_FOUND, router, NOT_FOUND)
end

-- The functions that answer a request.
local function chain_for(router, request)
	local target = request.target
	local path = target
	if byte(target) ~= 47 or find(target, "?", 1, true) then
		path = requestobject.path(target)
	end
	if path and byte(path) == 47 and trees.is_encoded_well(path) then
		local route, params = router.tree:find(request.method, path)
		if not route then
			return chain_without_route(router, request, params)
		end
		request.params, request.route = params, route.pattern
		return router.chains[route] or chain_of(router, route, route.group, route.functions)
	elseif path == "*" then
		return chain_without_route(router, request, {})
	end
	request.params = {}
	return chain_of(router, MALFORMED, router, MALFORMED)
end

--- Answers a request, for tests: what a function of it raises is raised here, where middleware has seen its answer (500). Yields if a
--- function of it does.
---@param request table of http.server; or a table of your own with method, target, header, body
---@return integer? code, (string|fun(): string?)? body, table? header as for httpd.write_response
function Router:dispatch(request)
	argument.check(request, "table", "dispatch: a request")
	if not getmetatable(request) then
		argument.check(request.method, "text", "dispatch: method of the request")
		argument.check(request.target, "text", "dispatch: target of the request")
		requestobject.adopt(request)
	end
	local code, body, header = run(chain_for(self, request), 1, request)
	local problem = rawget(request, "problem")
	if problem then
		error(problem, 0)
	end
	return code, body, header
end

-- As server.serve calls it, which answers what is raised itself.
function Router:__call(request)
	local chain = chain_for(self, request)
	if #chain == 1 then
		return complete(chain, request, chain[1](request))
	end
	return run(chain, 1, request)
end

--- The router as a function. Does not yield.
---@return fun(request: table): integer?, (string|fun(): string?)?, table?
function Router:handler()
	return function(request)
		return self(request)
	end
end

return M
