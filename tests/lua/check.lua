-- Helpers of the Lua tests. A test is a service that returns through `check.run`, which ends the node.
local skynet = require "skynet"
require "skynet.manager"

local check = {
	ours = skynet.call_timeout ~= nil, -- false: the tests run on the Lua layer of another core
}

-- A value as people read it; tables by what they hold.
local function show(value)
	if type(value) ~= "table" then
		return type(value) == "string" and string.format("%q", value) or tostring(value)
	end
	local parts = {}
	for key, item in pairs(value) do
		parts[#parts + 1] = string.format("[%s]=%s", show(key), show(item))
	end
	table.sort(parts)
	return "{" .. table.concat(parts, ", ") .. "}"
end

--- Raises unless both values are equal; tables are compared by what they hold.
function check.equal(actual, expected, what)
	if not check.same(actual, expected) then
		error(string.format("%s: %s, expected %s", what or "value", show(actual), show(expected)), 2)
	end
end

--- By how much more `work` leaves this service with the second time than the first, in bytes of its account.
function check.growth(work)
	local memory = require "skynet.memory"
	local function used()
		collectgarbage()
		collectgarbage()
		skynet.yield() -- the figures are those of the last turn
		return memory.info()[skynet.self()]
	end
	work()
	local before = used()
	work()
	return used() - before
end

function check.same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then
		return a == b
	end
	for key, value in pairs(a) do
		if not check.same(value, b[key]) then
			return false
		end
	end
	for key in pairs(b) do
		if a[key] == nil then
			return false
		end
	end
	return true
end

--- Raises unless func(...) raises an error whose text holds `text`.
function check.raises(text, func, ...)
	local ok, problem = pcall(func, ...)
	if ok or not string.find(tostring(problem), text, 1, true) then
		error(string.format("expected an error with %q, got %s", text, ok and "none" or problem), 2)
	end
end

--- Runs func(i) for i = 1..n in tasks of their own, waits for all, and raises the first error of one. Yields.
function check.together(n, func)
	local left, token, first = n, {}, nil
	for i = 1, n do
		skynet.fork(function()
			local ok, problem = xpcall(func, debug.traceback, i)
			if not ok then
				first = first or problem
			end
			left = left - 1
			if left == 0 then
				skynet.wakeup(token)
			end
		end)
	end
	skynet.wait(token)
	if first then
		error(first, 0)
	end
end

--- Returns when the condition is met; raises when that takes a minute. Yields.
function check.await(condition)
	local limit = skynet.now() + 6000
	while not condition() do
		if skynet.now() > limit then
			error("what is waited for does not come", 2)
		end
		skynet.sleep(1)
	end
end

--- Takes the first element of a list that other tasks fill. Yields.
function check.next_of(list)
	check.await(function()
		return list[1]
	end)
	return table.remove(list, 1)
end

--- What a view of shared data holds, as a table of its own.
function check.copy(view)
	local copy = {}
	for key, value in pairs(view) do
		copy[key] = type(value) == "table" and check.copy(value) or value
	end
	return copy
end

--- A port of the loopback that is free: one of those in the config key `ports`.
function check.port(number)
	local ports = {}
	for port in string.gmatch(skynet.getenv "ports" or "", "%d+") do
		ports[#ports + 1] = math.tointeger(tonumber(port))
	end
	return ports[number] or 27010 + number
end

--- Runs the cases in order of their names, or the one that the config key `case` names, prints "ok NAME" or "FAILED NAME: why"
--- for each and a last line, and ends the node.
function check.run(cases)
	skynet.start(function()
		local names, failed = {}, 0
		local only = skynet.getenv "case"
		for name in pairs(cases) do
			if name == (only or name) then
				names[#names + 1] = name
			end
		end
		table.sort(names)
		for _, name in ipairs(names) do
			local ok, problem = xpcall(cases[name], debug.traceback)
			print(ok and "ok " .. name or "FAILED " .. name .. ": " .. tostring(problem))
			failed = failed + (ok and 0 or 1)
		end
		print(string.format("%d cases, %d failed", #names, failed))
		skynet.abort()
	end)
end

return check
