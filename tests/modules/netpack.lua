-- skynet.netpack
local skynet = require "skynet"
local check = require "check"
local driver = require "skynet.socketdriver"
local netpack = require "skynet.netpack"

local DATA, CONNECT, CLOSE, ACCEPT, ERROR, WARNING = 1, 2, 3, 4, 5, 7

local function pointer_number(pointer)
	return tonumber(string.format("%p", pointer):match "0x(%x+)", 16)
end

--- What netpack.filter makes of a message of the socket thread.
local function filter(queue, kind, id, ud, text)
	local block = 0
	if kind == DATA then
		block, text = pointer_number(driver.str2p(text)), ""
	end
	local message, size = driver.str2p(string.pack("=i4i4i4i4I8", kind, id, ud, 0, block) .. text)
	local results = table.pack(netpack.filter(queue, message, size))
	driver.drop(message, size)
	return table.unpack(results, 1, results.n)
end

local function feed(queue, id, text)
	return filter(queue, DATA, id, #text, text)
end

--- All packets of the queue, as "socket:text".
local function popped(queue)
	local packets = {}
	for id, packet, size in netpack.pop, queue do
		packets[#packets + 1] = id .. ":" .. netpack.tostring(packet, size)
	end
	return packets
end

local function packet(text)
	return string.pack(">s2", text)
end

--- Feeds the stream in parts; all packets that come, in order.
local function split(parts)
	local queue, kind, packets = nil, nil, {}
	for _, part in ipairs(parts) do
		local id, message, size
		queue, kind, id, message, size = feed(queue, 3, part)
		if kind == "data" then
			packets[#packets + 1] = id .. ":" .. netpack.tostring(message, size)
		elseif kind == "more" then
			table.move(popped(queue), 1, 1 << 20, #packets + 1, packets)
		else
			check.equal(kind, nil)
		end
	end
	return packets
end

local function chunks(text, width)
	local parts = {}
	for from = 1, #text, width do
		parts[#parts + 1] = text:sub(from, from + width - 1)
	end
	return parts
end

local cases = {}

function cases.packing_writes_the_length_in_front()
	local function packed(...)
		local block, size = netpack.pack(...)
		check.equal(math.type(size), "integer")
		local text = skynet.tostring(block, size)
		driver.drop(block, size)
		return text
	end
	check.equal(packed "abc", "\0\3abc")
	check.equal(packed "", "\0\0")
	check.equal(packed(("x"):rep(65535)), "\xff\xff" .. ("x"):rep(65535))
	check.equal(packed(1234), "\0\0041234")
	local block, size = driver.str2p "a block"
	check.equal(packed(block, size), "\0\7a block")
	check.equal(packed(block, 1), "\0\1a")
	check.equal(netpack.tostring(block, size), "a block")
	check.raises("Invalid size (too long) of data : 65536", netpack.pack, ("x"):rep(65536))
	check.raises("string expected", netpack.pack, nil)
end

function cases.one_packet_comes_at_once()
	local queue, kind, id, message, size = feed(nil, 5, packet "hello")
	check.equal({ queue, kind, id, size }, { nil, "data", 5, 5 })
	check.equal(netpack.tostring(message, size), "hello")
	queue, kind, id, message, size = feed(nil, 5, packet "")
	check.equal({ queue, kind, id, size }, { nil, "data", 5, 0 })
	check.equal(netpack.tostring(message, size), "")
end

function cases.several_packets_wait_in_the_queue()
	local results = table.pack(feed(nil, 5, packet "one" .. packet "" .. packet "three"))
	check.equal(results.n, 2)
	check.equal(results[2], "more")
	check.equal(popped(results[1]), { "5:one", "5:", "5:three" })
	check.equal(select("#", netpack.pop(results[1])), 0)
	check.equal(select("#", netpack.pop(nil)), 0)
end

function cases.a_part_brings_nothing()
	local results = table.pack(feed(nil, 5, "\0"))
	check.equal(results.n, 1)
	local queue, kind, id, message, size = feed(results[1], 5, "\1x")
	check.equal({ kind, id, netpack.tostring(message, size) }, { "data", 5, "x" })
	check.equal(table.pack(feed(queue, 5, "\0\2x")).n, 1)
	local _, kind = feed(queue, 5, "y\0")
	check.equal({ kind, popped(queue) }, { "more", { "5:xy" } })
end

function cases.packets_do_not_depend_on_how_they_were_sent()
	local stream, expected = {}, {}
	for _, size in ipairs { 0, 1, 2, 255, 256, 0, 0, 3, 700, 1 } do
		local text = string.char(size % 256):rep(size)
		stream[#stream + 1] = packet(text)
		expected[#expected + 1] = "3:" .. text
	end
	stream = table.concat(stream)
	for _, width in ipairs { 1, 2, 3, 4, 5, 64, 257, 258, 259, 1000, #stream } do
		check.equal(split(chunks(stream, width)), expected, "parts of " .. width)
	end
end

function cases.the_largest_packet_is_65535_bytes()
	local text = ("large"):rep(13107)
	check.equal(split { packet(text) .. packet(text) }, { "3:" .. text, "3:" .. text })
	check.equal(split(chunks(packet(text), 4096)), { "3:" .. text })
end

function cases.thousands_of_packets_are_queued_in_order()
	local stream, expected = {}, {}
	for i = 1, 5000 do
		stream[i] = packet(tostring(i))
		expected[i] = "3:" .. i
	end
	check.equal(split { table.concat(stream) }, expected)
end

function cases.sockets_share_a_queue()
	local queue = feed(nil, 1, packet "a" .. "\0\2b")
	queue = feed(queue, 2, "\0\2x")
	queue = feed(queue, 4097, packet "..." .. packet "!")
	check.equal(popped(queue), { "1:a", "4097:...", "4097:!" })
	queue = feed(queue, 2, "y" .. packet "z")
	queue = feed(queue, 1, "b" .. packet "c")
	check.equal(popped(queue), { "2:xy", "2:z", "1:bb", "1:c" })
end

function cases.the_end_of_a_socket_drops_its_part_only()
	for _, kind in ipairs { CLOSE, ERROR } do
		local queue = feed(nil, 1, packet "kept" .. "\0\2b")
		queue = filter(queue, kind, 1, 0, "")
		check.equal(popped(queue), { "1:kept" })
		local _, kind, _, message, size = feed(queue, 1, packet "new")
		check.equal({ kind, netpack.tostring(message, size) }, { "data", "new" })
	end
end

function cases.other_events_have_names()
	local function event(...)
		return { filter(nil, ...) }
	end
	check.equal(event(CONNECT, 3, 8001, "127.0.0.1"), { nil, "init", 3, "127.0.0.1", 8001 })
	check.equal(event(ACCEPT, 3, 9, "127.0.0.1:5"), { nil, "open", 9, "127.0.0.1:5" })
	check.equal(event(CLOSE, 3, 0, ""), { nil, "close", 3 })
	check.equal(event(ERROR, 3, 0, "reason"), { nil, "error", 3, "reason" })
	check.equal(event(WARNING, 3, 1024, ""), { nil, "warning", 3, 1024 })
end

function cases.clearing_forgets_what_is_queued()
	local queue = feed(nil, 1, packet "a" .. packet "b" .. "\0")
	netpack.clear(queue)
	check.equal(popped(queue), {})
	local _, kind, _, message, size = feed(queue, 1, packet "c")
	check.equal({ kind, netpack.tostring(message, size) }, { "data", "c" })
	netpack.clear(nil)
end

check.run(cases)
