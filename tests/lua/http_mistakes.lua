-- Mistakes in calls of the HTTP modules: the error is told at the line of the call, in words about what was given.
local cookie = require "http.cookie"
local events = require "http.events"
local httpc = require "http.httpc"
local middleware = require "http.middleware"
local requestobject = require "http.requestobject"
local routers = require "http.router"
local server = require "http.server"
local url = require "http.url"
local websocket = require "http.websocket"
local check = require "check"

local cases = {}

local function request()
	local made = { method = "GET", target = "/x", header = {}, body = "abc", params = {} }
	requestobject.adopt(made)
	return made
end

local NAN <const> = 0 / 0
local BUT_TEXT <const> = { {}, true, print }
local BUT_TABLE <const> = { -1, 1.5, NAN, true, print }
local BUT_NUMBER <const> = { "text", {}, true, print, 1.5, NAN }

-- What is called, and what it is given.
local mistakes = {
	["cookie.parse"] = {
		{ true, print },
		function(value)
			local _ = cookie.parse(value)
		end,
	},
	["cookie.set, name"] = {
		BUT_TEXT,
		function(value)
			cookie.set(value, "x")
		end,
	},
	["cookie.set, options"] = {
		BUT_TABLE,
		function(value)
			cookie.set("a", "b", value)
		end,
	},
	["cookie.set, path"] = {
		{ {}, 1, true, print },
		function(value)
			cookie.set("a", "b", { path = value })
		end,
	},
	["cookie.set, max_age"] = {
		BUT_NUMBER,
		function(value)
			cookie.set("a", "b", { max_age = value })
		end,
	},
	["url.escape"] = {
		BUT_TEXT,
		function(value)
			url.escape(value)
		end,
	},
	["url.unescape"] = {
		BUT_TEXT,
		function(value)
			url.unescape(value)
		end,
	},
	["url.query"] = {
		BUT_TABLE,
		function(value)
			url.query(value)
		end,
	},
	["url.parse"] = {
		BUT_TEXT,
		function(value)
			url.parse(value)
		end,
	},
	["url.parse_query"] = {
		BUT_TEXT,
		function(value)
			url.parse_query(value)
		end,
	},
	["httpc.new"] = {
		BUT_TABLE,
		function(value)
			httpc.new(value)
		end,
	},
	["httpc.events"] = {
		BUT_TEXT,
		function(value)
			local _ = httpc.events(value)
		end,
	},
	["httpc.events, options"] = {
		BUT_TABLE,
		function(value)
			local _ = httpc.events("http://127.0.0.1/", value)
		end,
	},
	["router.static"] = {
		BUT_TEXT,
		function(value)
			routers.new():static(value, ".")
		end,
	},
	["router.dispatch"] = {
		BUT_TABLE,
		function(value)
			local _ = routers.new():dispatch(value)
		end,
	},
	["server.drain"] = {
		BUT_NUMBER,
		function(value)
			local _ = server.drain(value)
		end,
	},
	["server.serve, options"] = {
		BUT_TABLE,
		function(value)
			server.serve(1, print, value)
		end,
	},
	["events.encode"] = {
		BUT_TABLE,
		function(value)
			local _ = events.encode { retry = value }
		end,
	},
	["middleware.body_limit"] = {
		BUT_NUMBER,
		function(value)
			local _ = middleware.body_limit(value)
		end,
	},
	["request:limit"] = {
		BUT_NUMBER,
		function(value)
			request():limit(value)
		end,
	},
	["request:read"] = {
		BUT_NUMBER,
		function(value)
			local _ = request():read(value)
		end,
	},
	["request:pieces"] = {
		BUT_NUMBER,
		function(value)
			local _ = request():pieces(value)
		end,
	},
	["request:get"] = {
		BUT_TEXT,
		function(value)
			local _ = request():get(value)
		end,
	},
	["request:redirect"] = {
		{ 1, {}, true, print, "a\nb" },
		function(value)
			local _ = request():redirect(value)
		end,
	},
	["request:redirect, code"] = {
		{ "302", 200, 304, {}, 302.5 },
		function(value)
			local _ = request():redirect("/", value)
		end,
	},
	["websocket.connect"] = {
		BUT_TEXT,
		function(value)
			local _ = websocket.connect(value)
		end,
	},
	["websocket.connect, time limit"] = {
		BUT_NUMBER,
		function(value)
			local _ = websocket.connect("ws://127.0.0.1:1/", nil, value)
		end,
	},
	["websocket.accept, options"] = {
		BUT_TABLE,
		function(value)
			local _ = websocket.accept(1, {}, "ws", "x", value)
		end,
	},
}

for name, mistake in pairs(mistakes) do
	cases["a_mistake_is_told_at_the_line_of_who_makes_it_" .. string.gsub(name, "%W+", "_")] = function()
		local values, call = mistake[1], mistake[2]
		for _, value in ipairs(values) do
			local ok, problem = pcall(call, value)
			check.equal({ ok, type(problem) }, { false, "string" }, tostring(value))
			local place = string.find(problem, "^[^\n:]*http_mistakes%.lua:%d+: ")
			assert(place, string.format("%s: %s", tostring(value), problem))
			for _, words in ipairs { "attempt to", "bad argument", "lualib" } do
				assert(not string.find(problem, words, 1, true), problem)
			end
		end
	end
end

function cases.what_is_missing_is_told_too()
	check.raises('redirect: a location is needed, as "/login", not nil', function()
		return (request():redirect())
	end)
	check.raises("cookie: max_age has to be a whole number of seconds, as 3600, not soon", function()
		return (cookie.set("a", "b", { max_age = "soon" }))
	end)
	check.equal(cookie.set("a", "b", { max_age = 60.0, same_site = false }), "a=b; Path=/; Max-Age=60")
end

-- As handlers do it: nobody knows who has called what a function returns by.
function cases.a_mistake_in_what_is_returned_is_told_without_a_wrong_place()
	local ok, problem = pcall(function()
		return request():redirect()
	end)
	check.equal({ ok, problem }, { false, 'redirect: a location is needed, as "/login", not nil' })
end

check.run(cases)
