-- Middleware of http.router: its order, and what it answers itself.
local skynet = require "skynet"
local socket = require "skynet.socket"
local json = require "cjson"
local httpc = require "http.httpc"
local middleware = require "http.middleware"
local routers = require "http.router"
local check = require "check"
local serve = require "http_serving"

local cases = {}

-- An answer without a network: code, body, header.
local function ask(app, method, target, header, body)
	return app:dispatch { method = method, target = target, version = "1.1", header = header, body = body }
end

function cases.middleware_runs_from_the_outside_in()
	local seen = {}
	local function note(name)
		return function(_, next)
			seen[#seen + 1] = name
			local code, body, header = next()
			seen[#seen + 1] = "/" .. name
			return code, body, header
		end
	end
	local app = routers.new()
	local admin = app:group("/admin", note "group")
	local inner = admin:group("/inner", note "inner")
	inner:get("/x", note "route", function()
		seen[#seen + 1] = "handler"
		return "done"
	end)
	admin:use(note "later") -- it holds for what is there already
	app:use(note "router")
	local function order(method, path)
		seen = {}
		local code = ask(app, method, path)
		return code .. " " .. table.concat(seen, " ")
	end
	check.equal(
		order("GET", "/admin/inner/x"),
		"200 router group later inner route handler /route /inner /later /group /router"
	)
	check.equal(order("POST", "/admin/inner/x"), "405 router group later inner /inner /later /group /router")
	check.equal(order("GET", "/nothing"), "404 router /router")
	check.equal(order("GET", "/%"), "400 router /router")
end

function cases.middleware_may_answer_itself_and_change_the_answer()
	local app = routers.new()
	local SHARED <const> = { ["x-shared"] = "1" }
	app:use(function(request, next)
		if request:get "X-Key" ~= "secret" then
			return 401, { error = "no key" }, SHARED
		end
		local code, body, header = next()
		header["x-time"] = "5"
		return code, body, header
	end)
	app:use(function(_, next)
		local code, body, header = next()
		header["x-inner"] = "yes"
		return code, body, header
	end)
	app:get("/", function()
		return 200, "hello", SHARED
	end)
	app:get("/twice", function(_, next)
		next()
		return next()
	end, function()
		return "x"
	end)
	local code, body, header = ask(app, "GET", "/", { ["x-key"] = "secret" })
	check.equal({ code, body }, { 200, "hello" })
	check.equal({ header["x-time"], header["x-inner"], header["x-shared"] }, { "5", "yes", "1" })
	check.equal(SHARED, { ["x-shared"] = "1" }, "a table of the handler's is not changed")
	code, body, header = ask(app, "GET", "/")
	check.equal({ code, body, header["content-type"] }, { 401, '{"error":"no key"}', "application/json" })
	check.raises("called next twice", ask, app, "GET", "/twice", { ["x-key"] = "secret" })
end

function cases.pages_of_other_origins_are_answered_as_the_list_says()
	local app = routers.new()
	app:use(middleware.json_errors())
	local api = app:group(
		"/api",
		middleware.cors {
			origins = { "https://good.example" },
			credentials = true,
			expose = { "x-total" },
			max_age = 60,
		}
	)
	api:put("/x", function()
		return { ok = true }
	end)
	app:get("/open", middleware.cors(), function()
		return "open"
	end)
	local function fields(method, path, header)
		local code, _, answer = ask(app, method, path, header)
		return { code, answer["access-control-allow-origin"], answer.vary }
	end
	local preflight = { origin = "https://good.example", ["access-control-request-method"] = "PUT" }
	check.equal(fields("OPTIONS", "/api/x", preflight), {
		204,
		"https://good.example",
		"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	})
	preflight.origin = "https://bad.example"
	check.equal(fields("OPTIONS", "/api/x", preflight)[2], nil)
	check.equal(fields("PUT", "/api/x", { origin = "https://good.example" }), { 200, "https://good.example", "Origin" })
	check.equal(fields("PUT", "/api/x", { origin = "https://good.example.bad" }), { 200, nil, "Origin" })
	check.equal(fields("GET", "/open", { origin = "https://any.example" }), { 200, "*" })
	check.equal(fields("GET", "/open", {}), { 200 })
end

function cases.an_option_that_there_is_none_of_is_no_option_at_all()
	local app = routers.new()
	check.raises("cors: there is no option 'origin'", middleware.cors, { origin = "https://good.example" })
	check.raises("access_log: there is no option 'print'", middleware.access_log, { print = print })
	check.raises("access_log: options are a table, not a function", middleware.access_log, print)
	check.raises("there is no option 'maxage'", app.static, app, "/", ".", { maxage = 5 })
	check.raises("http.router: there is no option 'strct'", routers.new, { strct = true })
end

function cases.the_log_has_a_line_for_each_request()
	local app, lines, plain = routers.new(), {}, skynet.error
	skynet.error = function(...) ---@diagnostic disable-line: duplicate-set-field
		lines[#lines + 1] = table.pack(...)
	end
	app:use(middleware.access_log())
	local code = ask(app, "GET", "/nothing")
	skynet.error = plain
	check.equal({ code, #lines, lines[1].n }, { 404, 1, 1 })
	check.equal(string.gsub(lines[1][1], "%S+$", "T"), '- "GET /nothing HTTP/1.1" 404 10 T')
end

-- A page of another origin has to be able to read that its request has failed.
function cases.what_raises_has_what_middleware_adds()
	local app = routers.new()
	local seen, codes = {}, {}
	app:use(function(request, next)
		local code, body, header = next()
		seen[#seen + 1] = tostring(request.problem or "nothing")
		codes[#codes + 1] = code
		header["x-mine"] = "yes"
		return code, body, header
	end)
	app:use(middleware.cors { origins = { "https://good.example" } }, middleware.json_errors())
	app:get("/raises", function()
		error "as the test wants it"
	end)
	app:get("/returns/:what", function(request)
		local what = request.params.what
		if what == "nothing" then
			return
		elseif what == "cycle" then
			local cycle = {}
			cycle[1] = cycle
			return cycle
		end
		return what == "code" and 99 or true
	end)
	app:get("/middleware", function()
		error "in middleware"
	end, function() end)
	app:get("/aborts", function(request)
		request:abort(418, "a teapot")
	end)
	local host = serve(app)
	local function get(path)
		local received = {}
		local code, body = httpc.request("GET", host, path, received, { origin = "https://good.example" })
		check.equal(
			{ received["access-control-allow-origin"], received["x-mine"] },
			{ "https://good.example", "yes" },
			path
		)
		return code, json.decode(body).error
	end
	for path, problem in pairs {
		["/raises"] = "as the test wants it",
		["/returns/nothing"] = "has returned nothing",
		["/returns/cycle"] = "is no JSON",
		["/returns/code"] = "has to return a code",
		["/returns/true"] = "has to return a code",
		["/middleware"] = "in middleware",
	} do
		seen = {}
		check.equal({ get(path) }, { 500, "Internal Server Error" }, path)
		assert(string.find(seen[1], problem, 1, true), seen[1])
	end
	seen = {}
	check.equal({ get "/aborts" }, { 418, "a teapot" })
	check.equal(seen, { "nothing" })
	check.raises("as the test wants it", ask, app, "GET", "/raises")
end

function cases.a_connection_is_taken_over_behind_middleware()
	local app = routers.new()
	app:use(middleware.access_log { write = function() end }, middleware.json_errors(), middleware.cors())
	app:get("/raw", function(request)
		local id = request.id
		skynet.fork(function()
			socket.write(id, "mine\n")
			socket.close(id)
		end)
	end)
	local host = serve(app)
	local id = assert(socket.open(host))
	socket.write(id, "GET /raw HTTP/1.1\r\nHost: x\r\n\r\n")
	check.equal(socket.readall(id), "mine\n")
	socket.close(id)
end
check.run(cases)
