-- Parts of the Lua layer that programs seldom call by themselves, and the C modules below it, with right arguments.
local skynet = require "skynet"
local sweep = require "sweep"
require "skynet.manager"

local case = sweep.case

local count <const> = sweep.count

local types <const> = sweep.types

local function multicast()
	local core = require "skynet.multicast.core"
	case("skynet.multicast.core.nextid", "none", function()
		return (types(core.nextid(0x01000100)))
	end)
	case("skynet.multicast.core.nextid", "next of the harbor", function()
		return core.nextid(1) - 1, core.nextid(0x100) - 0x100, core.nextid(core.nextid(2)) - core.nextid(2)
	end)
	case("skynet.multicast.core.pack", "one reader", function()
		local package, size = core.pack(skynet.pack("message", 5))
		local payload, message, length = core.unpack(package, size)
		local read = table.pack(skynet.unpack(message, length))
		return { types(package, size) }, read, core.bind(package, 1) == payload, count(core.close(payload))
	end)
	case("skynet.multicast.core.unpack", "another size", function()
		local package = core.pack(skynet.pack(1))
		return sweep.observe(core.unpack, package, 4), count(core.close(core.bind(package, 1)))
	end)
	case("skynet.multicast.core.packremote", "to another node", function()
		local package, size = core.packremote(skynet.pack "remote")
		return types(package, size)
	end)
	case("skynet.multicast.core.remote", "as it travels", function()
		local package = core.pack(skynet.pack "far")
		return types(core.remote(package))
	end)
	case("skynet.multicast.core.bind", "two readers", function()
		local bound = core.bind(core.pack(skynet.pack(1)), 2)
		return types(bound), count(core.close(bound)), count(core.close(bound))
	end)
end

