-- skynet.db.pool with connections that are only numbers.
local skynet = require "skynet"
local check = require "check"
local new_pool = require "skynet.db.pool".new

local cases = {}

local function counting_pool(size)
	local made = { opened = 0, closed = 0 }
	made.pool = new_pool {
		size = size,
		open = function()
			made.opened = made.opened + 1
			local connection = made.opened
			skynet.sleep(0)
			if connection == made.refused then
				error "refused"
			end
			return connection
		end,
		close = function()
			made.closed = made.closed + 1
		end,
	}
	return made.pool, made
end

local function same(connection)
	return connection
end

function cases.a_connection_is_used_by_one_task_after_the_other()
	local pool, made = counting_pool(1)
	check.equal(pool:use(same), 1)
	check.equal(pool:use(same), 1)
	check.raises("as asked", pool.use, pool, function()
		error "as asked"
	end)
	check.equal(pool:use(same), 2, "one in the middle of something is closed")
	check.equal(made.closed, 1)
end

function cases.those_who_waited_too_long_leave_nothing()
	local pool = new_pool {
		size = 1,
		timeout = 1,
		open = function()
			return 1
		end,
	}
	local token, turns, failed = {}, {}, 0
	skynet.fork(pool.use, pool, function()
		skynet.wait(token)
	end)
	skynet.yield()
	local function wait_in_vain()
		if not pcall(pool.use, pool, same) then
			failed = failed + 1
		end
	end
	local before
	for round = 1, 6 do
		for _ = 1, 1000 do
			skynet.fork(wait_in_vain)
		end
		repeat
			skynet.sleep(1)
		until failed == round * 1000
		collectgarbage()
		before = before or collectgarbage "count" -- of the first round: tasks that are used again
	end
	local grown = collectgarbage "count" - before
	assert(grown < 400, grown .. " KB")
	pool.timeout = nil
	for number = 1, 3 do
		skynet.fork(function()
			table.insert(turns, { number, pool:use(same) })
		end)
	end
	skynet.yield()
	skynet.wakeup(token)
	repeat
		skynet.yield()
	until #turns == 3
	check.equal(turns, { { 1, 1 }, { 2, 1 }, { 3, 1 } })
end

function cases.killed_tasks_take_nothing_with_them()
	local pool, made = counting_pool(1)
	local function use_for_ever()
		pool:use(function()
			skynet.sleep(1000000)
		end)
	end
	local holder = skynet.fork(use_for_ever)
	skynet.sleep(1)
	local in_line = skynet.fork(use_for_ever)
	skynet.sleep(1)
	local answer
	skynet.fork(function()
		answer = pool:use(same)
	end)
	skynet.sleep(1)
	skynet.killthread(in_line)
	skynet.killthread(holder)
	repeat
		skynet.sleep(0)
	until answer
	check.equal({ answer, made.closed }, { 2, 1 })
	check.equal(pool:use(same), 2)

	pool, made = counting_pool(1)
	local opener = skynet.fork(use_for_ever)
	skynet.yield()
	skynet.killthread(opener) -- or the next one would wait for it
	check.equal(pool:use(same), 2, "killed while it opens")
end

function cases.a_place_in_the_line_is_handed_on_when_its_task_is_killed_at_that_moment()
	local pool = counting_pool(1)
	local next_one
	skynet.fork(function()
		pool:use(function()
			skynet.sleep(1)
		end)
		skynet.killthread(next_one) -- it has the connection, and has not run
	end)
	skynet.sleep(0)
	next_one = skynet.fork(function()
		pool:use(function()
			skynet.sleep(1000000)
		end)
	end)
	check.equal(pool:use(same), 1)
end

function cases.an_attempt_that_fails_is_the_chance_of_the_next()
	local pool, made = counting_pool(1)
	made.refused = 1
	local problem, answer
	skynet.fork(function()
		problem = select(2, pcall(pool.use, pool, same))
	end)
	skynet.fork(function()
		answer = pool:use(same)
	end)
	repeat
		skynet.sleep(0)
	until answer
	assert(string.find(problem, "refused", 1, true), problem)
	check.equal({ answer, pool:use(same) }, { 2, 2 })
end

check.run(cases)
