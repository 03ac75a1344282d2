-- What discovery is made of, without an engine: what is known of a cluster, JSON, addresses of engines.
local skynet = require "skynet"
local check = require "check"
local json = require "skynet.internal.json"
local url = require "skynet.cluster.url"
local registries = require "skynet.cluster.registry"
local lines_of = require "skynet.cluster.etcd.lines"
local etcd = require "skynet.cluster.provider.etcd"
local awake = require "skynet.internal.awake"
local keepers = require "skynet.cluster.keeper"
local message = require "skynet.dns.message"

local cases = {}

---------------------------------------------------------------- JSON

function cases.json_reads_what_it_writes()
	for _, value in ipairs { 1, -5, 0.5, true, false, "", 'a"\\\n\1\u{1f600}', { 1, 2, { a = "b" } }, { a = { b = {} } } } do
		check.equal(json.decode(json.encode(value)), value)
	end
	check.equal(json.encode { b = 1, a = json.list {} }, '{"a":[],"b":1}')
	check.equal(
		json.decode ' { "a" : [ null , 1.5e2 , "\\u00e9\\ud83d\\ude00\\/" ] } ',
		{ a = { nil, 150.0, "é😀/" } }
	)
	check.equal(json.decode '"\\ud83d"', "\u{fffd}", "half of a character")
	check.equal(math.type(json.decode "9007199254740993"), "integer")
end

function cases.json_refuses_what_is_none()
	local deep = string.rep("[", 65) .. string.rep("]", 65)
	for _, text in ipairs {
		"",
		"{",
		'{"a"}',
		'{"a":1,}',
		"[1 2]",
		'"a',
		"01",
		"nul",
		"1 1",
		'"\n"',
		'"\\x"',
		"{1:2}",
		"'a'",
		"0x10",
		"-",
		deep,
	} do
		check.raises("JSON", json.decode, text)
	end
	check.raises("JSON", json.encode, 0 / 0)
	check.raises("JSON", json.encode, print)
	local loop = {}
	loop.a = loop
	check.raises("JSON", json.encode, loop)
end

---------------------------------------------------------------- what an engine says

-- Hands out the pieces one after another.
local function pieces(list)
	local at = 0
	return function()
		at = at + 1
		return list[at]
	end
end

function cases.messages_of_a_watch_are_lines_however_they_are_cut()
	local lines = lines_of(pieces { "a", "", "b\n\n", "\nc\nd", "e", "\n", "cut off" })
	check.equal({ lines:next(), lines:next(), lines:next() }, { "ab", "c", "de" })
	check.equal(lines:next(), nil)
end

function cases.a_piece_with_very_many_messages_costs_what_it_is_long()
	local others = 0
	skynet.fork(function()
		others = 1
	end)
	local lines = lines_of(pieces { string.rep("\n", 4000000), string.rep("a message\n", 400000) })
	local count = 0
	while lines:next() do
		count = count + 1
	end
	check.equal(count, 400000)
	check.equal(others, 1, "another task had its turn")
end

function cases.a_message_without_an_end_is_refused()
	local piece = string.rep("x", 1024 * 1024)
	local lines = lines_of(function()
		return piece
	end)
	check.raises("more than 16777216 bytes", lines.next, lines)
end

