-- skynet.db.redis.cluster against a cluster of three nodes: setting redis_ports, separated by commas.
-- The C project's module has no `close`: its connections stay, and its subscriptions end with the service.
local skynet = require "skynet"
local cluster = require "skynet.db.redis.cluster"
local redis = require "skynet.db.redis"
local crc16 = require "skynet.db.redis.crc16"
local check = require "check"

local cases = {}

local nodes = {}
for port in string.gmatch(skynet.getenv "redis_ports", "%d+") do
	nodes[#nodes + 1] = { host = "127.0.0.1", port = tonumber(port) }
end

function cases.checksum_is_the_one_of_the_specification()
	check.equal(crc16 "123456789", 0x31c3)
	check.equal(crc16 "", 0)
end

function cases.keys_are_spread_and_found()
	local db = cluster.new(nodes[1])
	for i = 1, 200 do
		db:set("key" .. i, i)
	end
	for i = 1, 200 do
		check.equal(db:get("key" .. i), tostring(i))
	end
	local connections = 0
	for _ in pairs(db.connections) do
		connections = connections + 1
	end
	check.equal(connections, 3)
	local total = 0
	for _, node in ipairs(nodes) do
		local size = db:get_connection(node):dbsize()
		assert(size > 20)
		total = total + size
	end
	assert(total >= 200)
	db:close()
end

function cases.slots_follow_the_specification()
	local db = cluster.new(nodes)
	local direct = redis.connect(nodes[1])
	for _, key in ipairs { "foo", "{user1000}.following", "foo{}{bar}", "foo{{bar}}zap", "foo{bar}{zap}", "{}x" } do
		check.equal(db:keyslot(key), direct:cluster("keyslot", key), key)
	end
	direct:disconnect()
	db:close()
end

function cases.redirections_are_followed()
	local db = cluster.new(nodes)
	db:flush_slots_cache()
	for i = 1, 20 do
		db:set("moved" .. i, i)
	end
	for i = 1, 20 do
		check.equal(db:get("moved" .. i), tostring(i))
	end
	db:close_all_connection()
	check.equal(db:get "moved1", "1")
	db:close()
end

function cases.migrating_slots_are_asked_for()
	local db = cluster.new(nodes)
	local slot = db:keyslot "{asked}"
	local source = db.slots[slot]
	local target
	for _, node in ipairs(db.nodes) do
		if node ~= source then
			target = node
		end
	end
	local from, to = db:get_connection(source), db:get_connection(target)
	local from_id, to_id = from:cluster "myid", to:cluster "myid"
	db:set("{asked}stays", "here")
	to:cluster("setslot", slot, "importing", from_id)
	from:cluster("setslot", slot, "migrating", to_id)
	check.equal(db:set("{asked}new", "there"), "OK") -- not here: the source sends us to the target
	check.equal(db:get "{asked}new", "there")
	check.equal(db:get "{asked}stays", "here")
	check.equal(from:cluster("countkeysinslot", slot), 1)
	check.equal(to:cluster("countkeysinslot", slot), 1)
	from:migrate(target.host, target.port, "{asked}stays", 0, 5000)
	for _, node in ipairs(db.nodes) do
		db:get_connection(node):cluster("setslot", slot, "node", to_id)
	end
	check.equal(db:get "{asked}stays", "here") -- MOVED
	check.equal(db:get "{asked}new", "there")
	db:close()
end

function cases.scripts_need_keys_of_one_slot()
	local db = cluster.new(nodes)
	db:set("{s}a", 5)
	check.equal(db:eval("return redis.call('get', KEYS[1])", 1, "{s}a"), "5")
	check.raises("all keys must map to the same key slot", db.eval, db, "return 1", 2, "a", "b")
	check.raises("No way to dispatch", db.multi, db)
	check.raises("WRONGTYPE", db.lpush, db, "{s}a", 1)
	check.equal({ db:exists "{s}a", db:exists "{s}none" }, { true, false })
	db:close()
end

function cases.messages_arrive_from_every_node()
	local got, token = {}, {}
	local db = cluster.new(nodes, {}, function(data, channel, pattern)
		got[data] = { channel, pattern }
		skynet.wakeup(token)
	end)
	local function publish_until_heard(channel, data)
		repeat
			db:publish(channel, data)
			skynet.sleep(1)
		until got[data]
	end
	db:subscribe "world"
	db:subscribe "team"
	db:psubscribe "*pattern"
	publish_until_heard("world", "one")
	publish_until_heard("team", "two")
	publish_until_heard("my pattern", "three")
	check.equal(got, { one = { "world" }, two = { "team" }, three = { "my pattern", "*pattern" } })
	db:close()
end

function cases.unreachable_start_nodes_are_passed_over()
	local db = cluster.new { { host = "127.0.0.1", port = 1 }, nodes[2] }
	check.equal(db:set("reached", 1), "OK")
	db:close()
	db = cluster.new { host = "127.0.0.1", port = 1 }
	check.raises("Can't reach a single startup node", db.get, db, "x")
end

check.run(cases)
