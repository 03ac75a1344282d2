-- Engines of discovery that answer what makes no sense: it is told who has answered what, in words, and what was known stays.
local skynet = require "skynet"
local crypt = require "skynet.crypt"
local socket = require "skynet.socket"
local server = require "http.server"
local json = require "skynet.internal.json"
local etcd = require "skynet.cluster.provider.etcd"
local redis = require "skynet.cluster.provider.redis"
local check = require "check"

local cases = {}

local KEY <const> = crypt.base64encode "game/nodes/a"

-- What a node asks for, and right answers.
local right = {
	["/v3/lease/grant"] = '{"ID":"7587862","TTL":"10"}',
	["/v3/lease/keepalive"] = '{"result":{"ID":"7587862","TTL":"10"}}',
	["/v3/kv/range"] = '{"header":{"revision":"5"}}',
	["/v3/kv/put"] = '{"header":{"revision":"6"}}',
	["/v3/kv/txn"] = string.format(
		'{"header":{"revision":"5"},"responses":[{"response_range":{"kvs":[{"value":"%s"}]}},'
			.. '{"response_range":{"kvs":[{"key":"%s","value":"%s"}]}}]}',
		crypt.base64encode "lineage 1767225600",
		KEY,
		crypt.base64encode "{}"
	),
	["/v3/auth/authenticate"] = '{"token":"secret"}',
	["/v3/watch"] = string.format(
		'{"result":{"created":true}}\n{"result":{"header":{"revision":"6"},"events":[{"kv":{"key":"%s","value":"e30="}}]}}\n',
		KEY
	),
}

-- Whatever stands where in an answer is replaced by each of these, one after the other.
local NONSENSE <const> = { "null", "17", '"text"', "true", "[]", "{}", "[null]", "1.5", '"YWJ"', '"-1"' }

