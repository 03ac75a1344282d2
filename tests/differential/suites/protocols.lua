-- Messages as bytes: skynet.core and its serialiser, buffers of sockets, sproto, lpeg.
local skynet = require "skynet"
local core = require "skynet.core"
local driver = require "skynet.socketdriver"
local sweep = require "sweep"

local case = sweep.case

local gives = sweep.gives

local values <const> = {
	["nil"] = { nil },
	yes = { true },
	no = { false },
	zero = { 0 },
	small = { 31 },
	byte = { 255 },
	word = { 65535 },
	long = { 1 << 31 },
	big = { 1 << 40 },
	least = { math.mininteger },
	negative = { -1 },
	float = { 0.5 },
	infinity = { math.huge },
	["whole float"] = { 1.0 },
	empty = { "" },
	text = { "text" },
	["31 bytes"] = { string.rep("x", 31) },
	["32 bytes"] = { string.rep("x", 32) },
	["64 KiB"] = { string.rep("x", 65536) },
	zeros = { "\0\0" },
	none = {},
	table = { {} },
	list = { { 1, 2, 3 } },
	["31 items"] = { table.pack(string.byte(string.rep("a", 31), 1, -1)) },
	["40 items"] = { table.pack(string.byte(string.rep("a", 40), 1, -1)) },
	hash = { { a = 1 } },
	mixed = { { 1, a = 2 } },
	holes = { { 1, nil, 3 } },
	["bool key"] = { { [true] = 1 } },
	["float key"] = { { [1.5] = 1 } },
	["table key"] = { { [{}] = 1 } },
	nested = { { { { { 1 } } } } },
	several = { 1, nil, "x", nil, n = 4 },
}

local function messages_of_the_core()
	case("skynet.core.unpack", "nothing", core.unpack)
	case("skynet.core.unpack", "nil", core.unpack, nil)
	case("skynet.core.unpack", "no text", core.unpack, {})
	case("skynet.core.tostring", "nothing", core.tostring)
	case("skynet.core.tostring", "nil", core.tostring, nil)
	case("skynet.core.trash", "text", core.trash, "text")
	case("skynet.core.trash", "nothing", core.trash)
	case("skynet.core.trash", "table", core.trash, {})
	case("skynet.core.send", "nothing", core.send)
	case("skynet.core.send", "no type", core.send, skynet.self())
	case("skynet.core.send", "type that is no number", core.send, skynet.self(), "x", 0, "text")
	case("skynet.core.send", "session that is no number", core.send, skynet.self(), 0, "x", "text")
	case("skynet.core.redirect", "nothing", core.redirect)
	case("skynet.core.command", "nothing", core.command)
	case("skynet.core.command", "unknown", core.command, "NO_SUCH")
	case("skynet.core.command", "parameter", core.command, "GETENV", "harbor")
	case("skynet.core.intcommand", "unknown", core.intcommand, "NO_SUCH")
	case("skynet.core.intcommand", "nothing", core.intcommand)
	case("skynet.core.addresscommand", "unknown", core.addresscommand, "NO_SUCH")
	case("skynet.core.addresscommand", "nothing", core.addresscommand)
	case("skynet.core.addresscommand", "name", core.addresscommand, "QUERY", ".no_such")
	case("skynet.core.callback", "nothing", core.callback)
	case("skynet.core.callback", "no function", core.callback, 1)
	case("skynet.core.harbor", "nothing", core.harbor)
	case("skynet.core.trace", "nothing", core.trace)
	case("skynet.core.trace", "tag alone", core.trace, "tag")
	case("skynet.core.trace", "level that is none", core.trace, "tag", "text", 1000)
end

