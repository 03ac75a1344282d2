-- skynet.cluster.core
local skynet = require "skynet"
local check = require "check"
local core = require "skynet.cluster.core"

local PART = 0x8000

--- A block of these bytes, and its size.
local message = require "skynet.socketdriver".str2p

local function request(address, session, text)
	return core.packrequest(address, session, message(text))
end

local function push(address, session, text)
	return core.packpush(address, session, message(text))
end

local function hex(text)
	return (text:gsub(".", function(c)
		return string.format("%02x", c:byte())
	end))
end

local function bytes(text)
	return (text:gsub("%s+", ""):gsub("..", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

--- What unpackrequest gives for a packet without its length, with the message as a text.
local function unpacked(packet)
	local results = table.pack(core.unpackrequest(packet))
	if type(results[3]) == "userdata" then
		local text = skynet.tostring(results[3], results[4])
		check.equal(#text, results[4])
		skynet.trash(results[3], results[4])
		results[3] = text
	end
	results.n = nil
	return results
end

local function body(packet)
	check.equal((string.unpack(">I2", packet)), #packet - 2)
	return packet:sub(3)
end

local cases = {}

function cases.requests_have_the_bytes_that_other_nodes_read()
	check.equal(hex(request(0x01020304, 5, "abc")), "000c000403020105000000616263")
	check.equal(hex(push(0x01020304, 5, "abc")), "000c000403020100000000616263")
	check.equal(hex(request("@name", 5, "abc")), "000e8005406e616d6505000000616263")
	check.equal(hex(push("@name", 5, "abc")), "000e8005406e616d6500000000616263")
	check.equal(hex(request(1, 0x7fffffff, "")), "00090001000000ffffff7f")
	check.equal(hex(core.packtrace "(node)tag"), "000a04286e6f646529746167")
end

function cases.large_requests_go_in_parts()
	local text = ("x"):rep(PART)
	local head, session, parts = request(1, 5, text)
	check.equal(hex(head), "000d01010000000500000000800000")
	check.equal(session, 6)
	check.equal(parts, { bytes "8005 03 05000000" .. text })
	head, session, parts = request(1, 5, text .. "y")
	check.equal(hex(head), "000d01010000000500000001800000")
	check.equal(parts, { bytes "8005 02 05000000" .. text, bytes "0006 03 05000000" .. "y" })
	head, session, parts = request("@n", 6, text:rep(3) .. "y")
	check.equal(hex(head), "000c8102406e0600000001800100")
	check.equal(#parts, 4)
	check.equal(parts[3], bytes "8005 02 06000000" .. text)
	check.equal(hex(parts[4]), "0006030600000079")
	check.equal(hex((push(1, 5, text))), "000d41010000000500000000800000")
	check.equal(hex((push("@n", 5, text))), "000cc102406e0500000000800000")
end

function cases.sessions_count_up_and_wrap_to_one()
	check.equal({ request(1, 1, "") }, { bytes "0009 00 01000000 01000000", 2 })
	check.equal(select(2, request(1, 0x7fffffff, "")), 1)
	check.equal(select(2, push("@a", 7, "")), 8)
	check.equal(select(2, request(1, 0x7fffffff, ("x"):rep(PART))), 1)
end

function cases.wrong_requests_are_refused()
	check.raises("Invalid request message", core.packrequest, 1, 1, nil, 0)
	check.raises("Invalid request session 0", request, 1, 0, "x")
	check.raises("Invalid request session -1", request, 1, -1, "x")
	check.raises("name is not a string, it's a boolean", request, true, 1, "x")
	check.raises("name is not a string, it's a nil", request, nil, 1, "x")
	check.raises("name length is invalid, must be between 1 and 255 characters: ", request, "", 1, "x")
	check.raises("name length is invalid", push, ("n"):rep(256), 1, "x")
	check.raises("trace tag is too long : 32769", core.packtrace, ("t"):rep(PART + 1))
	check.equal(#core.packtrace(("t"):rep(PART)), PART + 3)
	check.equal(#request(("n"):rep(255), 1, ("x"):rep(PART - 1)), PART + 262)
end

function cases.what_is_packed_is_unpacked()
	for _, address in ipairs { 0, 1, 0xffffffff, "@", "@name", ("n"):rep(255) } do
		for _, text in ipairs { "", "message", ("x"):rep(PART - 1) } do
			check.equal(unpacked(body(request(address, 9, text))), { address, 9, text, #text })
			check.equal(unpacked(body(push(address, 9, text))), { address, 0, text, #text, nil, true })
		end
		local head, _, parts = request(address, 9, ("x"):rep(PART + 1))
		check.equal(unpacked(body(head)), { address, 9, nil, PART + 1, true, false })
		check.equal(unpacked(body(parts[1])), { false, 9, ("x"):rep(PART), PART, true })
		check.equal(unpacked(body(parts[2])), { false, 9, "x", 1, false })
		head = push(address, 9, ("x"):rep(PART))
		check.equal(unpacked(body(head)), { address, 9, nil, PART, true, true })
	end
	check.equal({ core.unpackrequest(body(core.packtrace "tag")) }, { "tag" })
	check.equal({ core.unpackrequest "\4" }, { "" })
end

function cases.packets_may_come_as_blocks()
	local block, size = message(body(request(7, 8, "text")))
	local address, session, msg, sz = core.unpackrequest(block, size)
	check.equal({ address, session, skynet.tostring(msg, sz) }, { 7, 8, "text" })
	skynet.trash(msg, sz)
	skynet.trash(block, size)
end

function cases.packets_that_are_none_are_refused()
	check.raises("Invalid req package. size == 0", core.unpackrequest, "")
	check.raises("Invalid cluster message (size=8)", core.unpackrequest, ("\0"):rep(8))
	check.raises("Invalid cluster message size 12 (multi req must be 13)", core.unpackrequest, ("\1"):rep(12))
	check.raises("Invalid cluster message size 14 (multi req must be 13)", core.unpackrequest, ("\x41"):rep(14))
	for _, kind in ipairs { "\x80", "\x81", "\xc1" } do
		check.raises("Invalid cluster message (size=1)", core.unpackrequest, kind)
		check.raises("Invalid cluster message (size=7)", core.unpackrequest, kind .. "\xff.....")
	end
	check.raises("Invalid cluster message (size=11)", core.unpackrequest, "\x81\2ab1234567")
	for _, kind in ipairs { "\2", "\3" } do
		check.raises("Invalid cluster multi part message", core.unpackrequest, kind .. "...")
	end
	check.raises("Invalid req package type 5", core.unpackrequest, "\5.............")
	check.raises("Invalid req package type -1", core.unpackrequest, "\xff.............")
end

function cases.answers_have_the_bytes_that_other_nodes_read()
	check.equal(hex(core.packresponse(5, true, "abc")), "00080500000001616263")
	check.equal(hex(core.packresponse(5, false, "err")), "00080500000000657272")
	local block, size = message "abc"
	check.equal(hex(core.packresponse(5, true, block, size)), "00080500000001616263")
	skynet.trash(block, size)
	check.equal(hex(core.packresponse(5, true, nil, 0)), "00050500000001")
	local text = ("x"):rep(PART)
	check.equal(core.packresponse(5, true, text), bytes "8005 05000000 01" .. text)
	check.equal(core.packresponse(5, true, text .. "y"), {
		bytes "0009 05000000 02 01800000",
		bytes "8005 05000000 03" .. text,
		bytes "0006 05000000 04" .. "y",
	})
	check.equal(core.packresponse(5, false, text .. "cut"), bytes "8005 05000000 00" .. text)
end

function cases.answers_are_unpacked()
	local function answer(digits)
		return { core.unpackresponse(bytes(digits)) }
	end
	check.equal(answer "05000000 01 616263", { 5, true, "abc" })
	check.equal(answer "05000000 00 657272", { 5, false, "err" })
	check.equal(answer "05000000 02 01800000", { 5, true, 0x8001, true })
	check.equal(answer "05000000 03 61", { 5, true, "a", true })
	check.equal(answer "05000000 04 61", { 5, true, "a" })
	check.equal(answer "ffffffff 01", { 0xffffffff, true, "" })
	for _, digits in ipairs { "", "05000000", "05000000 05", "05000000 02 018000", "05000000 02 0180000000" } do
		check.equal(select("#", core.unpackresponse(bytes(digits))), 0)
	end
end

local function joined(size, ...)
	local parts = {}
	core.append(parts, nil, size)
	for _, text in ipairs { ... } do
		core.append(parts, message(text))
	end
	return core.concat(parts)
end

function cases.parts_of_the_announced_size_are_a_message()
	local msg, sz = joined(11, "hello", "", " world")
	check.equal(skynet.tostring(msg, sz), "hello world")
	skynet.trash(msg, sz)
	msg, sz = core.concat { 6, "abc", "def" }
	check.equal(skynet.tostring(msg, sz), "abcdef")
	skynet.trash(msg, sz)
	msg, sz = joined(0)
	check.equal(sz, 0)
	skynet.trash(msg, sz)
end

function cases.parts_of_another_size_are_nothing()
	check.equal(select("#", joined(4, "abc")), 0)
	check.equal(select("#", joined(4, "abc", "de")), 0)
	check.equal(select("#", joined(0, "a")), 0)
	check.equal(select("#", core.concat {}), 0)
	check.equal(select("#", core.concat { "abc" }), 0)
	check.equal(select("#", core.concat(nil)), 0)
	check.raises("Need lightuserdata", core.append, { 1 }, "text", 4)
	check.raises("table expected", core.append, nil, nil, 1)
end

function cases.parts_beyond_the_announced_size_are_not_kept()
	if os.getenv "SKYNET_TREE" then
		return -- there all parts are kept until the last one has come
	end
	local parts = {}
	core.append(parts, nil, 5)
	core.append(parts, message "abc")
	for _ = 1, 10 do
		core.append(parts, message "def")
	end
	check.equal(#parts, 2)
	core.append(parts, message "de")
	check.equal(select("#", core.concat(parts)), 0)
	parts = {}
	core.append(parts, nil, 5)
	core.append(parts, message "")
	check.equal(#parts, 1, "they would never be too many")
	parts = {} -- no size was announced
	core.append(parts, message "abc")
	check.equal(parts, {})
end

function cases.names_begin_with_an_at()
	check.equal(core.isname "@name", true)
	check.equal(select("#", core.isname "name"), 0)
	check.equal(select("#", core.isname(1)), 0)
	check.equal(select("#", core.isname(nil)), 0)
	check.equal(select("#", core.isname ""), 0)
end

function cases.the_name_of_the_node_is_a_word()
	local name = core.nodename()
	assert(name:find "^[^%s%c]+%d+$", name)
	check.equal(core.nodename(), name)
end

check.run(cases)
