-- Modules under their names of skynet 1.0, shared maps, queues of messages, and TLS without a network.
local skynet = require "skynet"
local sweep = require "sweep"

local function case(subject, name, func, ...)
	sweep.unlogged(subject, name, 300, func, ...)
end

-- Old name -> what it stands for now.
local ELDERS <const> = {
	cluster = "skynet.cluster",
	crypt = "skynet.crypt",
	datacenter = "skynet.datacenter",
	dns = "skynet.dns",
	memory = "skynet.memory",
	mongo = "skynet.db.mongo",
	mqueue = "skynet.mqueue",
	multicast = "skynet.multicast",
	mysql = "skynet.db.mysql",
	netpack = "skynet.netpack",
	profile = "skynet.profile",
	redis = "skynet.db.redis",
	sharedata = "skynet.sharedata",
	sharemap = "skynet.sharemap",
	snax = "skynet.snax",
	socket = "skynet.socket",
	socketchannel = "skynet.socketchannel",
	socketdriver = "skynet.socketdriver",
	stm = "skynet.stm",
}

local function elders()
	for old, now in pairs(ELDERS) do
		case("compat10", old, function()
			return require("compat10." .. old) == require(now)
		end)
	end
end

local SCHEMA <const> = [[
.item {
	id 0 : integer
	name 1 : string
	tags 2 : *string
}
]]

local function maps()
	local stm = require "skynet.stm"
	local sharemap = require "skynet.sharemap"
	local file = assert(io.open("item.sproto", "w"))
	file:write(SCHEMA)
	file:close()
	case("skynet.sharemap.writer", "no schema", sharemap.writer, "item", {})
	case("skynet.sharemap.register", "no file", sharemap.register, "no_such.sproto")
	case("skynet.sharemap.register", "right", function()
		return select("#", sharemap.register "item.sproto")
	end)
	local writer, reader
	case("skynet.sharemap.writer", "right", function()
		writer = sharemap.writer("item", { id = 1, name = "one" })
		return writer.id, writer.name, writer.tags, type(writer.commit), type(writer.copy)
	end)
	case("skynet.sharemap.writer", "unknown type", sharemap.writer, "no_such", {})
	case("skynet.sharemap.writer", "nothing", sharemap.writer)
	case("skynet.sharemap.writer", "no object", function()
		return type(sharemap.writer "item")
	end)
	case("skynet.sharemap.writer", "wrong field", sharemap.writer, "item", { id = "text" })
	case("skynet.sharemap.reader", "right", function()
		reader = sharemap.reader("item", writer:copy())
		return reader.id, reader.name, reader.tags, reader.no_such
	end)
	case("skynet.sharemap.reader", "write", function()
		reader.id = 5
	end)
	case("skynet.sharemap reader", "before a commit", function()
		writer.name = "two"
		return reader:update(), reader.name
	end)
	case("skynet.sharemap reader", "after a commit", function()
		local results = select("#", writer:commit())
		return results, type(reader:update()), reader.name
	end)
	case("skynet.sharemap reader", "nothing new", function()
		return reader:update()
	end)
	case("skynet.sharemap reader", "field that is gone", function()
		writer.name = nil
		writer.tags = { "a", "b" }
		writer:commit()
		reader:update()
		return reader.name, reader.tags
	end)
	case("skynet.sharemap writer", "commit of a wrong field", function()
		writer.id = "text"
		return writer:commit()
	end)
	case("skynet.stm", "values", function()
		local object = stm.new(skynet.pack(1, "x"))
		local copy = stm.newcopy(stm.copy(object))
		local first = table.pack(copy(skynet.unpack))
		local again = table.pack(copy(skynet.unpack))
		local results = select("#", object(skynet.pack(2)))
		return first,
			again,
			results,
			table.pack(copy(function(message, size, ...)
				return skynet.unpack(message, size), ...
			end, "more"))
	end)
	case("skynet.stm", "reader fails", function()
		local copy = stm.newcopy(stm.copy(stm.new(skynet.pack(1))))
		return copy(function()
			error "problem"
		end)
	end)
end

local function sharing()
	local datacenter = require "skynet.datacenter"
	case("datacenterd", "unknown", skynet.call, "DATACENTER", "lua", "NO_SUCH")
	case("datacenterd", "nothing", skynet.call, "DATACENTER", "lua")
	case("datacenterd", "QUERY", function()
		datacenter.set("elders", "key", 5)
		return skynet.call("DATACENTER", "lua", "QUERY", "elders", "key")
	end)
	case("datacenterd", "UPDATE", skynet.call, "DATACENTER", "lua", "UPDATE", "elders", "key", 6)
	case("datacenterd", "WAIT", skynet.call, "DATACENTER", "lua", "WAIT", "elders", "key")
	for _, name in ipairs { "sharedatad", "multicastd" } do
		local service = skynet.uniqueservice(name)
		case(name, "unknown", skynet.call, service, "lua", "no such")
		case(name, "nothing", skynet.call, service, "lua")
	end
	local sharedatad = skynet.uniqueservice "sharedatad"
	case("sharedatad", "query missing", skynet.call, sharedatad, "lua", "query", "no such")
	case("sharedatad", "new, twice", function()
		local first = table.pack(skynet.call(sharedatad, "lua", "new", "elder", { 1 }))
		return first.n, sweep.observe(skynet.call, sharedatad, "lua", "new", "elder", { 2 })
	end)
	case("sharedatad", "update missing", function()
		return select("#", skynet.call(sharedatad, "lua", "update", "elder of none", { 1 }))
	end)
	case("sharedatad", "delete missing", skynet.call, sharedatad, "lua", "delete", "no such")
	local multicastd = skynet.uniqueservice "multicastd"
	for _, name in ipairs { "DEL", "SUB", "USUB" } do
		case("multicastd", name .. " unknown", skynet.call, multicastd, "lua", name, 0x7ffffe)
	end
	case("multicastd", "NEW", function()
		return math.type(skynet.call(multicastd, "lua", "NEW"))
	end)
	local cells = skynet.uniqueservice "service_provider"
	case("service_provider", "unknown", skynet.call, cells, "lua", "no such")
	case("service_provider", "nothing", skynet.call, cells, "lua")
	case("service_provider", "test missing", skynet.call, cells, "lua", "test", "no such")
	case("service_provider", "close missing", skynet.call, cells, "lua", "close", "no such")
end

sweep.run(function()
	elders()
	maps()
	sharing()
end)
