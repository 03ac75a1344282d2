-- What the service snlua gives to Lua: interruption, limits, profiled coroutines, modules inside of the executable.
local skynet = require "skynet"
local check = require "check"
local core = require "skynet.core"
local profile = require "skynet.profile"
local embedded = require "skynet.embedded"

local cases = {}

-- The same script serves as the second service.
local role = ...
if role == "loop" then
	local requests = {}
	function requests.plain(owner)
		skynet.send(owner, "lua", "looping")
		while true do
		end
	end
	function requests.coroutine(owner)
		local run = coroutine.wrap(function()
			skynet.send(owner, "lua", "looping")
			while true do
			end
		end)
		run()
	end
	-- Frames that are made and freed, coroutines that begin and end: what an interruption may find at any moment.
	function requests.storm(_, seconds)
		local function deep(n)
			return n == 0 and 0 or 1 + deep(n - 1)
		end
		local stop, stopped, done = os.clock() + seconds, 0, 0
		while os.clock() < stop do
			local ok, problem = pcall(function()
				for i = 1, 50 do
					coroutine.wrap(function(...)
						deep(i * 4)
						coroutine.yield(...)
						return select("#", string.byte(string.rep("x", i), 1, -1))
					end)(i)
				end
				collectgarbage "step"
			end)
			if ok then
				done = done + 1
			else
				assert(string.find(tostring(problem), "signal 0", 1, true), problem)
				stopped = stopped + 1
			end
		end
		skynet.ret(skynet.pack(stopped, done))
	end
	function requests.caught(owner)
		local ok, problem = pcall(requests.plain, owner)
		skynet.ret(skynet.pack(ok, problem))
	end
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, name, ...)
			requests[name](...)
		end)
	end)
	return
