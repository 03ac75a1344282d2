-- The API, as clients see it. The data is a fake, so that each answer is what this test wants.
local skynet = require "skynet"
local test = require "skynet.test"
local json = require "cjson"
local httpc = require "http.httpc"
local socket = require "skynet.socket"

local host, notes, worker

test.before(function()
	notes = test.fake(nil, { list = {} })
	worker = test.service("worker", notes.address)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	test.finally(function()
		socket.close(listener)
	end)
	socket.start(listener, function(id, from)
		skynet.send(worker, "lua", "serve", id, from)
	end)
	host = "127.0.0.1:" .. port
end)

local function request(method, target, value)
	local body = value and json.encode(value)
	local code, text = httpc.request(method, host, target, nil, { ["content-type"] = "application/json" }, body)
	return code, text ~= "" and json.decode(text) or nil
end

test("an empty list is a list", function()
	local code, text = httpc.get(host, "/notes")
	test.equal(code, 200)
	test.equal(text, '{"notes":[]}')
end)

test("what is posted is added, and answered with its number", function()
	notes:answer("add", function(text)
		return { id = 7, text = text }
	end)
	test.equal({ request("POST", "/notes", { text = "buy apples" }) }, { 201, { id = 7, text = "buy apples" } })
	test.equal(notes:count "add", 1)
end)

test("what is no note is refused, and never reaches the data", function()
	test.equal(request("POST", "/notes", { text = 5 }), 422)
	test.equal(request("POST", "/notes", { text = string.rep("x", 1001) }), 422)
	local code, answer = httpc.request("POST", host, "/notes", nil, {}, "{ no JSON")
	test.equal(code, 400)
	test.check(json.decode(answer).error)
	test.equal(httpc.request("POST", host, "/notes", nil, {}, '{"text":"\xff\xfe"}'), 400) -- no UTF-8
	test.equal(notes:count "add", 0)
end)

test("one note is found by its number", function()
	notes:answer("get", function(id)
		return id == 3 and { id = 3, text = "here" } or nil
	end)
	test.equal({ request("GET", "/notes/3") }, { 200, { id = 3, text = "here" } })
	test.equal(request("GET", "/notes/4"), 404)
end)

test("who watches hears what changes", function()
	local source <close> = httpc.events("http://" .. host .. "/events")
	local heard
	skynet.fork(function()
		heard = source:next()
	end)
	repeat -- until it watches: nobody is told of what was before
		skynet.send(worker, "lua", "changed", "added", { id = 7, text = "buy apples" })
		skynet.sleep(1)
	until heard
	test.equal(heard.event, "added")
	test.equal(json.decode(heard.data), { id = 7, text = "buy apples" })
end)

test("a wrong method and a wrong path are told apart", function()
	local header = {}
	test.equal(httpc.request("DELETE", host, "/notes", header), 405)
	test.equal(header.allow, "GET, HEAD, OPTIONS, POST")
	test.equal(request("GET", "/nothing"), 404)
end)

test("HEAD is answered as GET, without the body", function()
	local header = {}
	test.equal({ httpc.request("HEAD", host, "/notes", header) }, { 200, "" })
	test.equal(header["content-length"], tostring(#'{"notes":[]}'))
end)

test("when the data fails, the client hears of it and the next request is served", function()
	notes:answer("list", function()
		error "the disk is full"
	end)
	test.equal(httpc.get(host, "/notes"), 500)
	notes:answer("list", {})
	test.equal(httpc.get(host, "/notes"), 200)
end)
