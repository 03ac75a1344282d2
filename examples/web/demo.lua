-- Starts the server and asks it with the HTTP client of skynet.
local skynet = require "skynet"
require "skynet.manager" -- skynet.abort
local httpc = require "http.httpc"

local host = "http://127.0.0.1:" .. skynet.getenv "web_port"

local function show(request, code, body)
	local lines = {}
	for line in string.gmatch(body, "[^\n]+") do
		lines[#lines + 1] = line
	end
	print(string.format("%-24s %d  %s", request, code, table.concat(lines, ", ")))
end

skynet.start(function()
	skynet.newservice "web"
	httpc.timeout = 500 -- 1/100 s

	show("GET /hello?name=Alice", httpc.get(host, "/hello?name=Alice"))
	local received = {} -- gets the header of the response
	local code = httpc.post(host, "/sign", { name = "Bob & Carol" }, received)
	show("POST /sign", code, "-> " .. received.location)
	httpc.post(host, "/sign", { name = "小明" })
	show("GET /guests", httpc.get(host, "/guests"))
	show("GET /api/guests/2", httpc.get(host, "/api/guests/2"))
	show("GET /nothing", httpc.get(host, "/nothing"))

	httpc.request("POST", host, "/api/guests", nil, { ["content-type"] = "application/json" }, '{"name":"Dave"}')
	local source <close> = httpc.events(host .. "/events", { last_id = "2" }) -- what came behind the second guest
	local event = source:next()
	print(string.format("%-24s %s %s  %s", "GET /events", event.event, event.id, event.data))
	print "web is done"
	skynet.abort()
end)