-- Answers in each of which one value is another one; and some that are no answers at all.
local function wrong_answers(text)
	local list = { "", "null", "[]", "17", '"text"', "{", "<html>", "{}", string.sub(text, 1, #text // 2) }
	local at = 1
	while true do
		local start, stop = string.find(text, '"[^"]*"%f[,}%]]', at) -- a text that is a value
		if not start then
			break
		end
		for _, nonsense in ipairs(NONSENSE) do
			list[#list + 1] = string.sub(text, 1, start - 1) .. nonsense .. string.sub(text, stop + 1)
		end
		at = stop + 1
	end
	for from in string.gmatch(text, '":()[{%[]') do -- an object, or a list
		local stop = select(2, string.find(text, string.sub(text, from, from) == "{" and "^%b{}" or "^%b[]", from))
		for _, nonsense in ipairs(NONSENSE) do
			list[#list + 1] = string.sub(text, 1, from - 1) .. nonsense .. string.sub(text, stop + 1)
		end
	end
	return list
end

local LUAS_OWN <const> = { "attempt to", "bad argument", "lualib", "nil value", "stack traceback", "Invalid base64" }

local function check_words(problem, port, path)
	problem = tostring(problem)
	for _, words in ipairs(LUAS_OWN) do
		assert(not string.find(problem, words, 1, true), problem)
	end
	local names_it = string.find(problem, "etcd", 1, true)
		and (string.find(problem, path, 1, true) or string.find(problem, ":" .. port, 1, true))
	assert(names_it, problem)
end

-- A provider of an etcd that gives these answers; `answers` may be changed.
local function provider_of(answers, user)
	local listener, _, port = socket.listen("127.0.0.1", 0)
	socket.start(listener, function(id, from)
		server.serve(id, function(request)
			return 200, answers[request.target] or right[request.target], { ["content-type"] = "application/json" }
		end, { address = from, requests = 1000 })
	end)
	local sink = setmetatable({}, {
		__index = function()
			return function() end
		end,
	})
	local provider = etcd.new(
		{ endpoints = { { host = "127.0.0.1", port = port } }, prefix = "game", user = user, password = user },
		{ lease = 10, files = {}, sink = sink }
	)
	provider.needs_lease = true
	return provider, port, function()
		socket.close(listener)
	end
end

-- Each step with each wrong answer of a path: it does what it does, or says why not.
local function try_all(path, step, user)
	local answers = {}
	local provider, port, close = provider_of(answers, user)
	local refused = 0
	for _, text in ipairs(wrong_answers(right[path])) do
		answers[path] = text
		local ok, problem = pcall(step, provider)
		if not ok then
			refused = refused + 1
			check_words(problem, port, path)
		end
	end
	assert(refused > 5, refused)
	answers[path] = nil
	step(provider) -- goes on with the first right one
	close()
end

function cases.a_lease_that_makes_no_sense_is_told()
	try_all("/v3/lease/grant", function(provider)
		provider.lease = nil
		provider:renew()
		assert(string.find(provider.lease, "^%d+$"), provider.lease)
	end)
	try_all("/v3/lease/keepalive", function(provider)
		provider.lease = provider.lease or "7587862"
		provider:renew()
	end)
end

function cases.a_log_in_that_makes_no_sense_is_told()
	try_all("/v3/auth/authenticate", function(provider)
		provider.client.token = nil
		provider:renew()
	end, "me")
end

-- Ends a follower when its watch has told something.
local function follow_once(provider)
	local outcome
	provider.sink = setmetatable({
		lost = function(why)
			outcome = why
			provider.closed = true
		end,
		fresh = function()
			provider.closed = true
			provider.watch:shutdown()
		end,
	}, getmetatable(provider.sink))
	provider.closed, provider.revision = false, nil
	provider:run()
	if outcome then
		error(outcome, 0)
	end
end

function cases.what_etcd_says_of_nodes_and_makes_no_sense_is_told()
	try_all("/v3/kv/txn", follow_once)
end

function cases.a_watch_that_makes_no_sense_is_told()
	try_all("/v3/watch", follow_once)
end

function cases.a_lock_of_an_etcd_that_makes_no_sense_is_not_had_and_told()
	local answers = { ["/v3/kv/range"] = string.format('{"header":{"revision":"5"},"kvs":[{"key":"%s"}]}', KEY) }
	local provider, port, close = provider_of(answers)
	provider.lease = "7587862"
	provider.keeper = {
		drop = function() end,
	}
	for _, text in ipairs(wrong_answers(right["/v3/kv/txn"])) do
		answers["/v3/kv/txn"] = text
		local key, problem = provider:acquire("boss", "me", skynet.now())
		check.equal(key, nil)
		if problem ~= "our key is gone" and problem ~= "etcd is empty; nobody has begun there yet" then
			check_words(problem, port, "/v3/kv/txn")
		end
	end
	close()
end

function cases.a_redis_that_makes_no_sense_is_told()
	for _, answer in ipairs {
		":1\r\n",
		"$-1\r\n",
		"+OK\r\n",
		"*0\r\n",
		"*1\r\n:1\r\n",
		"*1\r\n*0\r\n",
		"*3\r\n$1\r\n1\r\n:1\r\n:1\r\n",
		"*3\r\n$1\r\n1\r\n$1\r\nx\r\n*1\r\n$1\r\na\r\n",
		"*3\r\n$1\r\n1\r\n$1\r\nx\r\n*2\r\n$1\r\na\r\n:1\r\n",
	} do
		local listener, _, port = socket.listen("127.0.0.1", 0)
		socket.start(listener, function(id)
			socket.start(id)
			local first = true
			while socket.read(id) do
				socket.write(id, first and answer or "-ERR over\r\n")
				first = false
			end
			socket.close(id)
		end)
		local problem
		local provider
		provider = redis.new({ endpoints = { { host = "127.0.0.1", port = port } }, prefix = "game" }, {
			lease = 10,
			sink = setmetatable({
				lost = function(why)
					problem = why
					provider:close()
				end,
			}, {
				__index = function()
					return function() end
				end,
			}),
		})
		provider.keeper = { entries = {} }
		provider:run()
		assert(string.find(problem, "redis at 127.0.0.1:" .. port, 1, true), problem)
		for _, words in ipairs(LUAS_OWN) do
			assert(not string.find(problem, words, 1, true), problem)
		end
		socket.close(listener)
	end
end

function cases.json_of_the_right_answers_is_right()
	for path, text in pairs(right) do
		if path ~= "/v3/watch" then
			assert(type(json.decode(text)) == "table", path)
		end
	end
end

check.run(cases)
