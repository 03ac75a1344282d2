-- What services share: the data centre, groups, shared data and tables, data sheets.
local skynet = require "skynet"
local sweep = require "sweep"

local case = sweep.case

local function datacenter()
	local datacenter = require "skynet.datacenter"
	sweep.peer "DATACENTER"
	case("skynet.datacenter.get", "missing", datacenter.get, "a")
	case("skynet.datacenter.set", "new", datacenter.set, "a", 1)
	case("skynet.datacenter.set", "old", datacenter.set, "a", 2)
	case("skynet.datacenter.get", "known", datacenter.get, "a")
	case("skynet.datacenter.set", "path", datacenter.set, "b", "c", "d", 3)
	case("skynet.datacenter.get", "path", datacenter.get, "b", "c", "d")
	case("skynet.datacenter.get", "branch", datacenter.get, "b", "c")
	case("skynet.datacenter.get", "below a leaf", datacenter.get, "a", "x")
	case("skynet.datacenter.get", "below nothing", datacenter.get, "no", "such")
	case("skynet.datacenter.set", "below a leaf", datacenter.set, "a", "x", 1)
	case("skynet.datacenter.set", "branch", datacenter.set, "b", 1)
	case("skynet.datacenter.set", "table", datacenter.set, "t", { x = { y = 1 } })
	case("skynet.datacenter.get", "in a table", datacenter.get, "t", "x", "y")
	case("skynet.datacenter.set", "nil", datacenter.set, "a", nil)
	case("skynet.datacenter.get", "removed", datacenter.get, "a")
	case("skynet.datacenter.set", "one argument", datacenter.set, "a")
	case("skynet.datacenter.set", "nothing", datacenter.set)
	case("skynet.datacenter.get", "nothing", datacenter.get)
	case("skynet.datacenter.get", "nil", datacenter.get, nil)
	case("skynet.datacenter.set", "number", datacenter.set, 1, 2, 3)
	case("skynet.datacenter.get", "number", datacenter.get, 1, 2)
	case("skynet.datacenter.wait", "known", datacenter.wait, "b", "c", "d")
	case("skynet.datacenter.wait", "set later", function()
		local answers = {}
		for i = 1, 2 do
			skynet.fork(function()
				answers[i] = datacenter.wait("later", "on")
			end)
		end
		skynet.sleep(1)
		datacenter.set("later", "on", 5)
		skynet.sleep(1)
		return answers
	end)
	case("skynet.datacenter.wait", "branch set later", function()
		local observed
		skynet.fork(function()
			observed = sweep.observe(datacenter.wait, "branch")
		end)
		skynet.sleep(1)
		datacenter.set("branch", "leaf", 1)
		skynet.sleep(1)
		return observed
	end)
	sweep.limited("skynet.datacenter.wait", "never", 10, datacenter.wait, "never")
	sweep.limited("skynet.datacenter.wait", "nothing", 10, datacenter.wait)
end

local function channels_of_others(multicast, listener, take)
	case("skynet.multicast.new", "without dispatch", function()
		local other = multicast.new {}
		other:subscribe()
		other:publish "x"
		local list = take()
		other:delete()
		return list
	end)
	case("skynet.multicast.new", "nothing", multicast.new)
	case("skynet.multicast.new", "unknown channel", function()
		local other = multicast.new { channel = 0x777700, dispatch = print }
		return sweep.observe(other.subscribe, other), sweep.observe(other.publish, other, 1)
	end)
	case("skynet.multicast.new", "bad channel", function()
		return type(multicast.new { channel = "text" })
	end)
	case("skynet.multicast", "channel of a service that ended", function()
		local channel = multicast.new { dispatch = listener "x" }
		channel:subscribe()
		channel:publish "last"
		channel:delete()
		return take()
	end)
end

