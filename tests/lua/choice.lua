-- Which service of a name a request goes to, and how often a service is told of those that there are.
local skynet = require "skynet"
local check = require "check"
local crypt = require "skynet.crypt"
local choice = require "skynet.cluster.choice"
local rings = require "skynet.cluster.ring"
local subscription = require "skynet.cluster.subscription"

local cases = {}

local function owners(count)
	local list = {}
	for i = 1, count do
		list[i] = "node" .. i
	end
	return list
end

function cases.a_ring_moves_no_key_between_those_that_stay()
	local KEYS <const>, NODES <const> = 5000, 10
	local before, after = owners(NODES), owners(NODES + 1)
	local ring, larger = rings.new(before), rings.new(after)
	local moved, of = 0, {}
	for i = 1, KEYS do
		local from, to = before[rings.owner(ring, "key" .. i)], after[rings.owner(larger, "key" .. i)]
		of[from] = (of[from] or 0) + 1
		if from ~= to then
			moved = moved + 1
			check.equal(to, "node" .. NODES + 1, "only the new one gets keys")
		end
	end
	assert(moved > 0 and moved < 2 * KEYS // (NODES + 1), "moved: " .. moved)
	for _, count in pairs(of) do
		assert(count > KEYS // NODES // 2 and count < 2 * KEYS // NODES, "one has " .. count)
	end
	check.equal(rings.owner(rings.new {}, "key"), nil)
end

function cases.a_ring_does_not_depend_on_the_order()
	local list = owners(5)
	local ring = rings.new(list)
	local other_list = { list[3], list[1], list[5], list[2], list[4] }
	local other = rings.new(other_list)
	for i = 1, 200 do
		local key = "key" .. i
		check.equal(other_list[rings.owner(other, key)], list[rings.owner(ring, key)])
	end
end

-- With a hash of so few bits that points of two owners meet.
function cases.an_owner_that_wants_a_point_of_another_changes_no_ring_of_before()
	local sha1 <const> = crypt.sha1
	crypt.sha1 = function(text)
		return string.pack("<i8", string.unpack("<i8", sha1(text)) & 0x3ffff)
	end
	local function owners_of_keys(ring)
		local list = {}
		for i = 1, 500 do
			list[i] = assert(rings.owner(ring, "key" .. i), "a key that nobody owns")
		end
		return list
	end
	local ok, problem = pcall(function()
		local ring, count = rings.new(owners(2)), 2
		while not ring.has_ties do
			count = count + 1
			assert(count < 50)
			local former, before = ring, owners_of_keys(ring)
			ring = rings.new(owners(count), former)
			check.equal(owners_of_keys(former), before)
			check.equal(owners_of_keys(ring), owners_of_keys(rings.new(owners(count))))
		end
		assert(count > 2, "none was made from another one")
	end)
	crypt.sha1 = sha1
	assert(ok, problem)
end

-- Whatever the rings before it were, a ring is that of its owners.
function cases.a_ring_does_not_depend_on_those_before()
	local function check_same(ring, list, what)
		local anew = rings.new(list)
		for i = 1, 300 do
			local key = "key" .. i
			check.equal(rings.owner(ring, key), rings.owner(anew, key), what)
		end
		check.equal(ring.points, anew.points, what)
	end
	math.randomseed(7)
	local present, next_name = owners(12), 12
	local ring = rings.new(present)
	local first, first_list = ring, { table.unpack(present) }
	for step = 1, 60 do
		for _ = 1, math.random(0, 3) do
			table.remove(present, math.random(#present + 1)) -- or nothing
		end
		for _ = 1, math.random(0, 3) do
			next_name = next_name + math.random(0, 1) -- some come back
			if present[#present] ~= "node" .. next_name then
				table.insert(present, 1, "node" .. next_name)
			end
		end
		local seen, list = {}, {}
		for _, owner in ipairs(present) do
			if not seen[owner] then
				seen[owner] = true
				list[#list + 1] = owner
			end
		end
		present = list
		ring = rings.new({ table.unpack(present) }, ring)
		check_same(ring, present, "step " .. step)
		assert(ring.known <= 2 * 160 * (#present + 3), "what has gone is kept: " .. ring.known)
	end
	check_same(first, first_list, "one that is used for longer")
	check.equal(rings.owner(rings.new({}, ring), "key"), nil)
	check_same(rings.new(owners(40), ring), owners(40), "many come")
end

function cases.a_list_that_follows_another_is_chosen_from_in_the_same_way()
	local wanted, former = choice.wanted { "x", key = 42, tags = { v = "1" } }, nil
	for count = 20, 40 do
		local list = {}
		for i = 1, count do
			list[i] = { key = tostring(i), node = "node" .. i, tags = { v = i % 2 == 0 and "1" or "2" } }
		end
		choice.follow(list, former)
		local alone = { table.unpack(list) }
		for key = 1, 20 do
			for _, tags in ipairs { { v = "1" }, { v = "2" }, {} } do
				wanted.key, wanted.tags = tostring(key), tags
				local one = choice.choose(choice.tagged(list, tags), wanted, {})
				check.equal(one, choice.choose(choice.tagged(alone, tags), wanted, {}))
				assert(tags.v == nil or one.tags.v == tags.v)
			end
		end
		for field in pairs(list) do
			assert(math.type(field) == "integer", "the user's list has a field " .. tostring(field))
		end
		former = list
	end
end

function cases.a_long_list_that_changes_all_the_time_is_told_less_often()
	local version, length, asked = 0, 0, 0
	local former_ask = subscription.ask
	function subscription.ask()
		asked, version = asked + 1, version + 1
		skynet.yield()
		local list = {}
		for i = 1, length do
			list[i] = i
		end
		return version, list, "fresh"
	end
	local function told(entries)
		length, asked = entries, 0
		local topic = subscription.new("a test", "name", "x")
		local stop = subscription.watch(topic, function() end)
		skynet.sleep(30)
		stop()
		topic.used = -math.huge
		local count = asked
		while topic.version do
			skynet.sleep(1)
		end
		return count
	end
	local short, long = told(1), told(1000)
	subscription.ask = former_ask
	assert(long >= 2 and 5 * long < short, string.format("a short one %d times, a long one %d times", short, long))
end

local function surroundings(down, waiting)
	return {
		zone = "east",
		waiting = waiting or {},
		is_down = function(node)
			return node == down
		end,
	}
end

local list = {
	{ key = "1", node = "a", zone = "west", load = 1, tags = { v = "1" } },
	{ key = "2", node = "b", zone = "east", load = 3 },
	{ key = "3", node = "c", zone = "east", load = 2, here = true },
}

function cases.the_nearest_is_here_then_in_the_zone()
	local near = choice.wanted "x"
	check.equal(choice.choose(list, near, surroundings()).node, "c")
	check.equal(choice.choose({ list[1], list[2] }, near, surroundings()).node, "b")
	check.equal(choice.choose({ list[1], list[2] }, near, surroundings "b").node, "a")
	check.equal(choice.choose({ list[1] }, near, surroundings "a").node, "a", "the only one is tried")
	check.equal(choice.choose({}, near, surroundings()), nil)
end

function cases.the_least_loaded_counts_what_waits()
	local least = choice.wanted { "x", by = "least" }
	check.equal(choice.choose(list, least, surroundings()).node, "a")
	check.equal(choice.choose(list, least, surroundings(nil, { ["1"] = 5 })).node, "c")
	check.equal(choice.choose(list, least, surroundings "a").node, "c", "the node of the other one is down")
	check.equal(choice.choose({ list[1] }, least, surroundings "a").node, "a", "the only one is tried")
	check.equal(choice.choose({}, least, surroundings()), nil)
end

function cases.any_of_those_that_are_up_is_chosen()
	local any, many, seen = choice.wanted { "x", by = "any" }, {}, {}
	for i = 1, 40 do
		many[i] = { key = tostring(i), node = "node" .. i }
	end
	local here = {
		waiting = {},
		is_down = function(node)
			return node ~= "node7" and node ~= "node33" -- most are down
		end,
	}
	for _ = 1, 200 do
		local node = choice.choose(many, any, here).node
		seen[node] = (seen[node] or 0) + 1
	end
	check.equal(seen.node7 + seen.node33, 200)
	assert(seen.node7 > 50 and seen.node33 > 50, "one of them is preferred")
	check.equal(choice.choose({ many[1] }, any, here), many[1], "the only one is tried")
	check.equal(choice.choose({}, any, here), nil)
end

function cases.tags_are_asked_for()
	check.equal(#choice.tagged(list, { v = "1" }), 1)
	check.equal(#choice.tagged(list, { v = "2" }), 0)
	check.equal(choice.tagged(list, {}), list)
	check.raises("by is", choice.wanted, { "x", by = "nearest" })
	check.raises("by is", choice.wanted, { "x", by = "key" })
	check.raises("a name", choice.wanted, 5)
	check.raises("the time is", choice.wanted, { "x", time = "3 s" })
	check.equal(choice.wanted({ "x", time = 150.5 }).time, 150)
	check.equal(choice.wanted({ "x", key = false }).key, "false")
	check.equal(choice.wanted({ "x", time = math.huge }).time, 0x7fffffff)
end

function cases.a_key_stays_where_it_is_when_its_node_is_down_for_a_moment()
	local wanted = choice.wanted { "x", key = 42 }
	local chosen = choice.choose(list, wanted, surroundings())
	check.equal(choice.choose(list, wanted, surroundings(chosen.node)), chosen)
end

check.run(cases)
