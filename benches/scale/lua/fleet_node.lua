-- A node of the fleet of benches/scale/run: publishes three names, calls those of others all the time, and prints what it sees
-- and what has come of its calls. Times are of the system's clock, in seconds.
--
--     ready BOOT
--     seen TIME NODE BOOT, gone TIME NODE BOOT      a process that has the name "shop"
--     failed BEGIN END KIND TARGET TEXT             a call that has failed
--     tick TIME KEY=NUMBER ...                      counts since the start, once a second
--
-- KIND is how the service was chosen: any, least and key (of a name that many have: TARGET is "-"), own (of the name that only the node
-- TARGET has), all of these with a limit of time; node (by the node's name, without a limit).

local skynet = require "skynet"
local cluster = require "skynet.cluster"
local discovery = require "skynet.cluster.discovery"
local commands = require "commands"

local name = skynet.getenv "cluster_name"
local number = tonumber(skynet.getenv "fleet_number")
local limit = tonumber(skynet.getenv "fleet_limit") -- 1/100 s that a call may take
local pause = tonumber(skynet.getenv "fleet_pause") -- 1/100 s between two calls of a task, on an average
local load_period = tonumber(skynet.getenv "fleet_load_period") -- 1/100 s
local GROUPS <const>, CALLERS <const> = 6, 4
local REMEMBER <const> = 60 -- seconds that a node that has left is still called

local known = {} -- "NODE BOOT" of those that have the name "shop"
local targets = {} -- node -> false, or when it has left
local target_names = {} -- of them, as a list
local nodes_count, shop_count = 0, 0
local answered, failed, wrong = {}, {}, 0 -- kind -> count
local underway = {} -- call -> { kind =, begin = }
local longest = { limited = 0, node = 0 } -- 1/100 s
local asked = 0 -- requests answered to others
local running = false

local function say(...)
	print(...)
	io.stdout:flush()
end

---------------------------------------------------------------- what is seen

local function boot_of(instance)
	return string.match(instance.address, "^@~(%x+)%.") or "?"
end

local function watch_shop(list)
	local now, present = skynet.time(), {}
	for _, instance in ipairs(list) do
		present[instance.node .. " " .. boot_of(instance)] = true
	end
	for key in pairs(present) do
		if not known[key] then
			say(string.format("seen %.2f %s", now, key))
		end
	end
	for key in pairs(known) do
		if not present[key] then
			say(string.format("gone %.2f %s", now, key))
		end
	end
	known, shop_count = present, #list
end

local function watch_nodes(nodes)
	nodes_count = 0
	for node in pairs(nodes) do
		nodes_count = nodes_count + 1
		targets[node] = false
	end
	local now = skynet.time()
	target_names = {}
	for node, left in pairs(targets) do
		if not nodes[node] then
			targets[node] = left or now
		end
		if left and now - left > REMEMBER then
			targets[node] = nil
		elseif node ~= name then
			target_names[#target_names + 1] = node
		end
	end
	table.sort(target_names)
end

---------------------------------------------------------------- calls

local function some_target()
	return target_names[math.random(math.max(1, #target_names))]
end

local ways = {}

function ways.any()
	return "-", cluster.call_name({ "shop", by = "any", time = limit }, "who")
end

function ways.least()
	return "-", cluster.call_name({ "shop", by = "least", time = limit }, "who")
end

function ways.key()
	local group = string.format("group-%d", math.random(0, GROUPS - 1))
	return "-", cluster.call_name({ group, key = math.random(1000000), time = limit }, "who")
end

function ways.own(target)
	return target, cluster.call_name({ "at-" .. target, time = limit }, "who")
end

function ways.node(target)
	return target, cluster.call(target, "@answer", "who")
end

local KINDS <const> = { "any", "least", "key", "own", "own", "own", "node", "node" }

local function call(kind, target)
	local mark = { kind = kind, begin = skynet.now() }
	underway[mark] = true
	local begin = skynet.time()
	local ok, meant, who = pcall(ways[kind], target)
	underway[mark] = nil
	local time = skynet.now() - mark.begin
	local sort = kind == "node" and "node" or "limited"
	longest[sort] = math.max(longest[sort], time)
	if not ok then
		failed[kind] = (failed[kind] or 0) + 1
		local text = string.gsub(tostring(meant), "%s+", " ")
		local shown = (kind == "own" or kind == "node") and target or "-"
		say(string.format("failed %.2f %.2f %s %s %s", begin, skynet.time(), kind, shown, string.sub(text, 1, 200)))
		return false
	end
	answered[kind] = (answered[kind] or 0) + 1
	if meant ~= "-" and who ~= meant then
		wrong = wrong + 1
		say(string.format("wrong %.2f %s %s", skynet.time(), meant, tostring(who)))
	end
	return true
end

local function call_on()
	while running do
		skynet.sleep(math.random(1, 2 * pause - 1))
		local target = some_target()
		local kind = KINDS[math.random(#KINDS)]
		if running and (target or kind ~= "own" and kind ~= "node") then
			call(kind, target)
		end
	end
end

---------------------------------------------------------------- figures

local function oldest(sort)
	local age = 0
	for mark in pairs(underway) do
		if (mark.kind == "node") == (sort == "node") then
			age = math.max(age, skynet.now() - mark.begin)
		end
	end
	return age
end

local function count_of(counts)
	local sum = 0
	for _, count in pairs(counts) do
		sum = sum + count
	end
	return sum
end

local function tick()
	local words = {}
	for key, value in pairs {
		nodes = nodes_count,
		shop = shop_count,
		answered = count_of(answered),
		failed = count_of(failed),
		wrong = wrong,
		served = asked,
		longest_limited = longest.limited,
		longest_node = longest.node,
		oldest_limited = oldest "limited",
		oldest_node = oldest "node",
	} do
		words[#words + 1] = string.format("%s=%d", key, value)
	end
	for _, kind in ipairs { "any", "least", "key", "own", "node" } do
		words[#words + 1] = string.format("%s=%d", kind, (answered[kind] or 0) + (failed[kind] or 0))
		words[#words + 1] = string.format("failed_%s=%d", kind, failed[kind] or 0)
	end
	say(string.format("tick %.2f %s", skynet.time(), table.concat(words, " ")))
end

---------------------------------------------------------------- what the driver types

local command = {}

function command.go()
	if not running then
		running = true
		for _ = 1, CALLERS do
			skynet.fork(call_on)
		end
	end
end

function command.stop()
	running = false
	local deadline = skynet.now() + 6000
	while next(underway) and skynet.now() < deadline do
		skynet.sleep(10)
	end
	local left = 0
	for _ in pairs(underway) do
		left = left + 1
	end
	say("stopped", left)
end

--- everyone NODE ...: calls the name that each of them has
function command.everyone(...)
	local count, well = 0, 0
	for _, target in ipairs { ... } do
		count = count + 1
		if call("own", target) then
			well = well + 1
		end
	end
	say("everyone", well, count)
end

local function tell_load(publication)
	while true do
		skynet.sleep(math.random(load_period // 2, load_period * 3 // 2))
		publication:change { load = asked % 100 }
	end
end

skynet.start(function()
	math.randomseed(tonumber(skynet.getenv "fleet_seed"), number)
	skynet.dispatch("lua", function()
		asked = asked + 1
		skynet.retpack(name)
	end)
	cluster.register "answer"
	cluster.open()
	cluster.publish("at-" .. name)
	cluster.publish(string.format("group-%d", number % GROUPS))
	local shop = cluster.publish("shop", { load = 0 })
	discovery.watch(watch_nodes)
	local is_told = false
	cluster.watch_name("shop", function(list)
		for _, instance in ipairs(list) do
			if instance.here and not is_told then
				is_told = true
				say("ready", boot_of(instance))
			end
		end
		watch_shop(list)
	end)
	if load_period > 0 then
		skynet.fork(tell_load, shop)
	end
	skynet.fork(commands, command)
	skynet.fork(function()
		while true do
			skynet.sleep(100)
			tick()
		end
	end)
end)