local function multicast()
	local multicast = require "skynet.multicast"
	sweep.peer(skynet.uniqueservice "multicastd")
	local got = {}
	local function listener(name)
		return function(channel, source, ...)
			got[#got + 1] = { name, math.type(source), type(channel), ... }
		end
	end
	local function take()
		skynet.sleep(2)
		local list = got
		got = {}
		return list
	end
	local first = multicast.new { dispatch = listener "first" }
	case("skynet.multicast.new", "shape", function()
		return math.type(first.channel),
			type(getmetatable(first)),
			tostring(first):gsub("0x%x+", "0xP"):gsub("%x%x%x%x%x%x%x%x", "H")
	end)
	case("skynet.multicast.publish", "not subscribed", function()
		return first:publish(1), take()
	end)
	case("skynet.multicast.subscribe", "right", first.subscribe, first)
	case("skynet.multicast.subscribe", "twice", first.subscribe, first)
	case("skynet.multicast.publish", "right", function()
		return first:publish("a", nil, { 1 }), take()
	end)
	case("skynet.multicast.publish", "nothing", function()
		return first:publish(), take()
	end)
	case("skynet.multicast.new", "second for the same channel", function()
		local second = multicast.new { channel = first.channel, dispatch = listener "second" }
		local results = table.pack(second:subscribe())
		first:publish "b"
		local list = take()
		second:unsubscribe()
		return results.n, list
	end)
	case("skynet.multicast.new", "own pack", function()
		local third = multicast.new { dispatch = listener "third", pack = skynet.pack, unpack = skynet.unpack }
		third:subscribe()
		third:publish(1, 2)
		local list = take()
		third:delete()
		return list
	end)
	case("skynet.multicast.unsubscribe", "right", first.unsubscribe, first)
	case("skynet.multicast.unsubscribe", "twice", first.unsubscribe, first)
	case("skynet.multicast.publish", "after that", function()
		return first:publish "c", take()
	end)
	case("skynet.multicast.delete", "right", first.delete, first)
	case("skynet.multicast.delete", "twice", first.delete, first)
	case("skynet.multicast.publish", "deleted", function()
		return first:publish "d", take()
	end)
	case("skynet.multicast.subscribe", "deleted", first.subscribe, first)
	channels_of_others(multicast, listener, take)
end

local function keys(object)
	local list = {}
	for key, value in pairs(object) do
		list[#list + 1] = tostring(key) .. "=" .. (type(value) == "table" and "table" or tostring(value))
	end
	table.sort(list)
	return table.concat(list, " ")
end

local function values_of_sharedata(sharedata, one)
	case("skynet.sharedata.new", "code", sharedata.new, "code", "return { x = 1 }")
	case("skynet.sharedata.new", "plain code", sharedata.new, "plain", "x = 1 y = { z = 2 }")
	case("skynet.sharedata.query", "plain code", function()
		return sharedata.query "plain".y.z
	end)
	case("skynet.sharedata.query", "code", function()
		return keys(sharedata.query "code")
	end)
	case("skynet.sharedata.new", "file", sharedata.new, "file", "@no_such_file")
	case("skynet.sharedata.new", "broken code", sharedata.new, "broken", "x = = 1")
	case("skynet.sharedata.new", "number", sharedata.new, "number", 5)
	case("skynet.sharedata.new", "nil", sharedata.new, "nil")
	case("skynet.sharedata.new", "nothing", sharedata.new)
	case("skynet.sharedata.new", "function inside", sharedata.new, "func", { f = print })
	case("skynet.sharedata.new", "empty", sharedata.new, "empty", {})
	case("skynet.sharedata.query", "empty", function()
		return keys(sharedata.query "empty")
	end)
	case("skynet.sharedata.new", "float keys", sharedata.new, "floats", "return { [1.5] = 1 }")
	case("skynet.sharedata.query", "missing", sharedata.query, "no such")
	case("skynet.sharedata.query", "nothing", sharedata.query)
	case("skynet.sharedata.update", "missing", sharedata.update, "not there", { a = 1 })
	case("skynet.sharedata.query", "made by update", function()
		return sharedata.query "not there".a
	end)
	case("skynet.sharedata.flush", "right", sharedata.flush)
	case("skynet.sharedata.delete", "right", sharedata.delete, "one")
	case("skynet.sharedata.delete", "missing", sharedata.delete, "one")
	case("skynet.sharedata.delete", "nothing", sharedata.delete)
	case("skynet.sharedata", "after delete", function()
		return one.a
	end)
	case("skynet.sharedata.query", "deleted", sharedata.query, "one")
end

local function core_of_sharedata()
	local corelib = require "skynet.sharedata.corelib"
	case("skynet.sharedata.corelib", "host and box", function()
		local pointer = corelib.host.new { x = 1, y = { 2 } }
		local object = corelib.box(pointer)
		return type(pointer), object.x, object.y[1], corelib.host.getref(pointer)
	end)
	case("skynet.sharedata.corelib.copy", "right", function()
		return corelib.copy(corelib.host.new { x = 1, y = { 2 } })
	end)
end

local function sharedata()
	local sharedata = require "skynet.sharedata"
	sweep.peer(skynet.queryservice "sharedatad")
	case("skynet.sharedata.new", "table", sharedata.new, "one", { a = 1, b = { c = "text", 1, 2, 3 }, [5] = true })
	case("skynet.sharedata.new", "again", sharedata.new, "one", { a = 2 })
	local one = sharedata.query "one"
	case("skynet.sharedata.query", "shape", function()
		return type(one), type(getmetatable(one)), rawlen(one)
	end)
	case("skynet.sharedata", "fields", function()
		return one.a, one.b.c, #one.b, one.b[1], one[5], one.none, one.b[9]
	end)
	case("skynet.sharedata", "pairs", function()
		return keys(one), keys(one.b)
	end)
	case("skynet.sharedata", "ipairs", function()
		local list = {}
		for i, value in ipairs(one.b) do
			list[i] = value
		end
		return list
	end)
	case("skynet.sharedata", "write", function()
		one.a = 5
	end)
	case("skynet.sharedata", "rawget", function()
		return rawget(one, "a")
	end)
	case("skynet.sharedata", "text", function()
		return (string.gsub(tostring(one), "0x%x+", "0xP"))
	end)
	case("skynet.sharedata", "key of another type", function()
		return one[{}], one[true], one[1.5], one[print]
	end)
	case("skynet.sharedata.deepcopy", "right", sharedata.deepcopy, "one")
	case("skynet.sharedata.deepcopy", "path", sharedata.deepcopy, "one", "b", "c")
	case("skynet.sharedata.deepcopy", "table at a path", sharedata.deepcopy, "one", "b")
	case("skynet.sharedata.deepcopy", "missing path", sharedata.deepcopy, "one", "x", "y")
	case("skynet.sharedata.update", "right", sharedata.update, "one", { a = 10, b = { c = "new" }, d = { 1 } })
	case("skynet.sharedata.update", "seen", function()
		skynet.sleep(5)
		return one.a, one.b.c, one.b[1], one.d and one.d[1], one[5]
	end)
	case("skynet.sharedata.update", "branch goes", function()
		local branch = one.b
		sharedata.update("one", { a = 11 })
		skynet.sleep(5)
		return one.a, sweep.observe(function()
			return branch.c
		end)
	end)
	values_of_sharedata(sharedata, one)
	core_of_sharedata()
end

local function core_of_sharetable(sharetable)
	local core = require "skynet.sharetable.core"
	for name, value in pairs { table = {}, number = 1, text = "x", shared = sharetable.query "t" } do
		case("skynet.sharetable.core.is_sharedtable", name, core.is_sharedtable, value)
	end
	case("skynet.sharetable.core.stackvalues", "thread", function()
		local co = coroutine.create(function(a)
			coroutine.yield(a)
		end)
		coroutine.resume(co, 5)
		return type(core.stackvalues(co, {}))
	end)
	case("skynet.sharetable.core.stackvalues", "nothing", core.stackvalues)
	case("skynet.sharetable.core.matrix", "nothing", core.matrix)
	case("skynet.sharetable.core.matrix", "broken", core.matrix, "return = 1")
	case("skynet.sharetable.core.matrix", "right", function()
		local matrix = core.matrix "return { 1 }"
		return type(matrix), type(getmetatable(matrix)), type(matrix:getptr()), math.type(matrix:size())
	end)
end

local function sharetable()
	local sharetable = require "skynet.sharetable"
	sweep.peer(sharetable.address)
	case("skynet.sharetable.loadtable", "right", sharetable.loadtable, "t", { a = 1, b = { 1, 2 } })
	case("skynet.sharetable.query", "right", sharetable.query, "t")
	case("skynet.sharetable.query", "missing", sharetable.query, "no such")
	case("skynet.sharetable.query", "nothing", sharetable.query)
	case("skynet.sharetable.query", "same twice", function()
		return sharetable.query "t" == sharetable.query "t"
	end)
	case("skynet.sharetable", "write", function()
		sharetable.query "t".a = 2
	end)
	case("skynet.sharetable", "metatable", function()
		return getmetatable(sharetable.query "t")
	end)
	case("skynet.sharetable", "setmetatable", function()
		return type(setmetatable(sharetable.query "t", {}))
	end)
	case("skynet.sharetable", "pairs", function()
		return keys(sharetable.query "t"), #sharetable.query "t".b
	end)
	case("skynet.sharetable.loadstring", "right", sharetable.loadstring, "s", "return { x = ... }", 5)
	case("skynet.sharetable.query", "of a string", sharetable.query, "s")
	case("skynet.sharetable.loadstring", "broken", sharetable.loadstring, "broken", "return = 1")
	case("skynet.sharetable.loadstring", "no table", sharetable.loadstring, "none", "return 1")
	case("skynet.sharetable.loadstring", "fails", sharetable.loadstring, "fails", "error 'of the string'")
	case("skynet.sharetable.loadfile", "missing", sharetable.loadfile, "no_such_file.lua")
	case("skynet.sharetable.loadfile", "nothing", sharetable.loadfile)
	case("skynet.sharetable.loadtable", "nothing", sharetable.loadtable)
	case("skynet.sharetable.loadtable", "no table", sharetable.loadtable, "x", 1)
	case(
		"skynet.sharetable.loadtable",
		"nested tables",
		sharetable.loadtable,
		"n",
		{ { { 1 } }, k = { [1] = { x = "y" } } }
	)
	case("skynet.sharetable.query", "nested", sharetable.query, "n")
	case(
		"skynet.sharetable.loadstring",
		"function inside",
		sharetable.loadstring,
		"f",
		"return { f = function() return 7 end }"
	)
	case("skynet.sharetable.query", "function inside", function()
		return sharetable.query "f".f()
	end)
	case(
		"skynet.sharetable.loadstring",
		"closure inside",
		sharetable.loadstring,
		"c",
		"local x = 1 return { f = function() return x end }"
	)
	case("skynet.sharetable.loadstring", "metatable inside", sharetable.loadstring, "m", "return setmetatable({}, {})")
	case("skynet.sharetable.queryall", "all", function()
		local names = {}
		for name, value in pairs(sharetable.queryall()) do
			names[#names + 1] = name .. " " .. type(value)
		end
		table.sort(names)
		return names
	end)
	case("skynet.sharetable.queryall", "some", function()
		return sharetable.queryall { "t", "s", "no such" }
	end)
	case("skynet.sharetable.update", "right", function()
		local old = sharetable.query "t"
		local place = { old, old.b }
		sharetable.loadtable("t", { a = 2, b = { 3 } })
		local results = table.pack(sharetable.update "t")
		return results.n, place[1].a, place[2][1], old.a
	end)
	case("skynet.sharetable.update", "missing", sharetable.update, "no such")
	case("skynet.sharetable.update", "nothing", sharetable.update)
	core_of_sharetable(sharetable)
end

local function sharemap()
	local stm = require "skynet.sharemap"
	local sprotoloader = require "sprotoloader"
	sprotoloader.save(
		require "sprotoparser".parse [[
		.foobar {
			x 0 : integer
			y 1 : integer
			s 2 : string
		}
	]],
		15
	)
	case("skynet.sharemap.register", "loader file", stm.register, "no_such_schema.sp")
	case("skynet.sharemap.register", "nothing", stm.register)
	case("skynet.sharemap.writer", "unknown type", stm.writer, "no such", {})
	case("skynet.sharemap.reader", "nothing", stm.reader)
end

local function datasheet()
	local builder = require "skynet.datasheet.builder"
	local datasheet = require "skynet.datasheet"
	sweep.peer(require "skynet.service".query "datasheet")
	case("skynet.datasheet.builder.new", "right", builder.new, "one", { a = 1, b = { "x", "y" }, c = { d = true } })
	case("skynet.datasheet.builder.new", "again", builder.new, "one", { a = 1 })
	case("skynet.datasheet.builder.new", "nothing", builder.new)
	case("skynet.datasheet.builder.new", "no table", builder.new, "number", 5)
	case("skynet.datasheet.query", "right", function()
		local sheet = datasheet.query "one"
		return sheet.a, sheet.b[1], #sheet.b, sheet.c.d, sheet.none, keys(sheet)
	end)
	case("skynet.datasheet", "write", function()
		datasheet.query "one".a = 5
	end)
	case("skynet.datasheet", "shape", function()
		local sheet = datasheet.query "one"
		return type(sheet), type(getmetatable(sheet)), rawlen(sheet.b)
	end)
	case("skynet.datasheet.builder.update", "right", builder.update, "one", { a = 2, b = { "z" }, e = 5 })
	case("skynet.datasheet.builder.update", "missing", builder.update, "no such", { a = 1 })
	case("skynet.datasheet.builder.compile", "right", function()
		return type(builder.compile { a = 1 })
	end)
	case("skynet.datasheet.builder.compile", "nothing", function()
		return type(builder.compile())
	end)
	sweep.limited("skynet.datasheet.query", "missing", 10, datasheet.query, "nobody makes this")
	sweep.limited("skynet.datasheet.query", "nothing", 10, datasheet.query)
end

sweep.run(function()
	datacenter()
	multicast()
	sharedata()
	sharetable()
	sharemap()
	datasheet()
end)
