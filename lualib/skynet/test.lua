--- Tests of services, which `skynet test` runs: each file `NAME_test.lua` in a node of its own.
---
---     local skynet = require "skynet"
---     local test = require "skynet.test"
---
---     test("a shop sells what it has", function()
---         local shop = test.service "shop"
---         skynet.call(shop, "lua", "fill", "apple", 1)
---         test.equal(skynet.call(shop, "lua", "sell", "apple"), true)
---     end)
---
--- The file is a service: it may call and send, sleep and fork. Its tests run one after the other, each in a task of its own,
--- and what `service`, `fake` and `client` made goes when the test ends. docs/testing.md is the guide.

local skynet = require "skynet"
local difference = require "skynet.internal.testing.difference"
local run = require "skynet.internal.testing.run"

---@class skynet.test
---@overload fun(name: string, options: table|function, body?: function)
local M = {}

local fail = run.fail

-- What the caller says of an assertion, in front of what the assertion says.
local function about(what, text)
	return what and string.format("%s: %s", tostring(what), text) or text
end

-- Raises in the name of who has called the caller: what is no function would pass for one that raises, or fail much later.
local function check_function(who, value)
	local meta = getmetatable(value)
	if type(value) ~= "function" and not (type(meta) == "table" and meta.__call) then
		error(string.format("%s: a function is expected, not %s", who, difference.show(value)), 3)
	end
end

local MOST_LIMIT <const> = 1000000 -- seconds: eleven days

-- Nil, or what is wrong with the options of a test.
local function mistake_in(options)
	for key in pairs(options) do
		if key ~= "limit" and key ~= "skip" then
			return string.format("a test has no option %q; there are limit and skip", tostring(key))
		end
	end
	local limit = options.limit
	if limit ~= nil and not (type(limit) == "number" and limit > 0 and limit <= MOST_LIMIT) then
		return string.format(
			"limit is a number of seconds above 0 and up to %d, not %s",
			MOST_LIMIT,
			difference.show(limit)
		)
	end
end

--- Adds a test; `test(name, ...)` does the same.
---@param name string a sentence that is true when the test passes
---@param options table|function `limit`: seconds in the place of the command's; `skip`: why it is not run
---@param body? function fails when it raises
function M.add(name, options, body)
	if not body then
		options, body = {}, options
	end
	if type(name) ~= "string" or type(body) ~= "function" or type(options) ~= "table" then
		error("a test has a name and a function: test(name, [options,] function)", 2)
	end
	local mistake = mistake_in(options)
	if mistake then
		error(mistake, 2)
	end
	for _, other in ipairs(run.tests) do
		if other.name == name then
			error(string.format("there is a test %q already", name), 2)
		end
	end
	table.insert(run.tests, { name = name, run = body, options = options })
end

--- Runs before each test of the file, in its task.
---@param hook function
function M.before(hook)
	check_function("test.before", hook)
	table.insert(run.hooks.before, hook)
end

--- Runs after each test of the file, also when it failed, and before what the test made goes.
---@param hook function
function M.after(hook)
	check_function("test.after", hook)
	table.insert(run.hooks.after, hook)
end

--- Runs once, before the first test. What it makes stays until the file ends.
---@param hook function
function M.before_all(hook)
	check_function("test.before_all", hook)
	table.insert(run.hooks.before_all, hook)
end

--- Runs once, after the last test.
---@param hook function
function M.after_all(hook)
	check_function("test.after_all", hook)
	table.insert(run.hooks.after_all, hook)
end

--- Fails unless the values are equal: tables by their contents, numbers by value and kind (1 is not 1.0).
---@param got any
---@param expected any
---@param what any? what this is about
function M.equal(got, expected, what)
	local where = difference.between(got, expected)
	if where then
		fail(about(what, "not equal:\n" .. where))
	end
end

--- Fails if the values are equal, as `equal` compares.
---@param got any
---@param other any
---@param what any?
function M.not_equal(got, other, what)
	if not difference.between(got, other) then
		fail(about(what, "equal, and should not be: " .. difference.show(got)))
	end
end

--- Fails unless the value is true, or anything but false and nil.
---@param value any
---@param what any?
---@return any value
function M.check(value, what)
	if not value then
		fail(about(what, "is " .. tostring(value)))
	end
	return value
