-- The bytes of skynet.pack, which other nodes and C modules read and write too.
local check = require "check"
local core = require "skynet.core"

local cases = {}

local function hex(bytes)
	return (string.gsub(bytes, ".", function(byte)
		return string.format("%02x", string.byte(byte))
	end))
end

local function bytes(text)
	return (string.gsub(text, "%x%x", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

local EXAMPLES <const> = {
	{ "", n = 0 },
	{ "0000", nil, nil, n = 2 },
	{ "09", true },
	{ "01", false },
	{ "02", 0 },
	{ "0a01", 1 },
	{ "0aff", 255 },
	{ "120001", 256 },
	{ "12ffff", 65535 },
	{ "2200000100", 65536 },
	{ "22ffffff7f", 0x7fffffff },
	{ "320000008000000000", 0x80000000 },
	{ "22ffffffff", -1 },
	{ "2200000080", -2147483648 },
	{ "32ffffff7fffffffff", -2147483649 },
	{ "42000000000000f03f", 1.0 },
	{ "42000000000000f83f", 1.5 },
	{ "420000000000000080", -0.0 },
	{ "04", "" },
	{ "0c61", "a" },
	{ "fc" .. ("78"):rep(31), ("x"):rep(31) },
	{ "152000" .. ("78"):rep(32), ("x"):rep(32) },
	{ "15ffff" .. ("78"):rep(65535), ("x"):rep(65535) },
	{ "2500000100" .. ("78"):rep(65536), ("x"):rep(65536) },
	{ "0600", {} },
	{ "1e0a010a020a0300", { 1, 2, 3 } },
	{ "060c610a0100", { a = 1 } },
	{ "160a0a0a140c6b0900", { 10, 20, k = true } },
	{ "160600060000", { {}, {} } },
	{ "0642000000000000f83f0a0200", { [1.5] = 2 } },
	{ "060a640a0100", { [100] = 1 } },
	{ "1c6c75610a01060c780c7900", "lua", 1, { x = "y" } },
}

function cases.examples_have_their_bytes()
	for _, example in ipairs(EXAMPLES) do
		local count = example.n or #example - 1
		local packed = core.packstring(table.unpack(example, 2, count + 1))
		check.equal(hex(packed), example[1])
		local values = table.pack(core.unpack(packed))
		check.equal(values.n, count)
		for i = 1, count do
			check.equal(values[i], example[i + 1])
			check.equal(math.type(values[i]), math.type(example[i + 1]))
		end
		local message, size = core.pack(table.unpack(example, 2, count + 1))
		check.equal(core.tostring(message, size), packed)
		core.trash(message, size)
	end
end

function cases.long_arrays_carry_their_length()
	for length, head in pairs { [30] = "f6", [31] = "fe0a1f", [300] = "fe122c01" } do
		local zeros = {}
		for i = 1, length do
			zeros[i] = 0
		end
		check.equal(hex(core.packstring(zeros)), head .. ("02"):rep(length) .. "00")
	end
	check.equal(core.unpack(bytes "fe0a010a0500"), { 5 })
end

function cases.a_reader_accepts_what_no_writer_makes()
	check.equal(core.unpack(bytes "11"), true)
	check.equal(core.unpack(bytes "22ffffffff"), -1)
	check.equal(select("#", core.unpack("")), 0)
	check.equal(select("#", core.unpack(nil)), 0)
end

function cases.damage_is_reported_with_the_bytes_left()
	for text, left in pairs {
		["0a"] = 0,
		["1201"] = 1,
		["1a"] = 0,
		["4200"] = 1,
		["07"] = 0,
		["0d01"] = 1,
		["fc61"] = 1,
		["25ffffffff61"] = 1,
		["06"] = 0,
		["0e"] = 0,
		["fe42"] = 0,
		["fe32ffffffffffffff7f"] = 0,
	} do
		local ok, problem = pcall(core.unpack, bytes(text))
		if text == "fe32ffffffffffffff7f" then
			-- The length is cut to C's int: -1, no values; the end of the table is missing.
			check.equal(ok, false)
		else
			check.equal(ok, false, text)
			assert(string.find(problem, "Invalid serialize stream " .. left .. " (line:", 1, true), text .. problem)
		end
	end
end

function cases.a_length_without_its_values_takes_no_memory()
	collectgarbage()
	local before = collectgarbage "count"
	check.raises("Invalid serialize stream", core.unpack, bytes "fe22ffffff7f")
	assert(collectgarbage "count" - before < 100)
	if check.ours then -- the C core makes room for what is announced
		collectgarbage "stop"
		check.raises("Invalid serialize stream", core.unpack, bytes("fe22ffffff7f"):rep(900) .. ("\0"):rep(100000))
		local kilobytes = collectgarbage "count" - before
		collectgarbage "restart"
		assert(kilobytes < 20 * 1024, "the room in tables within tables: KiB " .. kilobytes)
	end
end

function cases.deep_bytes_raise_an_error()
	check.raises("too depth", core.unpack, ("\x0e"):rep(100000))
	check.raises("too depth", core.unpack, ("\x06\x0a\x01"):rep(100000))
end

function cases.any_bytes_give_values_or_an_error()
	local seed = 1
	local function random(limit)
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		return (seed >> 8) % limit
	end
	local samples = {}
	for _, example in ipairs(EXAMPLES) do
		if #example[1] < 200 then
			samples[#samples + 1] = bytes(example[1])
		end
	end
	for _ = 1, 30000 do
		local parts = {}
		for i = 1, 1 + random(4) do
			parts[i] = random(3) == 0 and string.char(random(256)) or samples[1 + random(#samples)]
		end
		local text = table.concat(parts)
		local cut = random(#text + 1)
		text = text:sub(1, cut) .. string.char(random(256)) .. text:sub(cut + 1 + random(3))
		local values = table.pack(pcall(core.unpack, text))
		if values[1] then
			-- What could be read can be written, unless a table is its own key and the like.
			pcall(core.packstring, table.unpack(values, 2, values.n))
		else
			assert(
				string.find(values[2], "Invalid serialize stream", 1, true)
					or string.find(values[2], "index is NaN", 1, true),
				values[2]
			)
		end
	end
end

function cases.nesting_is_limited_to_32()
	local function nested(depth)
		local outer = {}
		for _ = 2, depth do
			outer = { outer }
		end
		return outer
	end
	check.equal(core.unpack(core.packstring(nested(33))), nested(33))
	check.raises("serialize can't pack too depth table", core.packstring, nested(34))
end

function cases.a_type_without_bytes_is_named()
	check.raises("Unsupport type function to serialize", core.pack, print)
	check.raises("Unsupport type thread to serialize", core.pack, { coroutine.create(print) })
	check.raises("Unsupport type userdata to serialize", core.pack, { [io.stdout] = 1 })
end

function cases.pairs_metamethod_decides_what_is_written()
	local proxy = setmetatable({ "hidden" }, {
		__pairs = function()
			return next, { a = 1 }
		end,
	})
	check.equal(hex(core.packstring(proxy)), "060c610a0100")
end

function cases.packing_inside_of_packing_keeps_both()
	local inner
	local outer = setmetatable({}, {
		__pairs = function()
			inner = core.packstring(("i"):rep(100000))
			pcall(core.packstring, { 1, print })
			return next, { a = 1 }
		end,
	})
	check.equal(hex(core.packstring("x", outer, "y")), "0c78060c610a01000c79")
	check.equal(core.unpack(inner), ("i"):rep(100000))
end

function cases.a_failing_metamethod_is_the_error_of_pack()
	local broken = setmetatable({}, {
		__pairs = function()
			error("why", 0)
		end,
	})
	check.raises("why", core.pack, 1, { broken })
	check.equal(hex(core.packstring(1)), "0a01")
end

function cases.a_finalizer_may_pack_while_something_is_packed()
	local value = {}
	for index = 1, 20 do
		value[index] = setmetatable({ index }, {})
	end
	local expected = core.packstring(value)
	local noise = ("\255"):rep(2000)
	local finalizer = {
		__gc = function()
			core.packstring(noise)
		end,
	}
	-- The collector never rests. A table that grows makes it due for a step, which the packer then has to let it take.
	local pause = collectgarbage("param", "pause", 0)
	local size = collectgarbage("param", "stepsize", 1)
	local damaged = 0
	for round = 1, 500 do
		setmetatable({}, finalizer)
		local grown = {}
		for index = 1, round do
			grown[index] = index
		end
		damaged = damaged + (core.packstring(value) == expected and 0 or 1)
	end
	collectgarbage("param", "pause", pause)
	collectgarbage("param", "stepsize", size)
	check.equal(damaged, 0)
end

check.run(cases)