local function shared()
	local core = require "skynet.sharedata.core"
	local corelib = require "skynet.sharedata.corelib"
	local pointer = core.new { x = 1, y = { 2, 3, z = "w" }, [1] = "one", [2] = "two" }
	local boxed, root = core.box(pointer), pointer
	case("skynet.sharedata.core.box", "type", types, boxed)
	case("skynet.sharedata.core.index", "field", core.index, root, "x")
	case("skynet.sharedata.core.index", "table", function()
		return types(core.index(root, "y"))
	end)
	case("skynet.sharedata.core.index", "missing", core.index, root, "no")
	case("skynet.sharedata.core.len", "array part", core.len, root)
	case("skynet.sharedata.core.hashlen", "hash part", core.hashlen, root)
	case("skynet.sharedata.core.nextkey", "walk", function()
		local keys, key = {}, core.nextkey(root)
		while key ~= nil do
			keys[#keys + 1] = tostring(key)
			key = core.nextkey(root, key)
		end
		table.sort(keys)
		return keys
	end)
	case("skynet.sharedata.core.nextkey", "unknown key", core.nextkey, root, "no")
	case("skynet.sharedata.core.getref", "boxed", core.getref, pointer)
	case("skynet.sharedata.core.incref", "more", core.incref, pointer)
	case("skynet.sharedata.core.decref", "less", core.decref, pointer)
	case("skynet.sharedata.core.isdirty", "not yet", core.isdirty, root)
	case("skynet.sharedata.core.markdirty", "marks", function()
		return count(core.markdirty(pointer))
	end)
	case("skynet.sharedata.core.isdirty", "then", core.isdirty, root)
	case("skynet.sharedata.core.needupdate", "without another version", function()
		return types(core.needupdate(boxed))
	end)
	case("skynet.sharedata.core.update", "to another version", function()
		local newer = core.new { x = 2 }
		return count(core.update(boxed, newer, { __obj = root, __gcobj = boxed })), core.index(newer, "x")
	end)
	for _, name in ipairs { "getref", "incref", "decref", "markdirty" } do
		case("skynet.sharedata.corelib.host." .. name, "right", function()
			return corelib.host[name](corelib.host.new { 1 })
		end)
	end
	case("skynet.sharedata.corelib.host.delete", "right", function()
		return count(corelib.host.delete(corelib.host.new { 1 }))
	end)
	case("skynet.sharedata.core.delete", "right", function()
		return count(core.delete(core.new { 1 }))
	end)
	case("skynet.sharedata.corelib.update", "right", function()
		local old = corelib.host.new { x = 1, y = { 1 } }
		local object = corelib.box(old)
		local inner = object.y
		corelib.host.markdirty(old)
		local results = count(corelib.update(object, corelib.host.new { x = 2, y = { 2 } }))
		return results, object.x, object.y[1], inner[1]
	end)
	case("skynet.sharedata.corelib.flush", "right", function()
		local object = corelib.box(corelib.host.new { x = 1 })
		return object.x, count(corelib.flush(object)), object.x
	end)
	local table_core = require "skynet.sharetable.core"
	case("skynet.sharetable.core.clone", "of a matrix", function()
		local matrix = table_core.matrix "return { 1, { x = 'y' } }"
		return table_core.clone(matrix:getptr())
	end)
	case("skynet.sharetable.core", "matrix closed", function()
		local matrix = table_core.matrix "return { 1 }"
		return count(matrix:close()), sweep.observe(matrix.size, matrix)
	end)
end

local function sheets()
	local core = require "skynet.datasheet.core"
	local dump = require "skynet.datasheet.dump"
	local text = dump.dump { a = 1, b = { "x", 2.5, true }, c = { d = "e" } }
	case("skynet.datasheet.dump.dump", "and back", function()
		return (dump.undump(text))
	end)
	case("skynet.datasheet.dump.diff", "changed", function()
		local newer = dump.dump { a = 2, b = { "x", 2.5, true }, c = { d = "f" } }
		return (dump.undump(dump.diff(text, newer)))
	end)
	case("skynet.datasheet.dump.diff", "the same", function()
		return (dump.undump(dump.diff(text, text)))
	end)
	case("skynet.datasheet.core.stringpointer", "type", function()
		return types(core.stringpointer(text))
	end)
	local sheet
	case("skynet.datasheet.core.new", "right", function()
		sheet = core.new((core.stringpointer(text)))
		return sheet.a, sheet.b[2], #sheet.b, sheet.c.d, sheet.none
	end)
	case("skynet.datasheet.core.update", "right", function()
		local newer = dump.dump { a = 3, b = { "z" }, c = { d = "g" } }
		local inner = sheet.c
		local results = count(core.update(sheet, (core.stringpointer(newer))))
		return results, sheet.a, sheet.b[1], inner.d
	end)
end

local function schemas()
	local core = require "sproto.core"
	local parser = require "sprotoparser"
	local text <const> = ".item {\n id 0 : integer\n name 1 : string\n}\nadd 7 {\n request item\n response item\n}\n"
	local binary = parser.parse(text)
	local proto = core.newproto(binary)
	local item = core.querytype(proto, "item")
	case("sproto.core.newproto", "type", types, proto)
	case("sproto.core.newproto", "damaged", core.newproto, "damaged")
	case("sproto.core.querytype", "right", types, item)
	case("sproto.core.querytype", "missing", core.querytype, proto, "no")
	case("sproto.core.protocol", "by name", function()
		return types(core.protocol(proto, "add"))
	end)
	case("sproto.core.protocol", "by number", function()
		return (core.protocol(proto, 7))
	end)
	case("sproto.core.protocol", "missing", core.protocol, proto, "no")
	case("sproto.core.encode", "and back", function()
		return core.decode(item, core.encode(item, { id = 5, name = "x" }))
	end)
	case("sproto.core.decode", "damaged", core.decode, item, "\1")
	case("sproto.core.default", "right", core.default, item)
	case("sproto.core.dumpproto", "results", function()
		return count(core.dumpproto(proto))
	end)
	case("sproto.core.saveproto", "and loaded", function()
		return count(core.saveproto(proto, 14)), types(core.loadproto(14))
	end)
	case("sproto.core.loadproto", "missing", core.loadproto, 13)
	case("sproto.core.deleteproto", "another", function()
		return count(core.deleteproto(core.newproto(binary)))
	end)
	local sproto = require "sproto"
	case("sproto.queryproto", "right", function()
		local info = sproto.parse(text):queryproto "add"
		return info.name, info.tag, type(info.request), type(info.response)
	end)
	case("sproto.queryproto", "missing", function()
		return sproto.parse(text):queryproto "no"
	end)
	case("sprotoparser.dump", "results", function()
		return count(parser.dump(parser.parse ".a {\n}\n"))
	end)
end

local function memory()
	local core = require "skynet.memory"
	-- What it logs is another text each time.
	sweep.unlogged("skynet.memory.dump", "results", 100, function()
		return count(core.dump())
	end)
	sweep.quiet()
	case("skynet.memory.mallctl", "known", function()
		return types(core.mallctl "opt.abort")
	end)
	case("skynet.memory.mallctl", "nothing", core.mallctl)
	sweep.unlogged("skynet.memory.dumpheap", "results", 100, function()
		return count(core.dumpheap())
	end)
	sweep.quiet()
	local bson = require "bson"
	case("bson.to_lightuserdata", "right", function()
		return types(bson.to_lightuserdata(bson.encode { a = 1 }))
	end)
	local lpeg = require "lpeg"
	case("lpeg.pcode", "right", lpeg.pcode, lpeg.P "x")
	case("lpeg.ptree", "right", lpeg.ptree, lpeg.P "x")
end

local function injection()
	local inject = require "skynet.inject"
	local function state()
		local kept = { "kept" }
		return function()
			return kept
		end
	end
	local get = state()
	case("skynet.inject", "prints and upvalues", function()
		return inject(skynet, "print('said', type(_P), ...)", "name.lua", { 1, n = 1 }, get)
	end)
	case("skynet.inject", "no Lua", inject, skynet, "x = = 1", "name.lua", {}, get)
	case("skynet.inject", "fails", inject, skynet, "error 'problem'", "name.lua", {}, get)
	local injectcode = require "skynet.injectcode"
	case("skynet.injectcode", "local variables", function()
		local place = 5
		local co = coroutine.create(function(...)
			local here = place
			coroutine.yield(here)
			return here
		end)
		coroutine.resume(co)
		return injectcode("here = here + 1; return here", co, 1), select(2, coroutine.resume(co))
	end)
	case("skynet.injectcode", "no Lua", function()
		return injectcode("x = = 1", coroutine.running(), 1)
	end)
	local hotfix = require "snax.hotfix"
	local interface = require "snax.interface"
	case("snax.interface", "right", function()
		local environment = {}
		for name, value in pairs(_G) do
			environment[name] = value
		end
		local functions = interface("differential_snax", environment)
		local list = {}
		for i, entry in ipairs(functions) do
			list[i] = string.format("%d %s.%s %s", entry[1], entry[2], entry[3], type(entry[4]))
		end
		return list
	end)
	case("snax.interface", "missing", interface, "no_such", {})
	case("snax.hotfix", "no Lua", hotfix, {}, "x = = 1")
	case("snax.hotfix", "unknown function", hotfix, {}, "function response.no_such() end")
	local list = require "skynet.require"
	case("skynet.require.init_all", "right", function()
		return count(list.init_all())
	end)
	local debugchannel = require "skynet.debugchannel"
	case("skynet.debugchannel.create", "results", function()
		return types(debugchannel.create())
	end)
	sweep.apart("skynet.debugchannel.sethook", "off", function()
		return select("#", require "skynet.debugchannel".sethook())
	end)
	case("skynet.debug.init", "again", function()
		local debugging = require "skynet.debug"
		return type(debugging.init)
	end)
end

-- Services of their own, for what takes the messages of a service for itself.
local function forwarding()
	sweep.apart("skynet.init_service", "right", function()
		local skynet = require "skynet"
		local ran
		local results = select(
			"#",
			skynet.init_service(function()
				ran = "ran"
			end)
		)
		return results, ran
	end)
	local relay = sweep.peer(skynet.newservice("differential_relay", "filter"))
	case("skynet.filter", "messages pass", skynet.call, relay, "lua", 1, nil, "x")
	case("skynet.filter", "failures pass", skynet.call, relay, "lua", "fail")
	local other = sweep.peer(skynet.newservice("differential_relay", "forward_type"))
	case("skynet.forward_type", "messages pass", skynet.call, other, "lua", 1, nil, "x")
	case("skynet.forward_type", "by the other type", function()
		skynet.register_protocol { name = "sealed", id = 95, pack = skynet.pack, unpack = skynet.unpack }
		return skynet.call(other, "sealed", "word")
	end)
	case("skynet.forward_type", "failures pass", skynet.call, other, "lua", "fail")
	case("skynet.monitor", "hears of the end", function()
		local monitor = skynet.monitor "differential_monitor"
		local ends = skynet.newservice "differential_echo"
		skynet.kill(ends)
		skynet.sleep(3)
		return skynet.call(monitor, "lua", ends)
	end)
	case("skynet.monitor", "queried", function()
		return skynet.monitor("differential_monitor", true) == skynet.uniqueservice(true, "differential_monitor")
	end)
	case("skynet.monitor", "nothing", skynet.monitor)
end

sweep.run(function()
	multicast()
	shared()
	sheets()
	schemas()
	memory()
	injection()
	forwarding()
end)
