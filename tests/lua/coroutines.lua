-- Coroutines of the application.
local skynet = require "skynet"
local user = require "skynet.coroutine"
local check = require "check"

local cases = {}

function cases.coroutine_of_the_application_may_call()
	local co = user.create(function(first)
		local second = user.yield(first + 1)
		skynet.sleep(1)
		return second + 1, user.thread()
	end)
	check.equal({ user.resume(co, 1) }, { true, 2 })
	check.equal(user.status(co), "suspended")
	local seen
	skynet.fork(function()
		seen = { user.status(co), user.resume(co) }
	end)
	check.equal({ user.resume(co, 10) }, { true, 11, coroutine.running() })
	check.equal(seen, { "blocked", false, "cannot resume a skynet coroutine suspend by skynet framework" })
	check.equal(user.status(co), "dead")
end

function cases.a_wrapped_coroutine_ends_with_the_last_error_of_closing_it()
	local function closing(f)
		return setmetatable({}, { __close = f })
	end
	local seen
	local failing = coroutine.wrap(function()
		local _ <close> = closing(function(_, problem)
			seen = problem
			error({ "of closing" }, 0)
		end)
		error({ "first" }, 0)
	end)
	local _, problem = pcall(failing)
	check.equal({ seen[1], problem[1] }, { "first", "of closing" })
	check.equal({ pcall(failing) }, { false, "cannot resume dead coroutine" })
	local plain = coroutine.wrap(error)
	check.equal({ pcall(plain, "text", 0) }, { false, "text" })
	check.equal({ pcall(plain) }, { false, "cannot resume dead coroutine" })
end

local yield = coroutine.yield
local function add(a, b)
	return (yield(a)) + b
end
local meta = {
	__index = function(_, key)
		return (yield(key))
	end,
	__call = yield,
	__close = function()
		yield "closing"
	end,
}
-- Ways to yield, by name.
local kinds = {
	called = function(...)
		local first, second = yield(...)
		return yield(first, second)
	end,
	tail = function(...)
		return yield(...)
	end,
	deeper = function(a, b)
		return add(a, b) + add(b, a)
	end,
	protected = function(a, b)
		local ok, problem = pcall(function()
			error(yield(a) + yield(b), 0)
		end)
		return ok, problem, select(2, pcall(yield, "again"))
	end,
	metamethods = function(...)
		local object = setmetatable({}, meta)
		local field = object.field
		object(...)
		do
			local _ <close> = object
			yield "inside"
		end
		return field
	end,
	iterator = function()
		local sum = 0
		for value in yield do
			sum = sum + value
			if sum > 5 then
				return sum
			end
		end
	end,
	nested = function(a, b)
		local inner = coroutine.wrap(function(x)
			return yield(x) + 1
		end)
		local x = inner(a)
		local y = yield(x)
		return x, inner(y), b
	end,
}
-- What was yielded; the n-th answer is n.
local function drive(body, hook, count)
	local co = coroutine.create(body)
	if hook then
		debug.sethook(co, function() end, hook, count)
	end
	local seen = {}
	local values = table.pack(coroutine.resume(co, 3, 4))
	while coroutine.status(co) ~= "dead" do
		seen[#seen + 1] = table.concat({ tostring(values[2]), tostring(values[3]) }, " ")
		values = table.pack(coroutine.resume(co, #seen, #seen * 2))
	end
	assert(values[1], values[2])
	seen[#seen + 1] = table.concat({ tostring(values[2]), tostring(values[3]), tostring(values[4]) }, " ")
	return table.concat(seen, ", ")
end

-- However it is called, from whatever depth, with a hook or without.
function cases.coroutines_yield_alike_wherever_they_do()
	local expected = {
		called = "3 4, 1 2, 2 4 nil",
		tail = "3 4, 1 2 nil",
		deeper = "3 nil, 4 nil, 10 nil nil",
		protected = "3 nil, 4 nil, again nil, false 3 3",
		metamethods = "field nil, OBJECT 3, inside nil, closing nil, 1 nil nil",
		iterator = "nil nil, nil 1, nil 2, 6 nil nil",
		nested = "3 nil, 3 2 4",
	}
	for name, body in pairs(kinds) do
		for _, hook in ipairs { false, "c", "r", "l", "crl" } do
			local result = string.gsub(drive(body, hook, hook == "l" and 2 or 0), "table: %w+", "OBJECT")
			check.equal(result, expected[name], name .. " " .. tostring(hook))
		end
	end
	check.equal({ coroutine.wrap(yield)(1, 2) }, { 1, 2 })
	local sorting = coroutine.wrap(function()
		return pcall(table.sort, { 2, 1 }, yield)
	end)
	check.equal({ sorting() }, { false, "attempt to yield across a C-call boundary" })
end

-- Lua closes nothing in a coroutine that an error has ended.
function cases.what_fails_in_a_coroutine_leaves_its_queue_and_its_module_free()
	local queue = require "skynet.queue"
	local file = os.tmpname()
	local to = assert(io.open(file, "w"))
	to:write "error 'fails'"
	to:close()
	local path = package.path
	package.path = file .. ";" .. path
	for _, library in ipairs { coroutine, user } do
		local enter, ended = queue(), {}
		local function fail()
			error "fails"
		end
		check.equal((library.resume(library.create(enter), fail)), false)
		check.equal((library.resume(library.create(require), "fails")), false)
		skynet.fork(function()
			enter(function()
				ended[1] = true
			end)
		end)
		skynet.fork(function()
			ended[2] = not pcall(require, "fails")
		end)
		skynet.yield()
		skynet.yield()
		check.equal(ended, { true, true })
	end
	package.path = path
	os.remove(file)
end

check.run(cases)