end

--- Fails unless two numbers are no further apart than `tolerance`.
---@param got number
---@param expected number
---@param tolerance number
---@param what any?
function M.near(got, expected, tolerance, what)
	if type(got) ~= "number" or not (math.abs(got - expected) <= tolerance) then
		fail(about(what, string.format("%s is not within %s of %s", difference.show(got), tolerance, expected)))
	end
end

--- Fails unless a text has the pattern in it.
---@param text string
---@param pattern string as string.find takes it
---@param what any?
function M.matches(text, pattern, what)
	if type(text) ~= "string" or not string.find(text, pattern) then
		fail(about(what, string.format("%s has nothing that matches %q", difference.show(text), pattern)))
	end
end

--- Fails unless the function raises an error. Yields if it does.
---@param body function
---@param pattern? string what the error has in it, as string.find takes it
---@return any problem the error
function M.raises(body, pattern)
	check_function("test.raises", body)
	local ok, problem = pcall(body)
	if ok then
		fail "no error, where one should be"
	end
	if pattern and not string.find(tostring(problem), pattern) then
		fail(string.format("the error has nothing that matches %q: %s", pattern, tostring(problem)))
	end
	return problem
end

--- Fails.
---@param text string why
function M.fail(text)
	fail(tostring(text))
end

--- Ends the test without a verdict; at the top of a file, all of its tests.
---@param why string
function M.skip(why)
	run.skip(tostring(why))
end

--- Skips the test, at the top of a file all of its tests, unless time is virtual: for tests that sleep for long.
function M.needs_virtual_time()
	if not run.is_virtual() then
		run.skip "needs --virtual-time, or a seed"
	end
end

--- Waits until a condition holds, looking each 1/100 s; the test's limit ends it. Yields.
---@param condition fun(): any
---@return any value the condition's
function M.wait_for(condition)
	check_function("test.wait_for", condition)
	while true do
		local value = condition()
		if value then
			return value
		end
		skynet.sleep(1)
	end
end

--- Starts a service, which is killed when the test ends. Yields.
---@param name string as `skynet.newservice`
---@param ... any
---@return integer handle
function M.service(name, ...)
	local ok, handle = pcall(skynet.newservice, name, ...)
	if not ok then
		fail(string.format("the service %s could not start; its log says why", tostring(name)))
	end
	run.finally(function()
		require "skynet.manager".kill(handle)
	end)
	return handle
end

--- Runs a function when the test ends, the last one first.
---@param action function
function M.finally(action)
	check_function("test.finally", action)
	run.finally(action)
end

--- A service that answers as the test says, and remembers what it was asked. It goes when the test ends. Yields.
---@param name string? ".name": registered so on the node. Any other: what `skynet.uniqueservice(name)` answers. None: only its address
---@param answers table<string, any>? command -> function(...) that returns the answer, or the answer itself
---@return skynet.test.fake fake with `address`, `calls`, `answer(name, value)`, `count(name)`, `ask(address, ...)`
function M.fake(name, answers)
	if name ~= nil and type(name) ~= "string" then
		error(string.format("test.fake: a name is a string, or nil, not %s", difference.show(name)), 2)
	elseif answers ~= nil and type(answers) ~= "table" then
		local text = "test.fake: answers are a table, as { take = function(item) return 1 end }, not %s"
		error(string.format(text, difference.show(answers)), 2)
	end
	return require "skynet.internal.testing.fake".new(name, answers)
end

--- A TCP connection to a service that listens, closed when the test ends. Its functions raise when it is lost. Yields.
---@param port integer
---@param host string? 127.0.0.1
---@return skynet.test.client client with `send`, `line`, `read`, `send_packet`, `packet`, `rest`, `close`
function M.client(port, host)
	return require "skynet.internal.testing.client".new(port, host)
end

--- A TCP port of 127.0.0.1 on which nothing listens. Yields.
---@return integer
function M.free_port()
	local socket = require "skynet.socket"
	local id, _, port = socket.listen("127.0.0.1", 0)
	socket.close(id)
	return port
end

return setmetatable(M, {
	__call = function(_, ...)
		return M.add(...)
	end,
})
