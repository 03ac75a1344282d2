-- The sampling profiler: from Lua, from the debug console, and on the metrics port.
local skynet = require "skynet"
local core = require "skynet.core"
local check = require "check"
local shell = require "profile_console"
local httpc = require "http.httpc"

local role = ...

local HZ <const> = 250 -- what the system's clock has on most machines
local ENOUGH <const> = 40 -- samples

-- For so many seconds of CPU time of the process, others included.
local function for_seconds(seconds, step)
	local begin = os.clock()
	repeat
		step()
	until os.clock() - begin > seconds
end

-- Two functions of which one takes four times as long.
local function spin(rounds)
	local x = 0
	for i = 1, rounds do
		x = (x * 31 + i) & 0xffff
	end
	return x
end

local function heavy()
	local x = spin(40000)
	return x
end

local function light()
	local x = spin(10000)
	return x
end

local work = {}

function work.both(seconds)
	for_seconds(seconds, function()
		heavy()
		light()
	end)
end

function work.short(turns)
	for _ = 1, turns do
		skynet.sleep(1)
		spin(50000)
	end
end

function work.in_c(seconds)
	local pattern = string.rep("a?", 20) .. string.rep("a", 20)
	local subject = string.rep("a", 20)
	for_seconds(seconds, function()
		local found = string.find(subject, pattern)
		assert(found)
	end)
end

function work.coroutines(seconds)
	local function inner()
		while true do
			spin(1000)
			coroutine.yield()
		end
	end
	local function outer()
		local go = coroutine.wrap(inner)
		while true do
			go()
			coroutine.yield()
		end
	end
	local thread = coroutine.create(outer)
	for_seconds(seconds, function()
		assert(coroutine.resume(thread))
	end)
end

function work.hooked(seconds)
	local events = 0
	local function hook()
		events = events + 1
	end
	debug.sethook(hook, "", 1000)
	for_seconds(seconds, heavy)
	local same, _, count = debug.gethook()
	debug.sethook()
	return events, same == hook and count
end

function work.deep(seconds)
	local function down(n)
		if n == 0 then
			return for_seconds(seconds, light)
		end
		local x = down(n - 1)
		return x
	end
	down(150)
end

if role then
	skynet.start(function()
		skynet.dispatch("lua", function(_, _, command, ...)
			if command == "start" then
				skynet.profile_start(...)
				skynet.ret()
			elseif command == "hook" then
				skynet.retpack(debug.gethook() ~= nil)
			else
				skynet.retpack(work[command](...))
			end
		end)
	end)
	return
end

local cases = {}

local function start()
	return skynet.newservice("profiling", "worker")
end

-- Samples of the stacks that match.
local function samples(stacks, pattern)
	local sum = 0
	for stack, count in string.gmatch(stacks, "([^\n]+) (%d+)\n") do
		if string.find(stack, pattern) then
			sum = sum + math.tointeger(count)
		end
	end
	return sum
end

-- The stacks of a service while it works, with so many samples at least.
local function profile_of(service, name, options, enough)
	local seconds = 0.3
	while true do
		options = options or { service = service }
		options.hz = HZ
		skynet.profile_start(options)
		local results = table.pack(skynet.call(service, "lua", name, seconds))
		local stacks = skynet.profile_stop()
		if samples(stacks, "") >= (enough or ENOUGH) then
			return stacks, table.unpack(results, 1, results.n)
		end
		assert(seconds < 100, "no samples come")
		seconds = seconds * 2
	end
end

-- Timers of the process, as the system has them; nil where it does not tell.
local function timers()
	local file = io.open "/proc/self/timers"
	if file then
		local _, count = string.gsub(file:read "a", "ID: ", "")
		file:close()
		return count
	end
end

