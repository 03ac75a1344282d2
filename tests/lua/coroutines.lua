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

check.run(cases)
