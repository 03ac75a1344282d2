-- Values between Lua and Rust: the bytes are those of skynet.pack.
local skynet = require "skynet"
local check = require "check"
require "skynet.manager"

skynet.register_protocol {
	name = "text",
	id = skynet.PTYPE_TEXT,
	pack = function(text)
		return text
	end,
	unpack = skynet.tostring,
}

local cases = {}
local service

local function same(...)
	local back = table.pack(skynet.call(service, "lua", ...))
	check.equal(back, table.pack(...))
end

function cases.whatever_lua_packs_rust_packs_alike()
	service = service or skynet.launch "rs_values"
	same()
	same(nil)
	same(1, nil, true, false, "text", 1.5)
	for _, integer in ipairs { 0, 1, 255, 256, 65535, 65536, 0x7fffffff, 0x80000000, -1, -2147483648, -2147483649 } do
		same(integer, integer + 0.0)
	end
	same(math.maxinteger, math.mininteger, math.huge, -math.huge)
	for _, length in ipairs { 0, 1, 31, 32, 255, 65535, 65536, 100000 } do
		same(("x"):rep(length))
	end
	for _, length in ipairs { 0, 1, 30, 31, 255, 256, 1000 } do
		local list = {}
		for i = 1, length do
			list[i] = i
		end
		same(list, { list, n = length })
	end
	same { 1, 2, key = "value", [100] = 1, [1.5] = true, [false] = { { {} } }, ["\0\255"] = "\255\0" }
	local deep = {}
	for _ = 1, 32 do
		deep = { deep }
	end
	same(deep)
end

function cases.tables_at_random()
	service = service or skynet.launch "rs_values"
	local function value(depth)
		local kind = math.random(depth > 0 and 6 or 5)
		if kind == 1 then
			return (math.random(0, 0x7fffffff) << 33 ~ math.random(0, 0x7fffffff)) >> math.random(0, 63)
		elseif kind == 2 then
			return math.random() * 10 ^ math.random(-10, 10)
		elseif kind == 3 then
			return ("s"):rep(math.random(0, 70))
		elseif kind == 4 then
			return math.random(2) == 1
		elseif kind == 5 then
			return -math.random(100000)
		end
		local result = {}
		for i = 1, math.random(0, 40) do
			result[i] = value(depth - 1)
		end
		for _ = 1, math.random(0, 5) do
			result[value(0)] = value(depth - 1)
		end
		return result
	end
	for _ = 1, 200 do
		same(value(3), value(2))
	end
end

function cases.types_of_rust_are_what_lua_would_pack()
	service = service or skynet.launch "rs_values"
	local x = string.rep
	local function list(n, item)
		local result = {}
		for i = 1, n do
			result[i] = item
		end
		return result
	end
	for name, values in pairs {
		integers = table.pack(0, 1, 255, 256, 65535, 65536, math.maxinteger, math.mininteger, -1, -2147483648),
		floats = table.pack(0.0, -0.5, 1e300, math.huge),
		strings = table.pack("", "a", x("x", 31), x("x", 32), x("x", 65536), "字"),
		bytes = table.pack "\0\255",
		booleans = table.pack(true, false, nil, nil),
		lists = table.pack({ 1, 2, 3 }, list(30, 0), list(31, 7), { { 1, 2 }, { 3, 4 } }),
		map = table.pack { key = 1 },
		["number as a key"] = table.pack { [100] = "hundred" },
		["both parts"] = table.pack { 1, 2, k = true },
	} do
		local bytes = skynet.call(service, "text", name)
		check.equal(bytes, skynet.packstring(table.unpack(values, 1, values.n)), name)
	end
	check.equal(skynet.unpack(skynet.call(service, "text", "struct")), {
		name = "名字",
		level = 60,
		items = { 1, 2, 300 },
		place = { 1.5, -2.0 },
	})
	check.equal(type((skynet.unpack(skynet.call(service, "text", "pointer")))), "userdata")
end

check.run(cases)
