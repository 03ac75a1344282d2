-- skynet.coroutine, for the suite of services.
local skynet = require "skynet"
local sweep = require "sweep"

local case = sweep.case

local function resumed_coroutines(co)
	case("skynet.coroutine.wrap", "values", function()
		local func = co.wrap(function(...)
			local x = co.yield(..., "y")
			return x, nil
		end)
		return { func(1, 2) }, table.pack(func "x")
	end)
	case("skynet.coroutine.wrap", "dead", function()
		local func = co.wrap(function() end)
		local count = select("#", func())
		return count, sweep.observe(func)
	end)
	case("skynet.coroutine.wrap", "fails", function()
		co.wrap(function()
			error "inside"
		end)()
	end)
	case("skynet.coroutine.wrap", "fails with a table", function()
		co.wrap(function()
			error { 1 }
		end)()
	end)
	case("skynet.coroutine.wrap", "no function", co.wrap, 1)
	case("skynet.coroutine.create", "no function", co.create, nil)
	case("skynet.coroutine.resume", "values", function()
		local thread = co.create(function(...)
			return ...
		end)
		return co.status(thread),
			table.pack(co.resume(thread, 1, nil)),
			co.status(thread),
			table.pack(co.resume(thread))
	end)
	case(
		"skynet.coroutine.resume",
		"fails",
		co.resume,
		co.create(function()
			error "inside"
		end)
	)
	case("skynet.coroutine.resume", "foreign", co.resume, coroutine.create(print))
	case("skynet.coroutine.resume", "nothing", co.resume)
	case("skynet.coroutine.resume", "itself", function()
		return co.resume(coroutine.running())
	end)
	case("skynet.coroutine.resume", "waits inside", function()
		local thread = co.create(function()
			skynet.sleep(1)
			return "slept"
		end)
		return co.resume(thread)
	end)
end

local function states_of_coroutines(co)
	case("skynet.coroutine.status", "blocked", function()
		local thread = co.create(function()
			skynet.sleep(2)
			co.yield "yielded"
		end)
		local first
		skynet.fork(function()
			first = table.pack(co.resume(thread))
		end)
		skynet.sleep(1)
		local during, again = co.status(thread), table.pack(co.resume(thread))
		skynet.sleep(4)
		return during, again, first, co.status(thread)
	end)
	case("skynet.coroutine.status", "nothing", co.status)
	case("skynet.coroutine.thread", "task", function()
		local thread, is_task = co.thread()
		return thread == coroutine.running(), is_task
	end)
	case("skynet.coroutine.thread", "inside", function()
		local me, inside, is_task = coroutine.running(), nil, nil
		co.wrap(function()
			inside, is_task = co.thread()
		end)()
		return inside == me, is_task
	end)
	case("skynet.coroutine.thread", "not resumed", function()
		return co.thread(co.create(print))
	end)
	case("skynet.coroutine.thread", "number", co.thread, 1)
	case("skynet.coroutine.close", "right", function()
		local closed
		local thread = co.create(function()
			local _ <close> = setmetatable({}, {
				__close = function()
					closed = true
				end,
			})
			co.yield()
		end)
		co.resume(thread)
		return table.pack(co.close(thread)), closed, co.status(thread)
	end)
	case("skynet.coroutine.close", "closing fails", function()
		local thread = co.create(function()
			local _ <close> = setmetatable({}, {
				__close = function()
					error "of close"
				end,
			})
			co.yield()
		end)
		co.resume(thread)
		return co.close(thread)
	end)
	case("skynet.coroutine.close", "nothing", co.close)
	case("skynet.coroutine.isyieldable", "right", co.isyieldable)
	case("skynet.coroutine.running", "right", function()
		return select("#", co.running()), select(2, co.running())
	end)
end

local function coroutines()
	local co = require "skynet.coroutine"
	resumed_coroutines(co)
	states_of_coroutines(co)
end

return coroutines
