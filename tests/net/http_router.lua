-- Routes, middleware and answers of http.router: what path leads where, and what of it a client sees.
local skynet = require "skynet"
local httpc = require "http.httpc"
local json = require "cjson"
local middleware = require "http.middleware"
local routers = require "http.router"
local server = require "http.server"
local check = require "check"
local listen = require "listening"

local cases = {}

local function serve(app, options)
	return listen(function(id, _, address)
		options = options or {}
		options.address = address
		server.serve(id, app, options)
	end)
end

-- An answer without a network: code, body, header.
local function ask(app, method, target, header, body)
	return app:dispatch { method = method, target = target, version = "1.1", header = header, body = body }
end

local function echo(name)
	return function(request)
		local list = { name }
		for key, value in pairs(request.params) do
			list[#list + 1] = key .. "=" .. value
		end
		table.sort(list, function(a, b)
			return a ~= b and (a == name or (b ~= name and a < b))
		end)
		return table.concat(list, " ")
	end
end

local function app_of(list, options)
	local app = routers.new(options)
	for _, entry in ipairs(list) do
		local method, path = string.match(entry, "^(%S+) (.*)$")
		app:route(method, path, echo(path))
	end
	return app
end

function cases.a_path_leads_to_the_most_exact_route()
	local app = app_of {
		"GET /",
		"GET /users",
		"GET /users/new",
		"GET /users/:id",
		"GET /users/:id/posts/:post",
		"GET /users/:name/likes",
		"GET /users/new/drafts",
		"GET /files/*path",
		"GET /files/readme",
		"GET /名/:字",
		"GET /a%20b",
		"GET /%3Aliteral",
		"ANY /every",
	}
	local function leads(path, expected)
		local code, body = ask(app, "GET", path)
		check.equal({ code, body }, { 200, expected }, path)
	end
	leads("/", "/")
	leads("/?a=1", "/")
	leads("/users", "/users")
	leads("/users/", "/users")
	leads("/users/new", "/users/new")
	leads("/users/7", "/users/:id id=7")
	leads("/users/7/posts/8", "/users/:id/posts/:post id=7 post=8")
	leads("/users/new/posts/8", "/users/:id/posts/:post id=new post=8")
	leads("/users/new/likes", "/users/:name/likes name=new")
	leads("/users/new/drafts", "/users/new/drafts")
	leads("/files/", "/files/*path path=")
	leads("/files/readme", "/files/readme")
	leads("/files/readme/x", "/files/*path path=readme/x")
	leads("/files/a/b/", "/files/*path path=a/b/")
	leads("/%E5%90%8D/%E5%AD%97", "/名/:字 字=字")
	leads("/a%20b", "/a%20b")
	leads("/:literal", "/%3Aliteral")
	leads("/us%65rs/7", "/users/:id id=7")
	leads("http://example.com:80/users/7?x=1", "/users/:id id=7")
	leads("http://example.com?x=1", "/")
	for _, path in ipairs {
		"/user",
		"/users/7/posts",
		"//",
		"//users",
		"/users//posts/8",
		"/users%2F7",
		"/../users",
		"/USERS",
	} do
		check.equal((ask(app, "GET", path)), 404, path)
	end
	check.equal((ask(app, "BREW", "/every")), 200)
end

function cases.a_parameter_is_decoded_behind_the_split()
	local app = app_of { "GET /one/:part", "GET /one/:part/more", "GET /rest/*path" }
	local function value(path)
		local code, body = ask(app, "GET", path)
		return code == 200 and body or code
	end
	check.equal(value "/one/a%2Fb", "/one/:part part=a/b")
	check.equal(value "/one/a%2fb/more", "/one/:part/more part=a/b")
	check.equal(value "/one/a+b%2B", "/one/:part part=a+b+")
	check.equal(value "/one/%25%32%35", "/one/:part part=%25")
	check.equal(value "/one/%00", "/one/:part part=\0")
	check.equal(value "/rest/a%2F..%2fb", "/rest/*path path=a/../b")
	for _, path in ipairs { "/one/%", "/one/%4", "/one/%zz", "/one/%4z", "/nowhere/%", "/one/a%", "/%%", "one", "" } do
		check.equal(value(path), 400, path)
	end
	local long = string.rep("x", 64 * 1024)
	check.equal(value("/one/" .. long), "/one/:part part=" .. long)
	check.equal(value("/one/" .. string.rep("%41", 20000)), "/one/:part part=" .. string.rep("A", 20000))
	check.equal(value("/" .. string.rep("a/", 30000)), 404)
end

function cases.a_slash_at_the_end_counts_when_it_is_meant_to()
	local both = app_of { "GET /x", "GET /x/", "GET /y/", "GET /z/:id" }
	local strict = app_of({ "GET /x", "GET /y/", "GET /z/:id", "GET /r/*path" }, { strict = true })
	local function answer(app, path)
		local code, body = ask(app, "GET", path)
		return code == 200 and body or code
	end
	check.equal({ answer(both, "/x"), answer(both, "/x/"), answer(both, "/y") }, { "/x", "/x/", "/y/" })
	check.equal({ answer(both, "/z/1/"), answer(both, "/z/"), answer(both, "/x//") }, { "/z/:id id=1", 404, 404 })
	check.equal({ answer(strict, "/x"), answer(strict, "/x/"), answer(strict, "/y") }, { "/x", 404, 404 })
	check.equal(
		{ answer(strict, "/z/1/"), answer(strict, "/r"), answer(strict, "/r/") },
		{ 404, 404, "/r/*path path=" }
	)
end

function cases.methods_are_told_apart()
	local app = app_of { "GET /a", "POST /a", "DELETE /a/:id", "GET /a/new", "PATCH /only", "HEAD /own", "GET /own" }
	local function allow(method, path)
		local code, _, header = ask(app, method, path)
		return { code, header and header.allow }
	end
	check.equal(allow("PUT", "/a"), { 405, "GET, HEAD, OPTIONS, POST" })
	check.equal(allow("OPTIONS", "/a"), { 204, "GET, HEAD, OPTIONS, POST" })
	check.equal(allow("GET", "/only"), { 405, "OPTIONS, PATCH" })
	check.equal(allow("PUT", "/a/new"), { 405, "DELETE, GET, HEAD, OPTIONS" })
	check.equal(allow("OPTIONS", "*"), { 204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST" })
	check.equal(allow("GET", "*"), { 400 })
	check.equal(allow("OPTIONS", "/nowhere"), { 404 })
	check.equal(select(2, ask(app, "DELETE", "/a/new")), "/a/:id id=new", "the fixed part has no such method")
	check.equal(select(2, ask(app, "HEAD", "/a")), "/a")
	check.equal(select(2, ask(app, "HEAD", "/own")), "/own")
end

function cases.a_page_of_ones_own_is_shown_where_there_is_nothing()
	local app = app_of { "GET /a" }
	app:not_found(function(request)
		return 404, "no " .. request.path
	end)
	app:get("/users/:id", function()
		return 404
	end)
	app:get("/deep/:id", function(_, next)
		return next()
	end, function(request)
		request:abort(404, "said by the handler")
	end)
	check.equal(select(2, ask(app, "GET", "/nothing")), "no /nothing")
	check.equal(select(2, ask(app, "GET", "/users/7")), "no /users/7")
	check.equal(select(2, ask(app, "GET", "/deep/7")), "said by the handler")
	check.equal((ask(app, "POST", "/a")), 405)
	app:not_found(function()
		return { why = "nothing" }
	end)
	check.equal(
		{ ask(app, "GET", "/nothing") },
		{ 200, '{"why":"nothing"}', { ["content-type"] = "application/json" } }
	)
end

function cases.a_mistake_in_a_route_says_where_and_what()
	local app = routers.new()
	local function handler() end
	app:get("/users/:id", handler)
	check.raises("GET '/users/:name' is there already, as '/users/:id': ", app.get, app, "/users/:name", handler)
	check.raises("http_router.lua:", app.get, app, "/users/:name", handler)
	check.raises("GET '/x': function 1 of 1 is nil", app.get, app, "/x", nil)
	check.raises("function 2 of 2 is a string", app.get, app, "/x", handler, "handler")
	check.raises("there is no handler", app.get, app, "/x")
	check.raises("begins with a slash", app.get, app, "x", handler)
	check.raises("begins with a slash", app.get, app, nil, handler)
	check.raises("has to be a name behind ':'", app.get, app, "/x/:", handler)
	check.raises("has to be a name behind ':'", app.get, app, "/x/:a.json", handler)
	check.raises("has to be a name behind '*'", app.get, app, "/x/*", handler)
	check.raises("nothing can stand behind '*rest'", app.get, app, "/x/*rest/y", handler)
	check.raises("two parameters have the name 'a'", app.get, app, "/:a/:a", handler)
	check.raises("two digits", app.get, app, "/%4", handler)
	check.raises("before its query", app.get, app, "/x?a=1", handler)
	check.raises("is no method", app.route, app, "get", "/x", handler)
	check.raises("use: function 1 of 1 is a number", app.use, app, 7)
	check.raises("cors: credentials need", middleware.cors, { credentials = true })
	check.raises("is no origin", middleware.cors, { origins = { "example.com" } })
end

function cases.answers_become_what_they_are()
	local values = {
		text = { "hello" },
		table = { { a = 1 } },
		code = { 201, { id = 7 } },
		typed = { 200, "<p>", { ["Content-Type"] = "text/html" } },
		bare = { 404 },
		none = { 204 },
		empty = { 200, "" },
		list = { 200, json.empty_array },
		header = { { 1, 2 }, { ["x-a"] = "b" } },
		number = { 200, 5 },
		wrong = { 200, "x", "text/html" },
		cycle = { { f = print } },
	}
	local app = routers.new()
	app:get("/:name", function(request)
		return table.unpack(values[request.params.name])
	end)
	local function answer(name)
		local code, body, header = ask(app, "GET", "/" .. name)
		local kind = header and (header["content-type"] or header["Content-Type"])
		return { code, body or "-", kind or "-" }
	end
	check.equal(answer "text", { 200, "hello", "text/plain; charset=utf-8" })
	check.equal(answer "table", { 200, '{"a":1}', "application/json" })
	check.equal(answer "code", { 201, '{"id":7}', "application/json" })
	check.equal(answer "typed", { 200, "<p>", "text/html" })
	check.equal(answer "bare", { 404, "Not Found\n", "text/plain; charset=utf-8" })
	check.equal(answer "none", { 204, "-", "-" })
	check.equal(answer "empty", { 200, "", "-" })
	check.equal(answer "list", { 200, "[]", "application/json" })
	check.equal(answer "header", { 200, "[1,2]", "application/json" })
	check.raises("has to be a string, a table or a function, not number", answer, "number")
	check.raises("has to be a table, not string", answer, "wrong")
	check.raises("is no JSON", answer, "cycle")
end

function cases.a_request_is_read_as_what_it_says()
	local app = routers.new()
	app:use(middleware.json_errors())
	app:post("/json", function(request)
		return { got = request:json() }
	end)
	app:post("/form", function(request)
		return request:form()
	end)
	app:get("/query", function(request)
		return request.query
	end)
	app:get("/cookies", function(request)
		return request.cookies
	end)
	app:get("/abort", function(request)
		local function deep()
			request:abort(409, { why = "taken" }, { ["x-a"] = "b" })
		end
		deep()
	end)
	local host = serve(app)
	local function request(method, target, body, header)
		local received = {}
		local code, text = httpc.request(method, host, target, received, header, body)
		return code, json.decode(text), received
	end
	check.equal((request("POST", "/json", "[1,null]")), 200)
	check.equal(select(2, request("POST", "/json", '{"a":[1,2]}')), { got = { a = { 1, 2 } } })
	for _, bad in ipairs { "", "{", "nothing", '"\xff"', "[1,]", "[NaN]", "[-Infinity]", "[0x10]", "[007]" } do
		local code, value = request("POST", "/json", bad)
		check.equal({ code, value.status }, { 400, 400 }, bad)
		assert(#value.error > 10, value.error)
	end
	check.equal(select(2, request("POST", "/form", "a=1&b=%26+x&a=2")), { a = { "1", "2" }, b = "& x" })
	check.equal((request("POST", "/form", "{}", { ["content-type"] = "application/json" })), 415)
	check.equal((request("POST", "/form", string.rep("a&", 20000))), 400)
	check.equal(select(2, request("GET", "/query?x=1&y=%2F&x=%C3%A4")), { x = { "1", "ä" }, y = "/" })
	local cookies = { cookie = 'a=1; b="2 3" ;c=x=y; a=second; =no; none;d=   ' }
	check.equal(select(2, request("GET", "/cookies", nil, cookies)), { a = "1", b = "2 3", c = "x=y", d = "" })
	local code, value, received = request("GET", "/abort")
	check.equal({ code, value, received["x-a"] }, { 409, { why = "taken" }, "b" })
	local many = {}
	for i = 1, 8000 do
		many[i] = "&"
	end
	check.equal((request("GET", "/cookies", nil, { cookie = string.rep("; ", 4000) })), 200)
end

function cases.what_would_end_a_line_of_the_header_is_refused()
	local cookie = require "http.cookie"
	local app = routers.new()
	app:get("/redirect", function(request)
		return request:redirect(request.query.to)
	end)
	app:get("/field", function(request)
		return 200, "x", { ["x-a"] = request.query.to }
	end)
	app:get("/encoded/*path", function(request)
		return request:redirect("/" .. request.params.path)
	end)
	local host = serve(app)
	local function location(target)
		local received = {}
		local code = httpc.get(host, target, received)
		return { code, received.location, received["set-cookie"] }
	end
	check.equal(location "/redirect?to=/login", { 302, "/login" })
	check.equal(location "/redirect?to=/%E5%90%8D%20x", { 302, "/%E5%90%8D%20x" })
	for _, bad in ipairs { "%0d%0aset-cookie:%20a=b", "%0aset-cookie:%20a=b", "%0d" } do
		check.equal(location("/redirect?to=/" .. bad), { 500 })
		check.equal(location("/field?to=/" .. bad), { 500 })
		check.equal(location("/encoded/" .. bad), { 500 })
	end
	check.raises("has to be text", cookie.set, "a", "b; Domain=x")
	check.raises("has to be text", cookie.set, "a", "b\r\nx")
	check.raises("is no name", cookie.set, "a b", "c")
	check.raises("character that ends it", cookie.set, "a", "b", { path = "/;x" })
	check.raises("needs secure", cookie.set, "a", "b", { same_site = "none" })
	check.equal(cookie.set("a", "b"), "a=b; Path=/; SameSite=Lax")
	check.equal(
		cookie.set(
			"a",
			"b",
			{ path = false, domain = "x.org", max_age = 60, same_site = "none", secure = true, http_only = true }
		),
		"a=b; Domain=x.org; Max-Age=60; SameSite=None; Secure; HttpOnly"
	)
end

function cases.a_handler_that_raises_is_the_servers_matter_and_is_logged()
	local lines = {}
	local app = routers.new()
	app:use(middleware.access_log {
		write = function(line, facts)
			lines[#lines + 1] = string.gsub(string.gsub(line, "^%S+ ", ""), "%S+$", "") .. tostring(facts.route)
		end,
	})
	app:get("/raise/:id", function()
		error "as asked"
	end)
	app:get("/text", function()
		return "12345"
	end)
	app:get("/asks", function()
		return httpc.get("127.0.0.1:1", "/") -- a connection of its own that is lost
	end)
	app:get("/header", function()
		return 200, "text", "text/html"
	end)
	local host = serve(app)
	check.equal((httpc.get(host, "/raise/7")), 500)
	check.equal((httpc.get(host, "/text")), 200)
	check.equal((httpc.head(host, "/text")), 200)
	check.equal((httpc.get(host, '/no"%22?x')), 404)
	check.equal((httpc.get(host, "/asks")), 500)
	check.equal((httpc.get(host, "/header")), 500)
	check.equal(
		httpc.get(
			serve(function()
				return 200, "text", "text/html"
			end),
			"/"
		),
		500
	)
	check.equal(lines, {
		'"GET /raise/7 HTTP/1.1" 500 22 /raise/:id',
		'"GET /text HTTP/1.1" 200 5 /text',
		'"HEAD /text HTTP/1.1" 200 - /text',
		'"GET /no\\x22%22?x HTTP/1.1" 404 10 nil',
		'"GET /asks HTTP/1.1" 500 22 /asks',
		'"GET /header HTTP/1.1" 500 22 /header',
	})
end

function cases.a_connection_that_cannot_be_served_is_closed_and_says_why()
	local told
	local function refused(handler, options)
		local host = listen(function(id)
			told = select(2, pcall(server.serve, id, handler, options))
		end)
		local ok = pcall(httpc.get, host, "/")
		check.equal(ok, false)
		return told
	end
	local function answer()
		return 200
	end
	check.equal(string.match(refused(nil), "not nil$"), "not nil")
	check.raises("the handler is a function, or a router", error, refused(routers))
	check.raises(
		"there is no option 'per_adress'; did you mean 'per_address'? there are: address",
		error,
		refused(answer, { per_adress = 1 })
	)
	check.raises("option body has to be a number", error, refused(answer, { body = "5k" }))
	check.raises("option stream has to be true", error, refused(answer, { stream = "5k" }))
end

function cases.many_routes_are_no_slower_than_few_and_any_path_costs_its_length()
	local function steps(app, path, count)
		local began = skynet.hpc()
		for _ = 1, count do
			ask(app, "GET", path)
		end
		return skynet.hpc() - began
	end
	local few, many = routers.new(), routers.new()
	few:get("/users/:id/items/:item", echo "x")
	for i = 1, 10000 do
		many:get(string.format("/service%d/:id/items/:item", i), echo "x")
		many:get(string.format("/service%d/list", i), echo "x")
	end
	check.equal(select(2, ask(many, "GET", "/service9999/7/items/8")), "x id=7 item=8")
	local a, b = math.huge, math.huge
	for _ = 1, 5 do
		a = math.min(a, steps(few, "/users/7/items/8", 2000))
		b = math.min(b, steps(many, "/service9999/7/items/8", 2000))
	end
	assert(b < a * 10, string.format("%d routes: %.0f ns, one: %.0f ns", 20000, b / 2000, a / 2000))
	-- Each part may be fixed or a parameter: a way back at each of ten depths.
	local maze = routers.new()
	for mask = 0, 1023 do
		local parts = {}
		for bit = 0, 9 do
			parts[#parts + 1] = (mask >> bit) & 1 == 1 and "a" or ":p" .. bit
		end
		maze:get("/" .. table.concat(parts, "/") .. "/end", echo "x")
	end
	check.equal((ask(maze, "GET", "/a/a/a/a/a/a/a/a/a/a/other")), 404)
	check.equal((ask(maze, "GET", "/" .. string.rep("a/", 8000))), 404)
end

check.run(cases)
