-- Profiles of allocations: from Lua, from the debug console, and on the metrics port.
local skynet = require "skynet"
local core = require "skynet.core"
local check = require "check"
local shell = require "profile_console"
local httpc = require "http.httpc"

local BLOCK <const> = 1000 -- bytes of what the worker makes

local cases = {}

local function start()
	return skynet.newservice "allocating"
end

-- Bytes of the stacks that match.
local function bytes(stacks, pattern)
	local sum = 0
	for stack, count in string.gmatch(stacks, "([^\n]+) (%d+)\n") do
		if string.find(stack, pattern) then
			sum = sum + math.tointeger(count)
		end
	end
	return sum
end

local function near(a, b, tolerance, stacks)
	if math.abs(a - b) > b * tolerance then
		error(string.format("%s is not about %s:\n%s", a, b, stacks), 2)
	end
end

-- The stacks of a worker while it does something: allocated, held, and what it returned.
local function profile_of(service, options, ...)
	options.allocations = true
	skynet.profile_start(options)
	local results = table.pack(skynet.call(service, "lua", ...))
	local allocated, held = skynet.profile_stop()
	return allocated, held, table.unpack(results, 1, results.n)
end

function cases.functions_have_their_part_of_the_bytes()
	local service = start()
	local stacks, _, all = profile_of(service, { service = service, every = 4096 }, "both", 3000)
	local nine, one = bytes(stacks, ";much %(.*;%[C%] rep$"), bytes(stacks, ";little %(.*;%[C%] rep$")
	-- A sample for 4 KiB: some 7,000, so the parts are exact to 2 % or so.
	near(nine, 0.9 * (nine + one), 0.05, stacks)
	-- Besides the text, a string has a head.
	near(nine + one, all, 0.15, stacks)
	near(bytes(stacks, ""), all, 0.2, stacks)
	local address = skynet.address(service)
	for line in string.gmatch(stacks, "[^\n]+") do
		assert(string.find(line, "^allocating " .. address .. ";[^;].* %d+$"), line)
	end
	assert(string.find(stacks, "much %(.-allocating.lua:%d+%)"), stacks)
	skynet.kill(service)
end

function cases.small_blocks_count_as_large_ones_do()
	local service = start()
	local _, _, before = profile_of(service, { service = service }, "tables", 1)
	check.equal(before, 1)
	local stacks = profile_of(service, { service = service, every = 1024 }, "tables", 20000)
	-- A table with an array of one, one with a node, a name and a closure each; and a table that grows to 40,000.
	local sum = bytes(stacks, ";fill %(")
	assert(sum > 20000 * 150 and sum < 20000 * 800, stacks)
	skynet.kill(service)
end

function cases.without_a_rate_a_little_is_seen_too()
	local service = start()
	local stacks = profile_of(service, { service = service }, "both", 20)
	assert(bytes(stacks, ";much ") > 0, stacks)
	local more, _, all = profile_of(service, { service = service }, "both", 20000)
	near(bytes(more, ";much ") + bytes(more, ";little "), all, 0.25, more)
	skynet.kill(service)
end

