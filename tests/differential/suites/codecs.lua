-- Functions that only compute: hashes, encodings, documents, URLs.
local skynet = require "skynet"
local sweep = require "sweep"

-- subject -> function that returns right arguments. What a pointer or a state is asked for has suites of its own.
local function sweep_module(name, arguments, options)
	local module = require(name)
	local functions = {}
	for key, field in pairs(module) do
		if type(field) == "function" and arguments[key] then
			functions[#functions + 1] = key
		end
	end
	table.sort(functions)
	for _, key in ipairs(functions) do
		sweep.sweep(name .. "." .. key, module[key], arguments[key], options and options[key])
	end
end

local gives = sweep.gives

local function crypt(name)
	local module = require(name)
	local key = "12345678"
	sweep_module(name, {
		base64decode = gives "aGVsbG8=",
		base64encode = gives "hello",
		desdecode = gives(key, module.desencode(key, "some text")),
		desencode = gives(key, "some text"),
		dhexchange = gives "abcdefgh",
		dhsecret = gives("abcdefgh", "hgfedcba"),
		hashkey = gives "some key",
		hexdecode = gives "68656c6c6f",
		hexencode = gives "hello",
		hmac64 = gives("abcdefgh", "12345678"),
		hmac64_md5 = gives("abcdefgh", "12345678"),
		hmac_hash = gives("abcdefgh", "text"),
		hmac_sha1 = gives("key", "text"),
		sha1 = gives "text",
		xor_str = gives("text", "key"),
	})
	sweep.case(name .. ".randomkey", "length", function()
		return #module.randomkey()
	end)
	for _, text in ipairs { "", "a", "ab", "abc", "abcdefgh", "\0\1\2\255", string.rep("x", 100) } do
		local case = "of " .. sweep.render(text)
		sweep.case(name .. ".base64encode", case, module.base64encode, text)
		sweep.case(name .. ".base64decode", case, module.base64decode, module.base64encode(text))
		sweep.case(name .. ".desencode", case, module.desencode, key, text)
		sweep.case(name .. ".desdecode", case, module.desdecode, key, module.desencode(key, text))
		sweep.case(name .. ".hashkey", case, module.hashkey, text)
		sweep.case(name .. ".sha1", case, module.sha1, text)
		sweep.case(name .. ".hexencode", case, module.hexencode, text)
	end
	for _, text in ipairs { "=", "a=b", "YQ", "YWI", "YW I=", "YQ==YQ==", "*&%", "\255\254" } do
		sweep.case(name .. ".base64decode", "text " .. sweep.render(text), module.base64decode, text)
	end
end

local function md5()
	local module = require "md5"
	sweep_module("md5", {
		decrypt = gives(module.crypt("text", "key", "1234"), "key"),
		exor = gives("text", "TEXT"),
		hmacmd5 = gives("text", "key"),
		sum = gives "text",
		sumhexa = gives "text",
	})
	sweep.case("md5.crypt", "with a seed", module.crypt, "text", "key", "1234")
	sweep.case("md5.crypt", "length", function()
		return #module.crypt("text", "key")
	end)
	sweep.case("md5.exor", "lengths", module.exor, "text", "TEX")
	sweep.case("md5.hmacmd5", "long key", module.hmacmd5, "text", string.rep("k", 65))
end

-- Without a text it is a new one.
local RANDOM_ID <const> = {
	["first 0"] = true,
	["argument 1 nil"] = true,
	["argument 1 true"] = true,
	["argument 1 table"] = true,
	["argument 1 function"] = true,
}

local function values_of_bson(module)
	local values <const> = {
		integer = 7,
		big = 1 << 40,
		negative = -7,
		float = 1.5,
		text = "text",
		empty = "",
		yes = true,
		no = false,
		list = { 1, 2, 3 },
		document = { a = { b = 1 } },
		none = module.null,
		least = module.minkey,
		most = module.maxkey,
		binary = module.binary "bytes",
		date = module.date(1000),
		regex = module.regex("a", "i"),
		objectid = module.objectid "0123456789abcdef01234567",
		stamp = module.timestamp(5, 6),
		int64 = module.int64(5),
		nothing = {},
		func = print,
		thread = coroutine.create(print),
		infinity = math.huge,
	}
	for name, value in pairs(values) do
		sweep.case("bson values", "there and back " .. name, function()
			return module.decode(module.encode { v = value })
		end)
		sweep.case("bson values", "bytes " .. name, function()
			return tostring(module.encode { v = value })
		end)
		sweep.case("bson values", "type " .. name, module.type, value)
	end
	for _, key in ipairs { 1, 2, 1.5, true, "a\0b", "" } do
		sweep.case("bson keys", "key " .. sweep.render(key), function()
			return module.decode(module.encode { [key] = 1 })
		end)
	end
end

local function bson()
	local module = require "bson"
	local document = module.encode { a = 1 }
	sweep_module("bson", {
		binary = gives "bytes",
		date = gives(1000),
		int64 = gives(77),
		objectid = gives "0123456789abcdef01234567",
		regex = gives("a+", "i"),
		timestamp = gives(1000, 1),
		type = gives(module.int64(1)),
		encode = function()
			return { b = { 1, "x" } }
		end,
		encode_order = gives("b", 1, "a", "text"),
	}, {
		encode_order = { skip = { ["argument 2 nil"] = true } }, -- the end of the list
		objectid = { skip = RANDOM_ID },
	})
	sweep.case("bson.decode", "right", function()
		return module.decode(document)
	end)
	values_of_bson(module)
	local meta = getmetatable(document)
	sweep.record("bson document", "type", type(document) .. " " .. type(meta))
	sweep.case("bson document", "length", function()
		return #document
	end)
	sweep.case("bson document", "field", function()
		return document.a
	end)
	sweep.case("bson document", "missing field", function()
		return document.b
	end)
	sweep.case("bson document", "set field", function()
		document.a = 2
	end)
	sweep.case("bson document", "pairs", function()
		local list = {}
		for key, value in pairs(document) do
			list[key] = value
		end
		return list
	end)
	sweep.case("bson document", "call", function()
		return document "a"
	end)
	sweep.case("bson document", "text", function()
		return tostring(document)
	end)
	sweep.case("bson document", "makeindex", function()
		return document:makeindex(), document.a
	end)
	sweep.case("bson document", "set after makeindex", function()
		document.a = 9
		return document.a
	end)
	sweep.case("bson document", "set of another type", function()
		document.a = "x"
	end)
end

local function netpack()
	local module = require "skynet.netpack"
	local function text(pointer, size)
		local bytes = skynet.tostring(pointer, size)
		skynet.trash(pointer, size)
		return bytes
	end
	for _, case in ipairs { "", "hello", string.rep("x", 0xffff), string.rep("x", 0x10000) } do
		sweep.case("skynet.netpack.pack", "length " .. #case, function()
			return text(module.pack(case))
		end)
	end
	for _, case in ipairs { "nil", "true", "table", "number" } do
		local value = ({ ["true"] = true, table = {}, number = 12 })[case]
		sweep.case("skynet.netpack.pack", case, function()
			return text(module.pack(value))
		end)
	end
	sweep.case("skynet.netpack.pop", "nothing", module.pop)
	sweep.case("skynet.netpack.pop", "nil", module.pop, nil)
	sweep.case("skynet.netpack.clear", "nothing", module.clear)
	sweep.case("skynet.netpack.clear", "nil", module.clear, nil)
	sweep.case("skynet.netpack.tostring", "nothing", module.tostring)
	sweep.case("skynet.netpack.filter", "nothing", module.filter)
	sweep.case("skynet.netpack.filter", "text", module.filter, "text")
end

local function urls()
	local url = require "http.url"
	for _, text in ipairs {
		"",
		"/",
		"/a",
		"/a?b=c",
		"/a?b=c&d=e",
		"/a?",
		"?b",
		"/a%20b?c%20d=e+f",
		"/%zz?x=%4",
		"a/b#c",
		"/a?b=c?d",
		"/a?=1&b",
		"/%e4%bd%a0?k=%E5%A5%BD",
		"//x//y?q",
	} do
		sweep.case("http.url.parse", "url " .. sweep.render(text), url.parse, text)
	end
	for _, text in ipairs {
		"",
		"a",
		"a=",
		"=a",
		"a=1",
		"a=1&b=2",
		"a=1&a=2",
		"a=%20+",
		"a=1;b=2",
		"a=b=c",
		"&&",
		"%41=%42",
	} do
		sweep.case("http.url.parse_query", "query " .. sweep.render(text), url.parse_query, text)
	end
	sweep.sweep("http.url.parse", url.parse, gives "/a?b=c")
	sweep.sweep("http.url.parse_query", url.parse_query, gives "b=c")
end

local function numbers_and_dumps()
	local crc16 = require "skynet.db.redis.crc16"
	sweep.sweep("skynet.db.redis.crc16", crc16, gives "123456789")
	for _, text in ipairs { "", "a", "foo{bar}", string.rep("x", 300) } do
		sweep.case("skynet.db.redis.crc16", "of " .. #text, crc16, text)
	end
	local dump = require "skynet.datasheet.dump"
	sweep.case("skynet.datasheet.dump.dump", "document", function()
		return #dump.dump { a = 1, b = { 1, 2.5, "text", true } }
	end)
	sweep.case("skynet.datasheet.dump", "there and back", function()
		return dump.undump(dump.dump { a = 1, b = { 1, 2.5, "text", true }, [7] = "x", c = -1 })
	end)
	for name, value in pairs {
		mixed = { 1, a = 2 },
		holes = { [1] = 1, [3] = 3 },
		func = { print },
		none = {},
		bool = { [true] = 1 },
	} do
		sweep.case("skynet.datasheet.dump", "of " .. name, function()
			return dump.undump(dump.dump(value))
		end)
	end
	sweep.sweep("skynet.datasheet.dump.dump", function(...)
		return #dump.dump(...)
	end, function()
		return { 1 }
	end)
end

local function drivers_and_channels()
	local mongo = require "skynet.mongo.driver"
	sweep.case("skynet.mongo.driver.length", "text", mongo.length, "\x20\0\0\0")
	sweep.case("skynet.mongo.driver.length", "nil", mongo.length, nil)
	sweep.case("skynet.mongo.driver.op_msg", "nothing", mongo.op_msg)
	sweep.case("skynet.mongo.driver.op_msg", "document", function()
		return mongo.op_msg(5, 0, require "bson".encode { a = 1 })
	end)
	sweep.case("skynet.mongo.driver.reply", "nothing", mongo.reply)
	local channel = require "skynet.debugchannel"
	sweep.case("skynet.debugchannel.create", "right", function()
		local object, handle = channel.create()
		return type(object), type(handle), type(getmetatable(object))
	end)
	sweep.case("skynet.debugchannel", "write and read", function()
		local object, handle = channel.create()
		local other = channel.connect(handle)
		object:write "line"
		return other:read(), other:read(0), other:read(0.5)
	end)
	sweep.case("skynet.debugchannel.connect", "nil", channel.connect, nil)
	sweep.case("skynet.debugchannel.connect", "text", channel.connect, "text")
end

local function shared_messages_and_code()
	local stm = require "skynet.stm"
	sweep.case("skynet.stm", "new and copy", function()
		local writer = stm.new(skynet.pack(1))
		local reader = stm.newcopy(stm.copy(writer))
		local first = table.pack(reader(skynet.unpack))
		local second = table.pack(reader(skynet.unpack))
		writer(skynet.pack(2))
		local third = table.pack(reader(skynet.unpack))
		return type(writer), type(reader), first, second, third
	end)
	sweep.case("skynet.stm.new", "nothing", stm.new)
	local cache = require "skynet.codecache"
	sweep.case("skynet.codecache.mode", "asked", cache.mode)
	sweep.case("skynet.codecache.mode", "unknown", cache.mode, "no such")
	sweep.case("skynet.codecache.mode", "ON", cache.mode, "ON")
	sweep.case("skynet.codecache.clear", "right", cache.clear)
	sweep.case("skynet.codecache.loadfile", "missing", cache.loadfile, "no such file.lua")
end

local function profile_and_memory()
	local profile = require "skynet.profile"
	sweep.case("skynet.profile", "start and stop", function()
		return profile.start(), math.type(profile.stop())
	end)
	sweep.case("skynet.profile.stop", "not started", profile.stop)
	sweep.case("skynet.profile.start", "twice", function()
		profile.start()
		local ok, problem = pcall(profile.start)
		profile.stop()
		return ok, problem
	end)
	sweep.case("skynet.profile.start", "text", profile.start, "text")
	sweep.case("skynet.profile.resume", "right", function()
		return profile.resume(
			coroutine.create(function(...)
				return ..., "end"
			end),
			1,
			2
		)
	end)
	sweep.case("skynet.profile.wrap", "right", function()
		return profile.wrap(function(...)
			return ...
		end)(1, nil)
	end)
	sweep.case("skynet.profile.resume", "no thread", profile.resume, 1)
	sweep.case("skynet.profile.wrap", "no function", profile.wrap, 1)
	local memory = require "skynet.memory"
	for _, name in ipairs { "total", "block", "current", "info", "jestat", "profactive" } do
		sweep.case("skynet.memory." .. name, "type", function()
			local results = table.pack(memory[name]())
			for i = 1, results.n do
				results[i] = math.type(results[i]) or type(results[i])
			end
			return table.unpack(results, 1, results.n)
		end)
	end
end

local function small()
	numbers_and_dumps()
	drivers_and_channels()
	shared_messages_and_code()
	profile_and_memory()
end

sweep.run(function()
	crypt "skynet.crypt"
	crypt "client.crypt"
	md5()
	bson()
	netpack()
	urls()
	require "parts.clusterpackets"()
	small()
end)