elseif role == "limited" then
	skynet.memlimit(8 * 1024 * 1024)
	skynet.start(function()
		skynet.dispatch("lua", function()
			local ok, problem = pcall(string.rep, "x", 64 * 1024 * 1024)
			skynet.ret(skynet.pack(ok, problem, #string.rep("x", 1024)))
		end)
	end)
	return
end

if role == "limited_here" then
	local filled
	skynet.memlimit(8 * 1024 * 1024)
	local ok, problem = pcall(function()
		local kept = {}
		for i = 1, math.huge do
			kept[i] = string.rep("x", 1000) .. i
			filled = i
		end
	end)
	skynet.start(function()
		skynet.dispatch("lua", function()
			skynet.retpack(ok, problem, filled)
		end)
	end)
	return
elseif role == "no_start" then
	return
end

local looping

local function interrupted(request)
	local service = skynet.newservice("machine", "loop")
	looping = coroutine.running()
	local result
	skynet.fork(function()
		result = table.pack(pcall(skynet.call, service, "lua", request, skynet.self()))
		skynet.wakeup(looping)
	end)
	skynet.wait(looping)
	looping = coroutine.running()
	core.command("SIGNAL", skynet.address(service) .. " 0")
	skynet.wait(looping)
	-- The service lives on.
	core.command("KILL", skynet.address(service))
	return table.unpack(result, 1, result.n)
end

function cases.userdata_is_aligned_as_the_blocks_of_malloc_are()
	local kept = {}
	-- Other sizes in between, also such that have gone.
	for i = 1, 400 do
		kept[i] = { io.open("/dev/null"), "x" .. i, { i } }
		kept[i // 2] = nil
	end
	for _, entry in pairs(kept) do
		local address = tonumber(string.format("%p", entry[1]))
		check.equal(address % 16, 0)
		entry[1]:close()
	end
end

function cases.a_signal_ends_a_loop()
	check.equal(interrupted "plain", false)
end

function cases.a_signal_ends_a_loop_in_a_coroutine()
	check.equal(interrupted "coroutine", false)
end

function cases.a_signal_is_an_error_that_can_be_caught()
	local called, ok, problem = interrupted "caught"
	check.equal({ called, ok }, { true, false })
	assert(string.find(problem, "signal 0", 1, true), problem)
end

function cases.a_signal_for_a_service_that_does_nothing_has_no_effect()
	local service = skynet.newservice("machine", "loop")
	core.command("SIGNAL", skynet.address(service) .. " 0")
	check.equal({ skynet.call(service, "debug", "PING") }, {})
	check.equal({ pcall(skynet.call, service, "lua", "storm", nil, 0) }, { true, 0, 0 })
	core.command("KILL", skynet.address(service))
end

function cases.a_service_can_stop_itself()
	local ok, problem = pcall(function()
		core.command("SIGNAL", skynet.address(skynet.self()) .. " 0")
		while true do
		end
	end)
	assert(not ok and string.find(problem, "signal 0", 1, true), problem)
end

-- The requests that find nothing running, or something else than they meant, have no effect; the others have theirs in the
-- message that they found.
function cases.signals_may_come_at_any_moment()
	local service = skynet.newservice("machine", "loop")
	local answer
	skynet.fork(function()
		answer = table.pack(pcall(skynet.call, service, "lua", "storm", nil, 0.5))
	end)
	local address = skynet.address(service)
	local begin = skynet.now()
	repeat
		for _ = 1, 20 do
			core.command("SIGNAL", address .. " 0")
		end
		skynet.yield()
	until answer or skynet.now() - begin > 300
	-- One may have hit what is around the loop: then that call failed, or has no answer when it was hit where the answer is made,
	-- and nothing else is touched.
	if answer and answer[1] then
		assert(answer[2] > 0, answer[2])
	end
	check.equal({ skynet.call(service, "debug", "PING") }, {})
	check.equal({ skynet.call(service, "lua", "storm", nil, 0) }, { 0, 0 })
	core.command("KILL", address)
end

function cases.a_memory_limit_fails_the_allocation_not_the_service()
	local service = skynet.newservice("machine", "limited")
	for _ = 1, 2 do
		local ok, problem, rest = skynet.call(service, "lua")
		check.equal({ ok, problem, rest }, { false, "not enough memory", 1024 })
	end
	core.command("KILL", skynet.address(service))
end

function cases.a_memory_limit_holds_from_the_line_it_stands_on()
	if not check.ours then
		return -- it holds from the end of the main chunk on
	end
	local service = skynet.newservice("machine", "limited_here")
	local ok, problem, filled = skynet.call(service, "lua")
	check.equal({ ok, problem }, { false, "not enough memory" })
	assert(filled > 4000 and filled < 8500, filled)
	core.command("KILL", skynet.address(service))
end

function cases.a_profile_counts_the_time_of_its_coroutine_only()
	local function work(seconds)
		local stop = os.clock() + seconds
		while os.clock() < stop do
		end
	end
	local measured
	local run = coroutine.wrap(function()
		profile.start()
		work(0.05)
		coroutine.yield()
		work(0.05)
		measured = profile.stop()
	end)
	run()
	work(0.2)
	run()
	assert(measured > 0.02 and measured < 0.2, measured)
end

-- What skynet.coroutine of v1.0.0 to v1.3.0 resumes and yields by: the coroutine in whose name it is done comes along.
function cases.the_profile_has_the_names_that_older_layers_resume_and_yield_by()
	local me = coroutine.running()
	local co = coroutine.create(function(...)
		local more = profile.yield_co(me, select("#", ...), ...)
		error(more, 0)
	end)
	check.equal({ profile.resume_co(co, me, 1, nil, 3) }, { true, 3, 1, nil, 3 })
	check.equal({ profile.resume_co(co, me, "on purpose") }, { false, "on purpose" })
	check.raises("thread expected", profile.resume_co, co, 1)
	check.raises("thread expected", profile.yield_co, 1)
end

function cases.a_profile_is_started_once_and_stopped_once()
	local co = coroutine.create(print)
	profile.start(co)
	check.raises("start profile more than once", profile.start, co)
	assert(profile.stop(co) >= 0)
	check.raises("Call profile.start() before profile.stop()", profile.stop, co)
end

function cases.replaced_coroutine_functions_are_those_of_lua()
	local co = coroutine.create(function(...)
		local more = coroutine.yield(select("#", ...), ...)
		error(more, 0)
	end)
	check.equal({ coroutine.resume(co, 1, nil, 3) }, { true, 3, 1, nil, 3 })
	check.equal({ coroutine.resume(co, "why") }, { false, "why" })
	check.equal({ coroutine.resume(co) }, { false, "cannot resume dead coroutine" })
	local closed
	local wrapped = coroutine.wrap(function()
		local _ <close> = setmetatable({}, {
			__close = function()
				closed = true
			end,
		})
		error "broken"
	end)
	check.raises("broken", wrapped)
	check.equal(closed, true)
	check.raises("thread expected", coroutine.resume, 1)
end

function cases.embedded_files_are_read_and_loaded_by_name()
	local source = embedded.find "lualib/skynet.lua"
	assert(#source > 0)
	check.equal(embedded.find "lualib/nothing.lua", nil)
	check.equal(embedded.load "lualib/nothing.lua", nil)
	local chunk = embedded.load "lualib/skynet.lua"
	check.equal(debug.getinfo(chunk, "S").source, "@embedded/lualib/skynet.lua")
end

function cases.lists_keep_their_order_whatever_is_inserted_and_removed()
	local seed = 42
	local function random(most)
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		return (seed >> 8) % most + 1
	end
	for round = 1, 60 do
		local length = random(40) - 1
		local list, model = {}, {}
		for i = 1, length do
			list[round % 3 == 0 and length + 1 - i or i] = { i } -- from the end: hashed
		end
		for i = 1, length do
			model[i] = list[i]
		end
		for step = 1, 60 do
			if length == 0 or random(100) > 45 then
				local place, value = random(length + 1), { step }
				table.insert(list, place, value)
				for i = length, place, -1 do
					model[i + 1] = model[i]
				end
				model[place] = value
				length = length + 1
			else
				local place = random(length)
				assert(table.remove(list, place) == model[place])
				for i = place, length do
					model[i] = model[i + 1]
				end
				length = length - 1
			end
			check.equal(#list, length)
			for i = 1, length + 1 do
				assert(list[i] == model[i])
			end
			if step % 7 == 0 then
				collectgarbage(round % 2 == 0 and "step" or "collect")
			end
		end
	end
	local watched = setmetatable({ 1, 2 }, {
		__newindex = function(list, key, value)
			rawset(list, key, value * 10)
		end,
	})
	table.insert(watched, 1, 0)
	check.equal(watched, { 0, 1, 20 })
end

function cases.a_module_that_nobody_has_is_reported_with_all_places()
	check.raises("no built-in module 'no.such.module'", require, "no.such.module")
end

skynet.dispatch("lua", function(_, _, name)
	assert(name == "looping")
	skynet.wakeup(looping)
end)

function cases.a_script_that_does_not_start_is_reported() -- the test looks at the log
	assert(skynet.launch("snlua", "machine no_start"))
end

check.run(cases)