function cases.an_entry_that_is_no_text_is_left_out()
	local changed = {}
	local registry = registries.new {
		node = function(name)
			changed[#changed + 1] = name
		end,
	}
	registry:put({}, "text")
	registry:put("nodes/a", {})
	registry:snapshot({ [{}] = "x", ["nodes/b"] = '{"address":"127.0.0.1:1","boot":"1"}' }, "one", 0)
	registry:snapshot({ ["nodes/b"] = '{"address":"127.0.0.1:1","boot":"1"}' }, "one", 0)
	check.equal(changed, { "b" })
end

function cases.names_and_addresses_that_steer_a_terminal_are_left_out()
	local known = {}
	local registry = registries.new {
		node = function(name, _, record)
			known[#known + 1] = record.address
			known[#known + 1] = name
		end,
		name = function(name)
			known[#known + 1] = name
		end,
	}
	local good = '{"address":"127.0.0.1:1","boot":"1"}'
	registry:put("nodes/a%1B[2J", good)
	registry:put("nodes/a%0A<CMD OK>", good)
	registry:put("nodes/a b", good)
	registry:put("nodes/\xc2\x9b2J", good)
	registry:put("nodes/b", '{"address":"127.0.0.1:1\\n<CMD OK>","boot":"1"}')
	registry:put("names/n%0Am/a/1", good)
	registry:remove "nodes/a b"
	check.equal(known, {})
	registry:put("nodes/größe", good)
	check.equal(known, { "127.0.0.1:1", "größe" })
end

---------------------------------------------------------------- where the engine is

function cases.an_engine_is_named_by_an_url()
	local etcd = url.parse "etcds://me:p%40ss@10.0.0.1:1,[::1]:2,host/games/eu/"
	check.equal(
		etcd.endpoints,
		{ { host = "10.0.0.1", port = 1 }, { host = "::1", port = 2 }, { host = "host", port = 2379 } }
	)
	check.equal(
		{ etcd.kind, etcd.tls, etcd.user, etcd.password, etcd.prefix },
		{ "etcd", true, "me", "p@ss", "games/eu" }
	)
	local redis = url.parse "redis://:secret@10.0.0.1/3/games"
	check.equal({ redis.endpoints[1].port, redis.user, redis.password, redis.db, redis.prefix }, {
		6379,
		nil,
		"secret",
		3,
		"games",
	})
	check.equal(url.parse("redis://h:1").prefix, "skynet")
	local dns = url.parse "dns://_c._tcp.games.svc?period=2&server=127.0.0.1:53"
	check.equal({ dns.name, dns.is_service, dns.port, dns.options.period }, { "_c._tcp.games.svc", true, nil, "2" })
	check.equal(url.parse("dns://games.svc:2528").port, 2528)
	check.equal(url.parse("file").kind, "file")
end

function cases.an_url_that_makes_no_sense_is_refused_without_its_password()
	for _, text in ipairs { "etdc://a", "etcd://", "etcd://a:b:c/d", "dns://name", "zookeeper://me:hidden@a/b", "a" } do
		local ok, problem = pcall(url.parse, text)
		check.equal(ok, false, text)
		check.equal(string.find(problem, "hidden", 1, true), nil)
		check.equal(string.find(problem, "cluster_discovery", 1, true) ~= nil, true, problem)
	end
	check.equal(url.parse("etcd://me:hidden@a/b").shown, "etcd://a/b")
end

---------------------------------------------------------------- what is known

local function registry()
	local seen = { nodes = {}, names = {}, values = {} }
	return registries.new {
		node = function(name, former, record)
			table.insert(seen.nodes, { name, former and former.address or false, record and record.address or false })
		end,
		name = function(name)
			seen.names[name] = (seen.names[name] or 0) + 1
		end,
		value = function(key, text)
			seen.values[key] = text or false
		end,
	},
		seen
end

local NODE <const> = '{"address":"h:1","boot":"b1"}'
local SERVICE <const> = '{"address":"@~b1.1","boot":"b1","handle":1}'

function cases.what_an_engine_says_is_known()
	local known, seen = registry()
	known:snapshot({ ["nodes/a"] = NODE, ["names/echo/a/1"] = SERVICE, ["config/x/y"] = "5" }, "L", 0)
	check.equal(seen.nodes, { { "a", false, "h:1" } })
	check.equal(known:instances("echo")[1].address, "@~b1.1")
	check.equal(known:value "x/y", "5")
	known:put("nodes/a", '{"address":"h:2","boot":"b1"}')
	check.equal(seen.nodes[2], { "a", "h:1", "h:2" })
	known:delete "nodes/a"
	check.equal(known:instances "echo", {}, "its node has left")
	check.equal(known.node_count, 0)
end

function cases.services_of_a_process_that_is_no_more_are_not_called()
	local known, seen = registry()
	known:put("nodes/a", NODE)
	known:put("names/echo/a/1", SERVICE)
	local before = seen.names.echo
	known:put("nodes/a", '{"address":"h:1","boot":"b2"}') -- the same address
	check.equal(known:instances "echo", {})
	skynet.yield()
	assert(seen.names.echo > before, "who watches the name is told")
end

function cases.a_node_that_changes_often_costs_once_what_it_publishes()
	local known, seen = registry()
	for i = 1, 1000 do
		known:put("names/s" .. i .. "/a/1", SERVICE)
	end
	seen.names = {}
	for i = 1, 1000 do
		known:put("nodes/a", string.format('{"address":"h:1","boot":"b%d"}', i))
	end
	skynet.yield()
	check.equal({ seen.names.s1, seen.names.s1000 }, { 1, 1 })
	known:put("nodes/a", NODE)
	skynet.yield()
	check.equal(seen.names.s1, 2)
end

function cases.an_engine_that_knows_nothing_empties_nothing()
	local known, seen = registry()
	known:snapshot({ ["nodes/a"] = NODE, ["nodes/b"] = NODE, ["config/x"] = "5" }, "L", 0)
	local soon = skynet.now() + 100
	check.equal(known:snapshot({ ["nodes/b"] = NODE }, "other", soon), 2)
	check.equal(known.node_count, 2)
	known:snapshot({ ["nodes/b"] = NODE }, "other", soon + 1000) -- again: that gives no more time
	known:settle(soon - 1)
	check.equal(known.node_count, 2)
	known:settle(soon)
	check.equal(known.node_count, 1, "nobody has told of it again")
	check.equal(known:value "x", "5", "nobody could")
	check.equal(seen.values.x, "5")
end

function cases.what_the_engine_ended_while_nobody_looked_ends()
	local known = registry()
	known:snapshot({ ["nodes/a"] = NODE, ["nodes/b"] = NODE }, "L", 0)
	check.equal(known:snapshot({ ["nodes/b"] = NODE }, "L", math.huge), 0)
	check.equal(known.node_count, 1)
end

function cases.an_engine_that_stood_still_ends_nothing_at_once()
	local known = registry()
	known:put("nodes/a", NODE)
	known:put("nodes/b", NODE)
	local soon = skynet.now() + 100
	known:doubt(soon)
	known:delete "nodes/a"
	known:delete "nodes/b"
	check.equal(known.node_count, 2)
	known:put("nodes/b", NODE) -- it lives
	known:settle(soon)
	check.equal({ known.node_count, known.nodes.a }, { 1, nil })
	known:put("nodes/a", NODE)
	known:doubt(skynet.now() + 100)
	known:put("nodes/a", registries.LEFT)
	check.equal(known.nodes.a, nil, "a node that says so itself leaves at once")
end

function cases.entries_that_make_no_sense_harm_nobody()
	local known = registry()
	known:snapshot({
		["nodes/a"] = "no JSON",
		["nodes/b"] = "[]",
		["nodes/c"] = '{"address":5}',
		["names/x"] = SERVICE,
		["names/echo/a/1"] = "5",
		["other/x"] = "y",
		["nodes"] = "z",
		["nodes/good"] = NODE,
		["nodes/large"] = '{"address":"' .. string.rep("x", 300 * 1024) .. '"}',
	}, "L", 0)
	check.equal(known.node_count, 1)
	check.equal(known:instances "echo", {})
	for _, key in ipairs { "nodes/a", "names/x", "names/echo/a/1", "other/x" } do
		known:delete(key)
	end
end

function cases.names_may_have_any_letters()
	local known, seen = registry()
	local name = "a/b é%"
	known:put("names/" .. registries.escape(name) .. "/a/1", SERVICE)
	known:put("nodes/a", NODE)
	check.equal(known:instances(name)[1].name, name)
	check.equal(seen.names[name] ~= nil, true)
end

---------------------------------------------------------------- what a node tells

-- An engine in a table.
local function engine()
	return {
		data = {},
		lease = 0,
		away = false,
		renew = function(self)
			self:answer()
			local is_new = self.lease == 0 or self.lost
			self.lost = false
			self.lease = self.lease + (is_new and 1 or 0)
			return 10, is_new
		end,
		ready = function(self)
			return self.lease > 0
		end,
		store = function(self, key, value)
			self:answer()
			self.data[key] = value
		end,
		erase = function(self, key)
			self:answer()
			self.data[key] = nil
		end,
		suspect = function() end,
		answer = function(self)
			skynet.yield()
			if self.away then
				error("away", 0)
			end
		end,
	}
end

local function keeper_of(its_engine)
	local keeper = keepers.new(its_engine)
	skynet.fork(keeper.run, keeper)
	return keeper
end

function cases.entries_are_written_when_the_engine_is_there()
	local its_engine = engine()
	local keeper = keeper_of(its_engine)
	check.equal({ keeper:set("a", "1") }, { true })
	check.equal(its_engine.data.a, "1")
	its_engine.away = true
	check.equal((keeper:set("a", "2")), false)
	check.equal((keeper:set("b", "1")), false)
	check.equal((keeper:remove "a"), false)
	its_engine.away = false
	check.await(function()
		return check.same(its_engine.data, { b = "1" })
	end)
	keeper:close()
end

function cases.who_has_renewed_too_late_does_not_blame_the_engine()
	local its_engine = engine()
	local keeper = keeper_of(its_engine)
	keeper:set("a", "1")
	local blamed = {}
	local renew = its_engine.renew
	function its_engine:renew()
		blamed[#blamed + 1] = keeper:is_in_time()
		return renew(self)
	end
	keeper:restore "a"
	check.await(function()
		return #blamed == 1
	end)
	keeper.deadline = skynet.now() - 1 -- as if this process had stood still
	keeper:restore "a"
	check.await(function()
		return #blamed == 2
	end)
	check.equal(blamed, { true, false })
	keeper:close()
end

function cases.an_etcd_that_said_nothing_for_half_a_lease_is_doubted()
	local doubts = 0
	local time = 0
	local clock = awake.new(function()
		return time
	end)
	local provider = etcd.new({ endpoints = { { host = "127.0.0.1", port = 1 } }, prefix = "x" }, {
		lease = 10,
		files = {},
		clock = clock,
		sink = {
			doubt = function()
				doubts = doubts + 1
			end,
		},
	})
	provider.client = {
		need = function()
			return {}
		end,
	}
	local function runs(how_long)
		for _ = 1, how_long // 50 do
			time = time + 50
			clock.look()
		end
	end
	local function answered(expected, what)
		provider:renew()
		check.equal(doubts, expected, what)
	end
	answered(0, "at once")
	runs(400)
	answered(0, "after a moment")
	runs(600)
	answered(1, "after more than half a lease")
	runs(100)
	time = time + 3000
	answered(1, "this process stood still, and hears of etcd first")
	time = time + 3000
	clock.look()
	answered(1, "this process stood still, and looks at its clock first")
	time = time + 2000
	runs(600)
	answered(2, "both did")
end

function cases.entries_are_written_again_when_the_engine_has_lost_them()
	local its_engine = engine()
	local keeper = keeper_of(its_engine)
	keeper:set("a", "1")
	its_engine.data = {}
	keeper:restore "a"
	check.await(function()
		return its_engine.data.a == "1"
	end)
	keeper:close()
end

function cases.the_last_of_many_values_is_the_one_that_stays()
	local its_engine = engine()
	local keeper = keeper_of(its_engine)
	local done = 0
	for i = 1, 20 do
		skynet.fork(function()
			keeper:set("a", tostring(i))
			done = done + 1
		end)
	end
	check.await(function()
		return done == 20
	end)
	check.equal(its_engine.data.a, "20")
	keeper:close()
end

---------------------------------------------------------------- DNS

function cases.services_are_read_from_an_answer()
	local question = string.sub(message.question(7, "_c._tcp.x", message.SRV), 13)
	local target = "\2n1\1x\0"
	local record = "\xc0\x0c" .. string.pack(">HHI4s2", message.SRV, 1, 30, string.pack(">HHH", 1, 2, 2528) .. target)
	local answer = message.answer(string.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0) .. question .. record)
	check.equal(answer.records[1].data, { priority = 1, weight = 2, port = 2528, target = "n1.x" })
end

check.run(cases)
