--- Each Lua module against the C module of the same name, in one process: the built-in one, or the .so named by `ours`, and
--- the one in the tree's luaclib. Config keys: `peer` and perhaps `ours`, folders of .so files; `only`, a Lua pattern for
--- rows; `seconds` for a measurement (0.05) and `rounds` (9). Prints CPU time of the process for each call, medians.
local skynet = require "skynet"
require "skynet.manager"

local peer_dir, ours_dir = skynet.getenv "peer", skynet.getenv "ours"
local only = skynet.getenv "only" or ""
local seconds = tonumber(skynet.getenv "seconds" or 0.05)
local rounds = tonumber(skynet.getenv "rounds" or 9)

local function load(dir, file, name)
	if not dir then
		return require(name)
	end
	local open = assert(package.loadlib(dir .. "/" .. file .. ".so", "luaopen_" .. name:gsub("%.", "_")))
	return open(name, "")
end

--- Both modules of a name.
local function both(file, name)
	return load(ours_dir, file, name), load(peer_dir, file, name)
end

local function time(count, run)
	collectgarbage()
	local began = os.clock()
	for _ = 1, count do
		run()
	end
	return (os.clock() - began) / count
end

local function median(list)
	table.sort(list)
	return list[(#list + 1) // 2]
end

local function row(name, ours, peer)
	if not name:find(only) then
		return
	end
	local count = 1
	while time(count, peer) * count < seconds do
		count = count * 2
	end
	local a, b, ratios = {}, {}, {}
	for i = 1, rounds do
		-- In turns, so that what else the machine does hits both alike.
		a[i] = time(count, ours)
		b[i] = time(count, peer)
		ratios[i] = b[i] / a[i]
	end
	print(
		("%-28s ours %9.0f ns  peer %9.0f ns  ratio %.2f"):format(
			name,
			median(a) * 1e9,
			median(b) * 1e9,
			median(ratios)
		)
	)
end

local function serialise()
	local ours, peer = both("skynet", "skynet.core")
	local fifty, array = {}, {}
	for i = 1, 50 do
		fifty["field" .. i] = i % 3 == 0 and { i, x = i * 1.5 } or i % 3 == 1 and "value" .. i or i * 1000
	end
	for i = 1, 1000 do
		array[i] = i * 37
	end
	for name, values in pairs {
		["small call"] = { "login", 12345, true, "token" },
		["50 fields"] = { fifty },
		["1,000 integers"] = { array },
		["64 KiB string"] = { ("x"):rep(65536) },
	} do
		-- As a call has them: the arguments of the small one stand in the code.
		local small = name == "small call"
		local function pack(core)
			local pack, trash = core.pack, core.trash
			return small and function()
				trash(pack("login", 12345, true, "token"))
			end or function()
				trash(pack(table.unpack(values)))
			end
		end
		local function unpack(core)
			local message, size = core.pack(table.unpack(values))
			local unpack = core.unpack
			return function()
				unpack(message, size)
			end
		end
		local function round_trip(core)
			local pack, unpack, trash = core.pack, core.unpack, core.trash
			return small
					and function()
						local message, size = pack("login", 12345, true, "token")
						unpack(message, size)
						trash(message, size)
					end
				or function()
					local message, size = pack(table.unpack(values))
					unpack(message, size)
					trash(message, size)
				end
		end
		row("pack " .. name, pack(ours), pack(peer))
		row("unpack " .. name, unpack(ours), unpack(peer))
		row("pack and unpack " .. name, round_trip(ours), round_trip(peer))
	end
end

--- 1 MiB of small packets, split and freed. Making the messages of the socket thread is part of the time.
local function netpack()
	local ours, peer = both("skynet", "skynet.netpack")
	local block, trash = require "skynet.socketdriver".str2p, require "skynet.core".trash
	math.randomseed(3)
	local packets, bytes = {}, 0
	while bytes < 1 << 20 do
		packets[#packets + 1] = (">s2"):pack(("x"):rep(math.random(64)))
		bytes = bytes + #packets[#packets]
	end
	local stream = table.concat(packets)
	--- struct skynet_socket_message: type, id, ud, buffer.
	local function message(part)
		local address = math.tointeger(tostring(block(part)):match "0x%x+")
		return block(("i4i4i4!8T"):pack(1, 7, #part, address))
	end
	local function split(lib, parts)
		return function()
			local queue, kind, found, _ = nil, nil, 0, nil
			for i = 1, #parts do
				local one, size, data, len = message(parts[i])
				local last, length
				queue, kind, _, last, length = lib.filter(queue, one, size)
				trash(one, size)
				if kind == "data" then
					trash(last, length)
					found = found + 1
				elseif kind == "more" then
					for _, data, len in lib.pop, queue do
						trash(data, len)
						found = found + 1
					end
				end
			end
			assert(found == #packets)
		end
	end
	for name, size in pairs { ["one message"] = #stream, ["64 KiB blocks"] = 65536, ["1,460 byte blocks"] = 1460 } do
		local parts = {}
		for at = 1, #stream, size do
			parts[#parts + 1] = stream:sub(at, at + size - 1)
		end
		row("netpack split, " .. name, split(ours, parts), split(peer, parts))
	end
end

local function crypt()
	local ours, peer = both("skynet", "skynet.crypt")
	local text = ("some text of a game "):rep(50)
	local function each(name, ...)
		local arguments = table.pack(...)
		local function call(module)
			local run = module[name]
			return function()
				run(table.unpack(arguments, 1, arguments.n))
			end
		end
		row("crypt " .. name, call(ours), call(peer))
	end
	each "randomkey"
	each("hashkey", text)
	each("desencode", "12345678", text)
	each("desdecode", "12345678", ours.desencode("12345678", text))
	each("hexencode", text)
	each("hexdecode", ours.hexencode(text))
	each("hmac64", "12345678", "abcdefgh")
	each("hmac64_md5", "12345678", "abcdefgh")
	each("hmac_hash", "12345678", text)
	each("dhexchange", "12345678")
	each("dhsecret", "12345678", "abcdefgh")
	each("sha1", text)
	each("hmac_sha1", "key", text)
	each("base64encode", text)
	each("base64decode", ours.base64encode(text))
	each("xor_str", text, "12345678")
end

local function md5()
	local ours, peer = both("md5", "md5.core")
	for _, size in ipairs { 16, 1024, 65536 } do
		local text = ("x"):rep(size)
		local function sum(module)
			local sum = module.sum
			return function()
				sum(text)
			end
		end
		row("md5 sum " .. size, sum(ours), sum(peer))
	end
end

local function sharedata()
	local function corelib(core)
		package.loaded["skynet.sharedata.core"], package.loaded["skynet.sharedata.corelib"] = core, nil
		return require "skynet.sharedata.corelib"
	end
	local ours, peer = both("skynet", "skynet.sharedata.core")
	local data = { list = {}, map = {}, text = "a text" }
	for i = 1, 200 do
		data.list[i] = i
		data.map["key" .. i] = { id = i, name = "name" .. i, value = i * 0.5 }
	end
	local function copy(core)
		local lib = corelib(core)
		local sheet = lib.host.new(data)
		lib.host.incref(sheet)
		return function()
			lib.copy(sheet)
		end
	end
	local function field(core)
		local lib = corelib(core)
		local sheet = lib.host.new(data)
		local view = lib.box(sheet)
		return function()
			return view.text, view.map.key7.value
		end
	end
	row("sharedata copy", copy(ours), copy(peer))
	row("sharedata field", field(ours), field(peer))
end

local PATTERNS = {
	words = "{| ({[a-zA-Z]+} / .)* |}",
	list = "list <- item (',' item)* item <- {[0-9]+} / '(' list ')'",
	json = [[
		value <- %s* (object / array / string / number / 'true' / 'false' / 'null') %s*
		object <- '{' (pair (',' pair)*)? %s* '}'
		pair <- %s* string %s* ':' value
		array <- '[' (value (',' value)*)? %s* ']'
		string <- '"' ([^"\] / '\' .)* '"'
		number <- '-'? [0-9]+ ('.' [0-9]+)? ([eE] [-+]? [0-9]+)?
	]],
}

local function re()
	local function library(lpeg, path)
		local before = package.loaded.lpeg
		package.loaded.lpeg = lpeg
		local lib = dofile(path)
		package.loaded.lpeg = before
		return lib
	end
	local ours, peer = both("lpeg", "lpeg")
	local ours_re = library(ours, skynet.getenv "ours_re")
	local peer_re = library(peer, skynet.getenv "peer_re")
	local crossed = library(ours, skynet.getenv "peer_re")
	for name, pattern in pairs(PATTERNS) do
		local function compile(lib)
			local compile = lib.compile
			return function()
				compile(pattern)
			end
		end
		row("re.compile " .. name, compile(ours_re), compile(peer_re))
		row("re.compile (peer's) " .. name, compile(crossed), compile(peer_re))
	end
end

local function bson()
	local ours, peer = both("bson", "bson")
	local array = {}
	for i = 1, 1000 do
		array[i] = i * 37
	end
	for name, document in pairs {
		small = { id = 7, name = "somebody" },
		player = {
			id = 7,
			name = "somebody",
			level = 42,
			gold = 1234567,
			position = { x = 1.5, y = 2.5 },
			bag = { 1, 2, 3, 4, 5 },
			mail = { { from = "a", text = "hello" }, { from = "b", text = "world" } },
		},
		["1,000 integers"] = { list = array },
		["64 KiB text"] = { text = ("x"):rep(65536) },
	} do
		local function encode(lib)
			local encode = lib.encode
			return function()
				encode(document)
			end
		end
		local function decode(lib)
			local bytes = tostring(lib.encode(document))
			local decode = lib.decode
			local held = lib.encode(document)
			return function()
				decode(held, bytes)
			end
		end
		row("bson encode " .. name, encode(ours), encode(peer))
		row("bson decode " .. name, decode(ours), decode(peer))
	end
end

--- lua-cjson is not part of the tree: its cjson.so has to be copied to the peer's folder.
local function json()
	local ours, peer = both("cjson", "cjson")
	local function players(count)
		local list = {}
		for i = 1, count do
			list[i] = {
				id = i,
				name = "player" .. i,
				level = i % 100,
				gold = i * 37,
				ratio = i / 7,
				online = i % 2 == 0,
				tags = { "a", "b", "c" },
				position = { x = 1.5, y = 2.25, z = -3.125 },
				about = "some text of a game, row " .. i,
			}
		end
		return { players = list }
	end
	local function list(make)
		local list = {}
		for i = 1, 5000 do
			list[i] = make(i)
		end
		return list
	end
	math.randomseed(5)
	for _, sample in ipairs {
		{ "small", { id = 7, name = "somebody", level = 42 } },
		{ "1 KiB", players(6) },
		{ "100 KiB", players(580) },
		{
			"5,000 integers",
			list(function()
				return math.random(1, 10000000)
			end),
		},
		{
			"5,000 floats",
			list(function()
				return math.random() * 1000
			end),
		},
		{
			"5,000 strings",
			list(function(i)
				return "string number " .. i .. " of many"
			end),
		},
		{
			"5,000 with escapes",
			list(function(i)
				return 'line "' .. i .. '"\n\tpath/to/file'
			end),
		},
		{ "64 KiB text", { text = ("some text of a game "):rep(3277) } },
	} do
		local name, value = table.unpack(sample)
		local text = peer.encode(value)
		local function encode(lib)
			local encode = lib.encode
			return function()
				encode(value)
			end
		end
		local function decode(lib)
			local decode = lib.decode
			return function()
				decode(text)
			end
		end
		row("json encode " .. name, encode(ours), encode(peer))
		row("json decode " .. name, decode(ours), decode(peer))
	end
end

local function sproto()
	local ours, peer = both("sproto", "sproto.core")
	local parser = require "sprotoparser"
	local schema = parser.parse [[
		.Item { id 0 : integer  count 1 : integer }
		.Small { id 0 : integer  name 1 : string }
		.Player { id 0 : integer  name 1 : string  level 2 : integer  items 3 : *Item  flags 4 : *integer }
		.Text { text 0 : string }
	]]
	local list, items = {}, {}
	for i = 1, 1000 do
		list[i] = i * 37
	end
	for i = 1, 10 do
		items[i] = { id = i, count = i * 100 }
	end
	for _, sample in ipairs {
		{ "small", "Small", { id = 7, name = "somebody" } },
		{ "player", "Player", { id = 7, name = "somebody", level = 42, items = items, flags = { 1, 2, 3 } } },
		{ "1,000 integers", "Player", { flags = list } },
		{ "64 KiB text", "Text", { text = ("some text of a game"):rep(3450) } },
	} do
		local name, kind, value = table.unpack(sample)
		local function encode(core)
			local proto = core.newproto(schema)
			local kind, encode = core.querytype(proto, kind), core.encode
			return function()
				return proto, encode(kind, value)
			end
		end
		local function decode(core)
			local proto = core.newproto(schema)
			local kind, decode = core.querytype(proto, kind), core.decode
			local bytes = core.encode(kind, value)
			return function()
				return proto, decode(kind, bytes)
			end
		end
		local function pack(core)
			local _, bytes = encode(core)()
			local pack = core.pack
			return function()
				pack(bytes)
			end
		end
		local function unpack(core)
			local _, bytes = encode(core)()
			local packed, unpack = core.pack(bytes), core.unpack
			return function()
				unpack(packed)
			end
		end
		row("sproto encode " .. name, encode(ours), encode(peer))
		row("sproto decode " .. name, decode(ours), decode(peer))
		row("sproto pack " .. name, pack(ours), pack(peer))
		row("sproto unpack " .. name, unpack(ours), unpack(peer))
	end
end

skynet.start(function()
	skynet.fork(function()
		for _, part in ipairs { serialise, netpack, crypt, md5, sharedata, re, bson, json, sproto } do
			local ok, problem = pcall(part)
			if not ok then
				print("NOT RUN", problem)
			end
		end
		skynet.abort()
	end)
end)