function cases.what_is_held_is_told_apart()
	local service = start()
	local allocated, held, all = profile_of(service, { service = service, every = 2048 }, "hold", 2000)
	near(bytes(held, ";keep .*;%[C%] rep$"), all, 0.2, held)
	near(bytes(allocated, ";much "), 9 * all, 0.2, allocated)
	assert(bytes(held, ";much ") < all // 100, held)
	-- What was allocated before is no part of it.
	_, held = profile_of(service, { service = service, every = 2048 }, "drop")
	assert(bytes(held, "") < all // 10, held)
	skynet.kill(service)
end

function cases.coroutines_stand_on_those_that_resume_them()
	local service = start()
	local stacks = profile_of(service, { service = service, every = 1024 }, "coroutines", 500)
	local pattern = ";%[C%] resume;function .*;%[C%] go;function .*;%[C%] rep$"
	near(bytes(stacks, pattern), 500 * BLOCK, 0.3, stacks)
	skynet.kill(service)
end

function cases.a_stack_that_grows_belongs_to_who_makes_it_grow()
	local service = start()
	local stacks = profile_of(service, { service = service, every = 1024 }, "stacks", 30)
	assert(bytes(stacks, ";down %(.*;down %([^;]*$") > 30 * 2000 * 16, stacks)
	skynet.kill(service)
end

function cases.finalizers_are_seen()
	local service = start()
	local stacks = profile_of(service, { service = service, every = 1024 }, "finalizers", 1000)
	near(bytes(stacks, ";__gc %(.*;%[C%] rep$"), 1000 * BLOCK, 0.3, stacks)
	skynet.kill(service)
end

function cases.a_service_can_profile_itself()
	local function much()
		for _ = 1, 900 do
			local _ = string.rep("x", BLOCK)
		end
	end
	skynet.profile_start { allocations = true, every = 1024 }
	much()
	local stacks, held = skynet.profile_stop()
	near(bytes(stacks, ";much "), 900 * BLOCK, 0.3, stacks)
	assert(bytes(held, "") <= bytes(stacks, ""))
end

function cases.a_service_in_the_middle_of_a_message_is_seen()
	local service = start()
	skynet.dispatch("lua", function()
		skynet.wakeup "begun"
	end)
	local seconds = 0.5
	repeat -- until the profile begins before the message ends
		local answer
		skynet.fork(function()
			skynet.call(service, "lua", "without_pause", seconds, skynet.self())
			answer = true
			skynet.wakeup "answer"
		end)
		skynet.wait "begun"
		skynet.profile_start { allocations = true, service = service }
		if not answer then
			skynet.wait "answer"
		end
		local stacks = skynet.profile_stop()
		seconds = seconds * 2
		assert(seconds < 100, "nothing is seen")
	until bytes(stacks, ";much ") > 0
	skynet.kill(service)
end

function cases.a_script_and_the_node_can_be_profiled_with_services_that_begin_meanwhile()
	local old = start()
	for _, options in ipairs { { script = "allocating" }, { node = true } } do
		options.allocations, options.every = true, 1024
		skynet.profile_start(options)
		local new = start()
		skynet.call(old, "lua", "both", 50)
		skynet.call(new, "lua", "coroutines", 50)
		local stacks = skynet.profile_stop()
		assert(bytes(stacks, "^allocating;.*;much ") > 0, stacks)
		assert(bytes(stacks, "^allocating;.*;%[C%] resume;.*;%[C%] rep$") > 0, stacks)
		-- Its own code is compiled before it runs.
		assert(bytes(stacks, "^allocating;.*main chunk") > 0, stacks)
		if options.script then
			check.equal(bytes(stacks, "^[^a]"), 0)
		end
		skynet.kill(new)
	end
	skynet.kill(old)
end

function cases.others_are_left_alone()
	local mine, other = start(), start()
	skynet.profile_start { allocations = true, service = mine, every = 1024 }
	local before = skynet.call(other, "lua", "allocator")
	skynet.call(other, "lua", "both", 10)
	local during = skynet.call(mine, "lua", "allocator")
	local stacks = skynet.profile_stop()
	assert(before ~= during, "the one that is profiled has another allocator")
	check.equal(bytes(stacks, ";much "), 0)
	skynet.kill(mine)
	skynet.kill(other)
end

function cases.afterwards_everything_is_as_it_was()
	local service = start()
	local before = skynet.call(service, "lua", "allocator")
	for i = 1, 3 do
		local _, _, during = profile_of(service, { service = service, every = 1024 }, "allocator")
		assert(during ~= before)
		if i < 3 then
			check.equal(skynet.call(service, "lua", "allocator"), before)
		end
	end
	-- One profile right after another one, and no end of it that the service would have seen.
	skynet.profile_start { allocations = true, service = service, every = 1024 }
	skynet.profile_stop()
	local stacks = profile_of(service, { service = service, every = 1024 }, "both", 100)
	near(bytes(stacks, ";much "), 900 * BLOCK, 0.3, stacks)
	check.equal(skynet.call(service, "lua", "allocator"), before)
	skynet.kill(service)
end

function cases.limits_of_memory_hold_meanwhile()
	local service = start()
	local _, _, ok, problem = profile_of(service, { service = service, every = 1024 }, "limited")
	check.equal(ok, false)
	assert(string.find(problem, "not enough memory", 1, true), problem)
	local _, _, again = profile_of(service, { service = service }, "both", 1)
	check.equal(again, 10 * BLOCK)
	skynet.kill(service)
end

function cases.coroutines_that_c_resumes_may_come_and_go()
	local service = start()
	local stacks = profile_of(service, { service = service, every = 256 }, "hidden", 50)
	assert(bytes(stacks, ";%[C%] run") > 0, stacks)
	skynet.kill(service)
end

local function await_end(service)
	while core.command("MQLEN", skynet.address(service)) do
		skynet.sleep(1)
	end
end

function cases.a_service_may_end_while_it_is_profiled()
	for _, options in ipairs { { node = true }, { script = "allocating" }, {} } do
		local service = start()
		options.service = options.node == nil and options.script == nil and service or nil
		options.allocations, options.every = true, 1024
		skynet.profile_start(options)
		skynet.call(service, "lua", "hold", 100)
		core.command("KILL", skynet.address(service))
		await_end(service)
		local stacks, held = skynet.profile_stop()
		assert(bytes(stacks, ";keep ") > 0, stacks)
		-- Its memory goes when the last one that looks at it has let it go: a moment later.
		assert(bytes(held, ";keep ") <= bytes(stacks, ";keep "), held)
	end
end

function cases.there_is_one_profile_of_any_kind_at_a_time()
	skynet.profile_start { allocations = true }
	check.raises("runs already", skynet.profile_start, {})
	check.raises("runs already", skynet.profile_start, { allocations = true })
	skynet.profile_stop()
	skynet.profile_start()
	check.raises("runs already", skynet.profile_start, { allocations = true })
	local stacks, held = skynet.profile_stop()
	check.equal({ type(stacks), held }, { "string" })
	local service = start()
	for expected, options in pairs {
		["for 256 to 1073741824 bytes"] = { every = 1 },
		["or 0: it sees to that itself"] = { every = 1.5 },
		["there is no service :00ffffff"] = { service = 0xffffff },
	} do
		options.allocations = true
		check.raises(expected, skynet.profile_start, options)
	end
	skynet.kill(service)
end

---------------------------------------------------------------- console and metrics port

local function busy(service)
	local running = true
	skynet.fork(function()
		while running do
			skynet.call(service, "lua", "both", 10)
			skynet.sleep(1)
		end
		skynet.wakeup(service)
	end)
	return function()
		running = false
		skynet.wait(service)
	end
end

function cases.the_console_writes_a_flame_graph_of_what_was_allocated_and_one_of_what_is_held()
	local service = start()
	local stop = busy(service)
	local ok, text = shell.console(string.format("profile alloc %x 1", service))
	stop()
	check.equal(ok, true, text)
	assert(string.find(text, "^%d+%.%d [KM]iB allocated\n self  total  function\n"), text)
	assert(string.find(text, "  much (", 1, true), text)
	assert(string.find(text, "held\n self", 1, true), text)
	local svg, stacks = string.match(text, "flame graph: (%S+%.svg)\nstacks: (%S+%.folded)")
	shell.has { [svg] = "<svg .*1 s of .*: %d+%.%d [KM]iB allocated<.*</svg>\n$", [stacks] = ";much " }
	for path in string.gmatch(text, ": (%S+%.%l+)") do
		os.remove(path)
	end
	shell.refuses {
		["profile alloc"] = "Need an address",
		["profile alloc node 0"] = "1 to 300 seconds",
		["profile alloc script"] = "the name of a script",
		["profile alloc :00ffffff 1"] = "profile: there is no service :00ffffff",
	}
	skynet.kill(service)
end

function cases.the_metrics_port_answers_what_was_allocated_and_what_is_held()
	local host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	local function get(target)
		local received = {}
		local code, body = httpc.request("GET", host, target, received)
		return code, body, received
	end
	local service = start()
	local stop = busy(service)
	local of = "/profile?seconds=1&service=" .. skynet.address(service)
	local code, body = get(of .. "&kind=alloc&format=folded&every=1024")
	check.equal(code, 200, body)
	assert(bytes(body, ";much ") > 0, body)
	code, body = get(of .. "&kind=alloc&format=top")
	assert(code == 200 and string.find(body, " allocated\n", 1, true), body)
	local header
	code, body, header = get "/profile?seconds=1&kind=held"
	check.equal(code, 200)
	check.equal(header["content-type"], "image/svg+xml")
	assert(string.find(body, "1 s of the node: ", 1, true))
	for target, expected in pairs {
		["/profile?kind=memory"] = "kind is cpu, alloc or held",
		["/profile?kind=alloc&hz=100"] = "hz is a number, for kind=cpu",
		["/profile?every=1024"] = "for kind=alloc and held",
		["/profile?kind=alloc&every=x"] = "every is a number of bytes",
		["/profile?kind=alloc&every=1"] = "256 to 1073741824 bytes",
	} do
		code, body = get(target)
		check.equal(code, 400, body)
		assert(string.find(body, expected, 1, true), body)
	end
	stop()
	skynet.kill(service)
end

check.run(cases)