local function serialiser()
	for name, list in pairs(values) do
		case("skynet.core.packstring", "value " .. name, core.packstring, table.unpack(list, 1, list.n or #list))
		case("skynet.core.unpack", "value " .. name, function()
			return core.unpack(core.packstring(table.unpack(list, 1, list.n or #list)))
		end)
	end
	for name, value in pairs { func = print, thread = coroutine.create(print), file = io.stdout } do
		case("skynet.core.packstring", name, core.packstring, value)
		case("skynet.core.pack", name, core.pack, value)
	end
	case("skynet.core.packstring", "itself inside", function()
		local loop = {}
		loop[1] = loop
		return core.packstring(loop)
	end)
	case("skynet.core.packstring", "metamethod pairs", function()
		return core.unpack(core.packstring(setmetatable({}, {
			__pairs = function()
				return next, { a = 1 }
			end,
		})))
	end)
	case(
		"skynet.core.packstring",
		"metamethod pairs fails",
		core.packstring,
		setmetatable({}, {
			__pairs = function()
				error "of pairs"
			end,
		})
	)
	case("skynet.core.packstring", "metamethods index and len", function()
		return core.unpack(core.packstring(setmetatable({ 1 }, {
			__len = function()
				return 3
			end,
			__index = function(_, k)
				return k
			end,
		})))
	end)
	case("skynet.core.pack", "results", function()
		local pointer, size = core.pack(1, "x")
		core.trash(pointer, size)
		return type(pointer), size
	end)
	case("skynet.core.pack", "nothing", function()
		local results = table.pack(core.pack())
		return results.n, type(results[1]), results[2]
	end)
	for name, text in pairs {
		empty = "",
		cut = "\x0c",
		["bad type"] = "\xff",
		["cut text"] = "\x25ab",
		["long cut"] = "\x15\xff\xff",
		["cut table"] = "\x0e\x01",
		["number of 8 bytes cut"] = "\x32\0\0",
		nils = "\0\0",
		["table of no end"] = "\6\x0a\1",
	} do
		case("skynet.core.unpack", "bytes " .. name, core.unpack, text)
	end
	messages_of_the_core()
end

local function drivers()
	case("skynet.socketdriver.buffer", "type", function()
		return type(driver.buffer())
	end)
	local pool = {}
	local buffer = driver.buffer()
	local function push(text)
		local pointer, size = driver.str2p(text)
		return driver.push(buffer, pool, pointer, size)
	end
	case("skynet.socketdriver.str2p", "right", function()
		local pointer, size = driver.str2p "text"
		local text = skynet.tostring(pointer, size)
		skynet.trash(pointer, size)
		return type(pointer), size, text
	end)
	case("skynet.socketdriver.str2p", "nothing", driver.str2p)
	case("skynet.socketdriver.push", "sizes", function()
		return push "one\n", push "two\nthree", push "!"
	end)
	case("skynet.socketdriver.readline", "check", driver.readline, buffer, nil, "\n")
	case("skynet.socketdriver.readline", "right", driver.readline, buffer, pool, "\n")
	case("skynet.socketdriver.readline", "second", driver.readline, buffer, pool, "\n")
	case("skynet.socketdriver.readline", "none", driver.readline, buffer, pool, "\n")
	case("skynet.socketdriver.pop", "right", driver.pop, buffer, pool, 2)
	case("skynet.socketdriver.pop", "too many", driver.pop, buffer, pool, 100)
	case("skynet.socketdriver.pop", "zero", driver.pop, buffer, pool, 0)
	case("skynet.socketdriver.readall", "right", driver.readall, buffer, pool)
	case("skynet.socketdriver.readall", "empty", driver.readall, buffer, pool)
	case("skynet.socketdriver.pop", "empty", driver.pop, buffer, pool, 1)
	case("skynet.socketdriver.clear", "right", driver.clear, buffer, pool)
	case("skynet.socketdriver.push", "no buffer", driver.push, nil, pool)
	case("skynet.socketdriver.pop", "nothing", driver.pop)
	case("skynet.socketdriver.readall", "nothing", driver.readall)
	case("skynet.socketdriver.readline", "nothing", driver.readline)
	case("skynet.socketdriver.drop", "right", function()
		return driver.drop(driver.str2p "x")
	end)
	case("skynet.socketdriver.unpack", "nothing", driver.unpack)
	for _, name in ipairs {
		"close",
		"shutdown",
		"start",
		"pause",
		"nodelay",
		"send",
		"lsend",
		"connect",
		"listen",
		"udp_send",
	} do
		case("skynet.socketdriver." .. name, "nothing", driver[name])
		case("skynet.socketdriver." .. name, "text", driver[name], "text")
	end
	for _, name in ipairs { "close", "shutdown", "pause", "nodelay" } do
		case("skynet.socketdriver." .. name, "unknown id", driver[name], 0x7ffffff)
	end
	case("skynet.socketdriver.send", "unknown id", driver.send, 0x7ffffff, "x")
	case("skynet.socketdriver.lsend", "unknown id", driver.lsend, 0x7ffffff, "x")
	case("skynet.socketdriver.send", "message of a number", driver.send, 0x7ffffff, 1)
	case("skynet.socketdriver.send", "message nil", driver.send, 0x7ffffff, nil)
	case("skynet.socketdriver.info", "type", function()
		return type(driver.info())
	end)
end

local SCHEMA <const> = [[
.Person {
	name 0 : string
	id 1 : integer
	email 2 : string
	.Phone {
		number 0 : string
		kind 1 : integer
	}
	phone 3 : *Phone
	ok 4 : boolean
	list 5 : *integer
	big 6 : integer(2)
	d 7 : double
	bytes 8 : binary
	map 9 : *Phone(number)
	texts 10 : *string
}
.Empty {}
foobar 1 {
	request {
		what 0 : string
	}
	response {
		ok 0 : boolean
	}
}
foo 2 {
	response Person
}
bar 3 {
	response nil
}
blackhole 4 {}
]]

local function hosts_of_sproto(sproto, sp)
	local host = sproto
		.parse("." .. "package { type 0 : integer session 1 : integer ud 2 : integer }\n" .. SCHEMA)
		:host "package"
	local request =
		host:attach(sproto.parse("." .. "package { type 0 : integer session 1 : integer ud 2 : integer }\n" .. SCHEMA))
	case("sproto.host", "request and response", function()
		local kind, name, message, answer, ud = host:dispatch(request("foobar", { what = "x" }, 7, 5))
		local reply = answer({ ok = true }, 9)
		local kind_back, session, body, ud_back = host:dispatch(reply)
		return kind, name, message, type(answer), ud, kind_back, session, body, ud_back
	end)
	case("sproto.host", "without a session", function()
		return host:dispatch(request("foobar", { what = "x" }))
	end)
	case("sproto.host", "without a request", function()
		return host:dispatch(request("blackhole"))
	end)
	case("sproto.host", "response without fields", function()
		local _, _, _, answer = host:dispatch(request("bar", nil, 3))
		return host:dispatch(answer())
	end)
	case("sproto.host", "unknown session", function()
		local _, _, _, answer = host:dispatch(request("foobar", {}, 11))
		local reply = answer { ok = true }
		host:dispatch(reply)
		return host:dispatch(reply)
	end)
	case("sproto.host", "unknown protocol", request, "nobody", {})
	case("sproto.host", "bytes", function()
		return host:dispatch "nonsense"
	end)
	case("sproto.host", "empty", function()
		return host:dispatch ""
	end)
	case("sproto.host", "unknown package", function()
		return sp:host "nobody"
	end)
end

local function loader_of_sproto(parser)
	local loader = require "sprotoloader"
	case("sprotoloader", "save and load", function()
		local saved = table.pack(loader.save(parser.parse(SCHEMA), 3))
		return saved.n, type(loader.load(3)), loader.load(3):exist_type "Person"
	end)
	case("sprotoloader.load", "missing", loader.load, 9)
	case("sprotoloader.load", "out of range", loader.load, 100)
	case("sprotoloader.save", "out of range", loader.save, parser.parse(SCHEMA), 100)
	case("sprotoloader.register", "missing file", loader.register, "no_such_file.sproto", 1)
end

local person <const> = {
	name = "Ada",
	id = 10000,
	ok = true,
	list = { 1, 2, -3, 1 << 40 },
	big = 1.25,
	d = 0.5,
	bytes = "\0\1",
	phone = { { number = "123", kind = 1 }, { number = "456" } },
	texts = { "a", "" },
	map = { ["1"] = { number = "1", kind = 2 } },
}

local function encoded_values(sp)
	for name, value in pairs {
		whole = person,
		none = {},
		["wrong text"] = { name = 5 },
		["wrong integer"] = { id = "x" },
		["float as integer"] = { id = 1.5 },
		["wrong list"] = { list = 5 },
		["unknown field"] = { nobody = 1 },
		["empty list"] = { list = {} },
		["false"] = { ok = false },
		["wrong boolean"] = { ok = 1 },
		["text as binary"] = { bytes = "x" },
		["negative"] = { id = -1 },
		["large"] = { id = 1 << 50 },
		["wrong struct"] = { phone = { 1 } },
		["list with a wrong item"] = { list = { 1, "x" } },
		["map without a key"] = { map = { x = {} } },
	} do
		case("sproto.encode", name, function()
			return sp:encode("Person", value)
		end)
		case("sproto.decode", name, function()
			return sp:decode("Person", sp:encode("Person", value))
		end)
		case("sproto.pencode", name, function()
			return sp:pdecode("Person", sp:pencode("Person", value))
		end)
	end
	case("sproto.encode", "unknown type", function()
		return sp:encode("Nobody", {})
	end)
	case("sproto.encode", "no table", function()
		return sp:encode("Person", 1)
	end)
	case("sproto.encode", "nothing", function()
		return sp:encode()
	end)
	for name, text in pairs {
		empty = "",
		short = "\1",
		cut = "\1\0\0\0",
		["too many"] = "\5\0\1\0",
		text = "hello world",
	} do
		case("sproto.decode", "bytes " .. name, function()
			return sp:decode("Person", text)
		end)
	end
	case("sproto.decode", "more bytes", function()
		return sp:decode("Person", sp:encode("Person", { id = 1 }) .. "rest")
	end)
end

local function names_of_sproto(sp)
	case("sproto.default", "right", function()
		return sp:default "Person"
	end)
	case("sproto.default", "empty", function()
		return sp:default "Empty"
	end)
	case("sproto.default", "unknown", function()
		return sp:default "Nobody"
	end)
	case("sproto.default", "request", function()
		return sp:default("foobar", "REQUEST")
	end)
	case("sproto.default", "response", function()
		return sp:default("foo", "RESPONSE")
	end)
	case("sproto.default", "of no response", function()
		return sp:default("bar", "RESPONSE")
	end)
	case("sproto.exist_type", "known", function()
		return sp:exist_type "Person", sp:exist_type "Nobody", sp:exist_type "Person.Phone"
	end)
	case("sproto.exist_proto", "known", function()
		return sp:exist_proto "foobar", sp:exist_proto "nobody", sp:exist_proto(1)
	end)
	for _, name in ipairs { "foobar", "foo", "bar", "blackhole" } do
		case("sproto.request_encode", name, function()
			return sp:request_encode(name, { what = "x" })
		end)
		case("sproto.response_encode", name, function()
			return sp:response_encode(name, { ok = true, name = "x" })
		end)
		case("sproto.request_decode", name, function()
			return sp:request_decode(name, (sp:request_encode(name, { what = "x" })))
		end)
		case("sproto.response_decode", name, function()
			return sp:response_decode(name, (sp:response_encode(name, { ok = true })))
		end)
	end
	case("sproto.request_encode", "unknown", function()
		return sp:request_encode("nobody", {})
	end)
end

local function packing_of_zeros(sproto)
	sweep.sweep("sproto.pack", sproto.pack, gives "\8\0\0\0\3\0\2\0\x19\0\0\0\xaa\1\0\0")
	case("sproto.unpack", "right", function()
		return sproto.unpack(sproto.pack "\8\0\0\0\3\0\2\0")
	end)
	case("sproto.pack", "empty", sproto.pack, "")
	case("sproto.pack", "long", function()
		return #sproto.pack(string.rep("x", 3000)), sproto.unpack(sproto.pack(string.rep("x", 3000)))
	end)
	for name, text in pairs { cut = "\xff", ["cut literal"] = "\xff\1abc", ["one byte"] = "\1", zeros = "\0" } do
		case("sproto.unpack", name, sproto.unpack, text)
	end
end

local function sprotos()
	local sproto = require "sproto"
	local parser = require "sprotoparser"
	case("sprotoparser.parse", "length", function()
		return #parser.parse(SCHEMA)
	end)
	case("sprotoparser.parse", "bytes", parser.parse, ".A {\n\tx 0 : integer\n}\n")
	for name, text in pairs {
		empty = "",
		["unknown type"] = ".A { x 0 : B }",
		["same tag"] = ".A { x 0 : integer y 0 : integer }",
		broken = ".A {",
		["same name"] = ".A {} .A {}",
		["same field"] = ".A { x 0 : integer x 1 : integer }",
		comment = "# only this\n",
		["no map key"] = ".A { x 0 : integer } .B { y 0 : *A(z) }",
	} do
		case("sprotoparser.parse", name, parser.parse, text)
	end
	case("sprotoparser.parse", "nothing", parser.parse)
	local sp = sproto.parse(SCHEMA)
	encoded_values(sp)
	names_of_sproto(sp)
	packing_of_zeros(sproto)
	hosts_of_sproto(sproto, sp)
	loader_of_sproto(parser)
end

sweep.run(function()
	serialiser()
	drivers()
	sprotos()
	require "parts.patterns"()
end)