function cases.functions_have_their_part_of_the_time()
	local service = start()
	-- Of the samples that come, the system's clock makes as few as a third.
	local stacks = profile_of(service, "both", nil, 200)
	local much, little = samples(stacks, ";heavy %(.*;spin %("), samples(stacks, ";light %(.*;spin %(")
	assert(much > little and little > 0, stacks)
	assert(much + little > samples(stacks, "") // 2, stacks)
	local address = skynet.address(service)
	for line in string.gmatch(stacks, "[^\n]+") do
		assert(string.find(line, "^profiling " .. address .. ";[^;].* %d+$"), line)
	end
	assert(string.find(stacks, "heavy %(.-profiling.lua:%d+%)"), stacks)
	skynet.kill(service)
end

-- Such a turn is often over before the system's clock ticks again.
function cases.short_turns_after_timers_have_as_many_samples_as_they_have_used()
	local service = start()
	local function used()
		return skynet.call(service, "debug", "STAT").cpu * 1000
	end
	local before = used()
	skynet.profile_start { service = service, hz = 1000 }
	skynet.call(service, "lua", "short", 100)
	local stacks = skynet.profile_stop()
	local expected = used() - before
	assert(math.abs(samples(stacks, "") - expected) < expected / 10 + 5, expected .. ":\n" .. stacks)
	skynet.kill(service)
end

-- A case: of the samples of a worker's function, more than one in `part` have a stack that matches.
local function shows(name, pattern, part)
	return function()
		local service = start()
		local stacks = profile_of(service, name)
		assert(samples(stacks, pattern) > samples(stacks, "") // part, stacks)
		skynet.kill(service)
	end
end

cases.a_c_function_that_takes_the_time_is_named = shows("in_c", ";%[C%] find$", 2)
cases.coroutines_stand_on_those_that_resume_them =
	shows("coroutines", ";for_seconds .*;step .*;%[C%] resume;function .*;%[C%] go;function .*;spin ", 3)
cases.deep_stacks_are_cut = shows("deep", ";%.%.%.;down .*;step .*;spin ", 3)

function cases.a_debug_hook_of_the_service_stays()
	local service = start()
	local stacks, events, count = profile_of(service, "hooked")
	check.equal(count, 1000)
	assert(events > 100, events)
	assert(samples(stacks, ";%[a debug hook is set%]$") > samples(stacks, "") // 2, stacks)
	skynet.kill(service)
end

function cases.without_a_profile_there_is_no_timer_and_no_hook()
	local service = start()
	local before = timers()
	skynet.profile_start { service = service, hz = HZ }
	local during = timers()
	skynet.call(service, "lua", "both", 0.1)
	skynet.profile_stop()
	if before then
		assert(during > before, "each thread has a timer")
		check.equal(timers(), before)
	end
	check.equal(skynet.call(service, "lua", "hook"), false)
	skynet.kill(service)
end

function cases.others_are_left_alone()
	local mine, other = start(), start()
	skynet.profile_start { service = mine, hz = HZ }
	skynet.call(other, "lua", "both", 0.3)
	check.equal(samples(skynet.profile_stop(), "heavy"), 0)
	skynet.kill(mine)
	skynet.kill(other)
end

function cases.a_script_and_the_node_can_be_profiled()
	local service = start()
	local stacks = profile_of(service, "both", { script = "profiling" })
	assert(samples(stacks, "^profiling;.*;heavy ") > 0, stacks)
	check.equal(samples(stacks, "^[^p]"), 0)
	stacks = profile_of(service, "both", { node = true })
	assert(samples(stacks, "^profiling;.*;heavy ") > 0, stacks)
	assert(string.find(stacks, "embedded", 1, true), "files of the executable have their names:\n" .. stacks)
	skynet.kill(service)
end

function cases.a_service_can_profile_itself()
	skynet.profile_start { hz = HZ }
	work.both(1)
	local stacks = skynet.profile_stop()
	assert(samples(stacks, ";heavy .*;spin ") > 0, stacks)
end

function cases.there_is_one_profile_at_a_time()
	local other = start()
	skynet.profile_start()
	local ok, problem = pcall(skynet.call, other, "lua", "start")
	check.equal(ok, false)
	assert(string.find(problem, "call failed", 1, true) or string.find(problem, "runs already", 1, true), problem)
	ok, problem = pcall(function()
		skynet.profile_start()
	end)
	check.equal(ok, false)
	assert(string.find(problem, "profiling.lua:%d+: profile_start: a profile runs already, begun by :%x+ "), problem)
	skynet.profile_stop()
	ok, problem = pcall(skynet.profile_stop)
	check.equal(ok, false)
	assert(string.find(problem, "has begun no profile", 1, true), problem)
	-- That of a service ends with the service.
	skynet.call(other, "lua", "start", { node = true })
	check.equal(pcall(skynet.profile_start), false)
	check.equal(pcall(skynet.profile_stop), false)
	skynet.kill(other)
	skynet.profile_start()
	skynet.profile_stop()
end

function cases.a_service_may_end_while_it_is_profiled()
	for _, options in ipairs { { node = true }, { script = "profiling" }, {} } do
		local service = start()
		options.service = options.node == nil and options.script == nil and service or nil
		options.hz = 1000
		skynet.profile_start(options)
		skynet.call(service, "lua", "both", 0.1)
		skynet.send(service, "lua", "both", 0.3)
		skynet.sleep(5)
		core.command("KILL", skynet.address(service))
		while core.command("MQLEN", skynet.address(service)) do
			skynet.sleep(1)
		end
		-- What it did before is still told, by names that its VM had.
		local stacks = skynet.profile_stop()
		assert(string.find(stacks, ";heavy ([^;\n]*);spin ([^;\n]*) %d+\n"), stacks)
		assert(string.find(stacks, "^[%g%s]*$"), stacks)
	end
end

function cases.what_cannot_be_profiled_is_said()
	local service = start()
	for expected, options in pairs {
		["1 to 1000 samples"] = { hz = 0 },
		["takes 1 to 1000 samples a second"] = { hz = 1.5 },
		["there is no service :00ffffff"] = { service = 0xffffff },
		["there is no service .nosuch"] = { service = ".nosuch" },
		["service is a handle or a name"] = { service = "nosuch" },
		["script is the name"] = { script = "a b" },
		["has at most 127 bytes"] = { script = string.rep("x", 128) },
	} do
		local ok, problem = pcall(skynet.profile_start, options)
		assert(not ok and string.find(problem, expected, 1, true), problem)
	end
	skynet.kill(service)
end

function cases.flame_graphs_are_well_formed_whatever_names_are()
	local flamegraph = require "skynet.internal.flamegraph"
	local samples_text = require "skynet.internal.profilerun".KINDS.cpu.text
	local svg = flamegraph('a;b<&">;c ]]> \xff 3\na;中文函数名字很长很长 1\n', "<title>", samples_text)
	local body = string.gsub(svg, "<script>.*</script>", "")
	assert(
		not string.find(body, "[^%w]<&") and string.find(body, "b&lt;&amp;&quot;&gt; (3 samples, 75.00%)", 1, true),
		body
	)
	assert(utf8.len(body))
	local opened = select(2, string.gsub(body, "<g ", ""))
	check.equal(opened, select(2, string.gsub(body, "</g>", "")))
	check.equal(opened, 5) -- all, a, b, c, the Chinese one
	assert(string.find(flamegraph("", "nothing", samples_text), "</svg>", 1, true))
end

---------------------------------------------------------------- console and metrics port

function cases.the_console_writes_a_flame_graph()
	local service = start()
	local ok, text
	repeat -- until the system lets it run in that second
		skynet.send(service, "lua", "both", 1)
		ok, text = shell.console(string.format("profile %x 1", service))
		check.equal(ok, true, text)
		skynet.call(service, "lua", "both", 0)
		local svg, stacks = string.match(text, "flame graph: (%S+)\nstacks: (%S+)")
		local found = string.find(text, "  heavy (", 1, true)
		if svg and not found then
			os.remove(svg)
			os.remove(stacks)
		end
	until found
	assert(string.find(text, "^%d+ samples, %d+%.%d+ s of CPU time\n"), text)
	assert(string.find(text, "\n *%d+%.%d%% +%d+%.%d%%  spin %("), text)
	local svg, stacks = string.match(text, "flame graph: (%S+%.svg)\nstacks: (%S+%.folded)$")
	shell.has { [svg] = "<svg .*;?heavy .*</svg>\n$", [stacks] = ";heavy " }
	os.remove(svg)
	os.remove(stacks)
	shell.refuses {
		["profile"] = "Need an address, node or script: profile [alloc] ADDRESS|node|script NAME",
		["profile script nosuch"] = "no service runs the script nosuch",
		["profile node 1 x"] = "hz is a number",
		["profile node 0"] = "1 to 300 seconds",
		["profile node 301"] = "1 to 300 seconds",
		["profile node x"] = "1 to 300 seconds, not x",
		["profile script"] = "the name of a script",
		["profile :00ffffff 1"] = "profile: there is no service :00ffffff",
	}
	skynet.kill(service)
end

function cases.files_of_profiles_have_the_name_of_what_they_are_of_and_are_never_written_over()
	local name_of = require "skynet.internal.profilename"
	local folder = os.tmpname()
	os.remove(folder)
	for name, expected in pairs {
		["世界频道"] = "世界频道",
		[":0000000a"] = "0000000a",
		["../..\n/agent\u{9b}"] = "agent",
		["agent \xff"] = "agent ",
		[string.rep("频", 50)] = string.rep("频", 40),
	} do
		check.equal(name_of(folder, "profile", name, "now"), folder .. "/profile-" .. expected .. "-now")
	end
	folder = string.match(folder, "^(.*)/[^/]*$")
	local first = name_of(folder, "profile", "世界频道", "now")
	for _, extension in ipairs { ".svg", ".folded" } do
		assert(io.open(first .. extension, "wb")):close()
		check.equal(name_of(folder, "profile", "世界频道", "now"), first .. "-2")
		os.remove(first .. extension)
	end
end

local host

local function get(target, header, method)
	local received = {}
	local code, body = httpc.request(method or "GET", host, target, received, header)
	return code, body, received
end

function cases.a_profile_without_samples_says_what_was_used_and_what_to_do()
	host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	local service = skynet.newservice("profiling", "worker")
	local target = "/profile?seconds=1&hz=1&service=" .. skynet.address(service) -- one that does nothing
	local code, body = get(target .. "&format=top")
	check.equal(code, 200, body)
	assert(string.find(body, "^0 samples: %d+%.%d+ s of CPU time were used meanwhile.*Profile for longer"), body)
	code, body = get(target)
	check.equal(code, 200, body)
	assert(
		string.find(body, "1 s of service :%x+: no samples<") and string.find(body, "Profile for longer", 1, true),
		body
	)
	code, body = get(target .. "&format=folded")
	check.equal(code, 200, body)
	check.equal(body, "")
	skynet.kill(service)
end

function cases.the_metrics_port_answers_profiles_to_this_machine()
	host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	local service = start()
	local code, body, header
	repeat -- until the system lets it run in that second
		skynet.send(service, "lua", "both", 1)
		code, body = get "/profile?seconds=1&script=profiling&format=folded&hz=1000"
		check.equal(code, 200, body)
		skynet.call(service, "lua", "both", 0)
	until samples(body, "^profiling;.*;heavy ") > 0
	code, body, header = get("/profile?seconds=1&service=" .. skynet.address(service))
	check.equal(code, 200)
	check.equal(header["content-type"], "image/svg+xml")
	assert(string.find(header["content-security-policy"], "sandbox", 1, true))
	assert(string.find(body, "</svg>\n$"))
	for target, expected in pairs {
		["/profile?seconds=0"] = "seconds is 1 to 30",
		["/profile?seconds=31"] = "seconds is 1 to 30",
		["/profile?seconds=nan"] = "seconds is 1 to 30",
		["/profile?hz=x"] = "hz is a number",
		["/profile?second=5"] = "there is no parameter second",
		["/profile?se%0ac=5"] = "there is no parameter se\\x0ac",
		["/profile?service=1&script=x"] = "of a service or of a script",
		["/profile?hz=5000"] = "1 to 1000 samples",
		["/profile?format=png"] = "svg, folded or top",
		["/profile?sekunden=1"] = "no parameter sekunden",
		["/profile?script=nosuch"] = "no service runs the script nosuch",
		["/profile?service=.nosuch"] = "there is no service .nosuch",
	} do
		code, body = get(target)
		check.equal(code, 400, body)
		assert(string.find(body, expected, 1, true), body)
	end
	check.equal(get("/profile?seconds=1", nil, "POST"), 405)
	check.equal(get("/profile?seconds=1", { ["sec-fetch-site"] = "cross-site" }), 403)
	check.equal(get("/profile?seconds=1", { origin = "http://evil.example" }), 403)
	check.equal(get("/profile?seconds=1", { host = "evil.example" }), 403)
	-- Who comes by way of a proxy of this machine is anywhere.
	for _, field in ipairs { "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via" } do
		check.equal(get("/profile?seconds=1", { [field] = "192.0.2.1" }), 403, field)
	end
	skynet.profile_start()
	code, body = get "/profile?seconds=1"
	check.equal(code, 409, body)
	skynet.profile_stop()
	skynet.kill(service)
end

function cases.with_a_password_a_profile_needs_it()
	local crypt = require "skynet.crypt"
	skynet.setenv("dashboard_password", "secret")
	host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	check.equal(get "/profile?seconds=1", 401)
	check.equal(get("/profile?seconds=1", { authorization = "Bearer " .. crypt.base64encode "wrong" }), 401)
	local right = { authorization = "Bearer " .. crypt.base64encode "secret" }
	check.equal(get("/profile?seconds=1&format=top", right), 200)
	right["sec-fetch-site"] = "cross-site"
	check.equal(get("/profile?seconds=1&format=top", right), 403)
	-- As the dashboard asks behind a proxy that speaks HTTPS to the browser.
	skynet.setenv("dashboard_origin", "https://ops.example.com")
	host = "127.0.0.1:" .. skynet.call(skynet.newservice("metrics", 0), "lua", "port")
	right["sec-fetch-site"], right["x-forwarded-for"] = "same-origin", "192.0.2.1"
	right.host, right.origin = "ops.example.com", "https://ops.example.com"
	check.equal(get("/profile?seconds=1&format=top", right), 200)
	right.origin = "https://evil.example"
	check.equal(get("/profile?seconds=1&format=top", right), 403)
end

check.run(cases)
